#include "client/samples/image.h"

#include <algorithm>
#include <cmath>

namespace fourfold::samples {
namespace {

// Fixed-point weights: 22 bits behind the point leave room for 255 times a sum of 1 in int32.
constexpr int kWeightBits = 22;

// What one output pixel of a line is made of: input pixels first .. first + weights.size().
struct Taps {
  int first = 0;
  std::vector<int32_t> weights;
};

// Taps of a line of `in` pixels resized to `out`. A pixel's centre is at its index + 0.5.
std::vector<Taps> TriangleTaps(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double support = std::max(scale, 1.0);
  std::vector<Taps> line(static_cast<size_t>(out));
  std::vector<double> weights;
  for (int x = 0; x < out; ++x) {
    const double centre = (x + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), in);
    weights.clear();
    double sum = 0;
    for (int i = first; i < last; ++i) {
      weights.push_back(std::max(0.0, 1.0 - std::abs(i + 0.5 - centre) / support));
      sum += weights.back();
    }
    Taps& taps = line[static_cast<size_t>(x)];
    taps.first = first;
    for (const double weight : weights) {
      taps.weights.push_back(static_cast<int32_t>(weight / sum * (1 << kWeightBits) + 0.5));
    }
  }
  return line;
}

uint8_t Round(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

// Filters along one axis of an image seen as lines x length x step bytes.
struct Axis {
  size_t lines;  // independent runs
  size_t step;   // bytes between neighbours along the axis; all of them are filtered alike
  int in;
  int out;
};

std::vector<uint8_t> FilterAxis(const std::vector<uint8_t>& input, const Axis& axis) {
  const std::vector<Taps> line = TriangleTaps(axis.in, axis.out);
  std::vector<uint8_t> output(axis.lines * line.size() * axis.step);
  std::vector<int32_t> sums(axis.step);
  uint8_t* to = output.data();
  for (size_t l = 0; l < axis.lines; ++l) {
    const uint8_t* const from = input.data() + l * static_cast<size_t>(axis.in) * axis.step;
    for (const Taps& taps : line) {
      std::fill(sums.begin(), sums.end(), 1 << (kWeightBits - 1));
      const uint8_t* pixel = from + static_cast<size_t>(taps.first) * axis.step;
      for (const int32_t weight : taps.weights) {
        for (size_t i = 0; i < axis.step; ++i) sums[i] += weight * pixel[i];
        pixel += axis.step;
      }
      to = std::transform(sums.begin(), sums.end(), to, Round);
    }
  }
  return output;
}

}  // namespace

ImageSize ScaleShortSide(ImageSize size, int short_side) {
  const int64_t shorter = std::min(size.width, size.height);
  const int64_t longer = std::max(size.width, size.height);
  const int scaled = static_cast<int>(std::min<int64_t>(longer * short_side / shorter, 1 << 30));
  return size.width <= size.height ? ImageSize{short_side, scaled} : ImageSize{scaled, short_side};
}

Image ResizeBilinear(const Image& image, ImageSize size) {
  Image result = image;
  const size_t channels = static_cast<size_t>(image.channels);
  if (size.width != image.size.width) {
    result.pixels = FilterAxis(result.pixels, {static_cast<size_t>(image.size.height), channels,
                                               image.size.width, size.width});
  }
  if (size.height != image.size.height) {
    result.pixels = FilterAxis(result.pixels, {1, channels * static_cast<size_t>(size.width),
                                               image.size.height, size.height});
  }
  result.size = size;
  return result;
}

Image CropCentre(const Image& image, int side) {
  const auto margin = [side](int whole) {
    return static_cast<size_t>(std::nearbyint((whole - side) / 2.0));
  };
  const size_t left = margin(image.size.width), top = margin(image.size.height);
  const size_t channels = static_cast<size_t>(image.channels);
  const size_t row = static_cast<size_t>(side) * channels;
  Image result{{side, side}, image.channels, {}};
  result.pixels.reserve(row * static_cast<size_t>(side));
  for (size_t y = 0; y < static_cast<size_t>(side); ++y) {
    const auto begin = image.pixels.begin() +
                       static_cast<std::ptrdiff_t>(
                           ((top + y) * static_cast<size_t>(image.size.width) + left) * channels);
    result.pixels.insert(result.pixels.end(), begin, begin + static_cast<std::ptrdiff_t>(row));
  }
  return result;
}

}  // namespace fourfold::samples
