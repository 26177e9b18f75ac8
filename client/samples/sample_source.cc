#include "client/samples/sample_source.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/samples/array_source.h"
#include "client/samples/file.h"
#include "client/samples/image_folder.h"

namespace fourfold::samples {
namespace {

// Index of the first element that `is_finite` denies, or -1.
template <typename T, typename IsFinite>
int64_t FirstNotFinite(std::span<const std::byte> data, IsFinite is_finite) {
  for (size_t i = 0; i < data.size() / sizeof(T); ++i) {
    T value;
    std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
    if (!is_finite(value)) return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace

absl::Status CheckFinite(const SampleInput& input, std::span<const std::byte> data,
                         int64_t sample) {
  int64_t bad = -1;
  if (input.dtype == DType::kFloat16) {
    bad = FirstNotFinite<uint16_t>(data, [](uint16_t v) { return (v & 0x7c00) != 0x7c00; });
  } else if (input.dtype == DType::kFloat32) {
    bad = FirstNotFinite<float>(data, [](float v) { return std::isfinite(v); });
  } else if (input.dtype == DType::kFloat64) {
    bad = FirstNotFinite<double>(data, [](double v) { return std::isfinite(v); });
  }
  if (bad < 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("array '", input.name, "', sample ", sample,
                                                 ", element ", bad,
                                                 " is NaN or infinite, wanted finite numbers"));
}

absl::StatusOr<std::unique_ptr<SampleSource>> SampleSource::Open(const std::string& path,
                                                                 const SourceOptions& options) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return FileError(error ? error.value() : ENOENT, "cannot open samples", path);
  }
  if (std::filesystem::is_directory(status)) {
    if (std::filesystem::exists(absl::StrCat(path, "/", kSamplesFile), error)) {
      return OpenSamplesFolder(path, options);
    }
    return OpenImageFolder(path, options);
  }
  if (absl::EndsWithIgnoreCase(path, ".npz")) return OpenNpz(path, options);
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is no samples: wanted an .npz, a folder of pictures or a folder with ",
                   kSamplesFile));
}

}  // namespace fourfold::samples
