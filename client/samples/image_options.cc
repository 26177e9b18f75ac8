#include "client/samples/image_options.h"

#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fourfold::samples {
namespace {

constexpr int kSideMax = 16384;  // pixels

std::optional<std::array<float, 3>> ParseTriple(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ',');
  std::array<float, 3> values = {};
  if (words.size() != 1 && words.size() != 3) return std::nullopt;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!absl::SimpleAtof(words[words.size() == 1 ? 0 : i], &values[i])) return std::nullopt;
  }
  return values;
}

bool AllFinite(const std::array<float, 3>& values) {
  return std::isfinite(values[0]) && std::isfinite(values[1]) && std::isfinite(values[2]);
}

}  // namespace

absl::Status ImageOptions::Set(absl::string_view name, absl::string_view value) {
  const auto wanted = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is '", value, "', wanted ", what));
  };
  if (name == "resize" || name == "crop" || name == "channels") {
    int number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < 0) return wanted("a number from 0");
    (name == "resize" ? resize : name == "crop" ? crop : channels) = number;
  } else if (name == "layout") {
    if (value != "nchw" && value != "nhwc") return wanted("nchw or nhwc");
    layout = value == "nchw" ? ImageLayout::kNchw : ImageLayout::kNhwc;
  } else if (name == "channel_order") {
    if (value != "rgb" && value != "bgr") return wanted("rgb or bgr");
    channel_order = value == "rgb" ? ChannelOrder::kRgb : ChannelOrder::kBgr;
  } else if (name == "scale") {
    if (!absl::SimpleAtof(value, &scale)) return wanted("a number");
  } else if (name == "mean" || name == "std") {
    const std::optional<std::array<float, 3>> values = ParseTriple(value);
    if (!values) return wanted("one number, or three with commas between");
    (name == "mean" ? mean : std) = *values;
  } else {
    return absl::NotFoundError(absl::StrCat("no image option is named '", name, "'"));
  }
  return absl::OkStatus();
}

absl::Status ImageOptions::Validate() const {
  const auto invalid = [](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat("image options: ", parts...));
  };
  if (channels != 1 && channels != 3) return invalid("channels is ", channels, ", wanted 1 or 3");
  if (resize < 0 || resize > kSideMax || crop < 0 || crop > kSideMax) {
    return invalid("resize ", resize, " and crop ", crop, ", wanted from 0 to ", kSideMax);
  }
  if (resize > 0 && crop > resize) {
    return invalid("crop ", crop, " is larger than resize ", resize);
  }
  if (!std::isfinite(scale) || !AllFinite(mean) || !AllFinite(std)) {
    return invalid("scale, mean and std must be finite");
  }
  if (std[0] == 0 || std[1] == 0 || std[2] == 0) return invalid("std must not be 0");
  return absl::OkStatus();
}

}  // namespace fourfold::samples
