#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fourfold::samples {

enum class ImageLayout : uint8_t { kNchw, kNhwc };
enum class ChannelOrder : uint8_t { kRgb, kBgr };

// How a picture becomes a model's input: decode, resize, crop the middle, then per pixel and
// channel (pixel * scale - mean) / std with pixel from 0 to 255.
struct ImageOptions {
  int resize = 0;  // pixels of the shorter side after resizing; 0: as it is
  int crop = 0;    // side of the square in the middle, pixels; 0: no cropping
  ImageLayout layout = ImageLayout::kNchw;
  ChannelOrder channel_order = ChannelOrder::kRgb;
  int channels = 3;  // 3, or 1 for grey
  float scale = 1;
  // Per channel, in `channel_order`; of a grey picture the first.
  std::array<float, 3> mean = {0, 0, 0};
  std::array<float, 3> std = {1, 1, 1};
  int64_t pixels_max = int64_t{1} << 26;  // of one picture as it is in its file; more is refused

  // Sets one option from a command line's text: resize, crop, layout (nchw, nhwc), channel_order
  // (rgb, bgr), channels, scale, mean, std (one number, or three with commas between).
  // Errors: NOT_FOUND for another name, INVALID_ARGUMENT for a value that is none.
  absl::Status Set(absl::string_view name, absl::string_view value);

  // INVALID_ARGUMENT if the options contradict each other or are out of range.
  absl::Status Validate() const;
};

}  // namespace fourfold::samples
