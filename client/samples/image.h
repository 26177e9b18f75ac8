#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fourfold::samples {

// Width and height in pixels.
struct ImageSize {
  int width = 0;
  int height = 0;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

// 8-bit picture, rows from the top, channels interleaved (RGB, or one grey channel).
struct Image {
  ImageSize size;
  int channels = 3;
  std::vector<uint8_t> pixels;  // height * width * channels
};

// The size that a file's header promises. Errors as DecodeImage.
absl::StatusOr<ImageSize> ReadImageSize(const std::string& path, int64_t pixels_max);

// Decodes JPEG, PNG, BMP, GIF (its first frame) or PNM; alpha is dropped, 16 bits become 8.
// `channels` is 3 for RGB or 1 for grey, which is 0.299 R + 0.587 G + 0.114 B. Errors: NOT_FOUND;
// INVALID_ARGUMENT if it cannot be decoded; RESOURCE_EXHAUSTED past `pixels_max`.
absl::StatusOr<Image> DecodeImage(const std::string& path, int channels, int64_t pixels_max);

// The size whose shorter side is `short_side`, the longer in proportion, rounded down.
ImageSize ScaleShortSide(ImageSize size, int short_side);

// Resizes with a triangle filter whose support grows with the reduction, so that shrinking is
// antialiased. Horizontal pass first, then vertical, each rounded to 8 bits: the same pixels as
// Pillow's Image.resize with BILINEAR. Requires positive sizes.
Image ResizeBilinear(const Image& image, ImageSize size);

// The middle side x side pixels; odd margins are halved to even, as torchvision's CenterCrop.
// Requires side <= width, height.
Image CropCentre(const Image& image, int side);

}  // namespace fourfold::samples
