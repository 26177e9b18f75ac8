#include "server/passes/transposed_axis.h"

#include <algorithm>

#include "server/graph/transposed_window.h"

namespace fourfold::passes {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

// The window of one dimension as a transposed convolution has it. Its output has
// (input - 1) * stride + excess elements.
struct Source {
  int64_t kernel, stride, dilation, pad, excess;
};

// How far the taps of an axis reach, and what the axis is but for its table of taps.
struct Reach {
  TransposedAxis axis;
  int64_t low = 0;  // the first tap's distance from the position
  int64_t pad = 0;  // of the window, less the crop
};

// With `crop` taken off the padding in front. Output q * stride + phase takes element k of input
// q + t where stride * t = phase + pad - k * dilation.
Reach Cropped(const Source& s, int64_t crop) {
  Reach reach;
  TransposedAxis& axis = reach.axis;
  axis.stride = s.stride;
  axis.crop_begin = crop;
  reach.pad = s.pad - crop;
  int64_t low = 0, high = 0;
  bool any = false;
  for (int64_t phase = 0; phase < s.stride; ++phase) {
    for (int64_t k = 0; k < s.kernel; ++k) {
      const int64_t shift = phase + reach.pad - k * s.dilation;
      if (shift % s.stride != 0) continue;
      const int64_t t = shift / s.stride;
      low = any ? std::min(low, t) : t;
      high = any ? std::max(high, t) : t;
      any = true;
    }
  }
  low = std::min<int64_t>(low, 0);  // so that no padding is negative
  const int64_t positions = CeilDivide(s.excess + crop, s.stride) - 1;  // more than the input has
  axis.pad_begin = -low;
  axis.pad_end = positions + high;
  if (axis.pad_end < 0) {
    high -= axis.pad_end;
    axis.pad_end = 0;
  }
  axis.crop_end = (positions + 1) * s.stride - (s.excess + crop);
  axis.taps = high - low + 1;
  reach.low = low;
  return reach;
}

// Without strides the kernel is only turned round, and stays dilated.
std::optional<TransposedAxis> Turned(const Source& s) {
  const int64_t reach = (s.kernel - 1) * s.dilation;
  if (s.stride != 1 || reach < s.pad || s.excess + s.pad < 1) return std::nullopt;
  TransposedAxis axis;
  axis.taps = s.kernel;
  axis.dilation = s.dilation;
  axis.pad_begin = reach - s.pad;
  axis.pad_end = s.excess - 1 + s.pad;
  axis.tap.resize(1);
  for (int64_t j = 0; j < s.kernel; ++j) axis.tap[0].push_back(s.kernel - 1 - j);
  return axis;
}

std::optional<TransposedAxis> MakeAxis(const Source& s) {
  constexpr int64_t kMostPhases = 256;
  if (s.stride > kMostPhases) return std::nullopt;
  if (std::optional<TransposedAxis> turned = Turned(s)) return turned;
  // A crop costs a copy of the result, a tap more of the computation.
  const Reach whole = Cropped(s, 0), cropped = Cropped(s, s.pad % s.stride);
  const Reach& reach = cropped.axis.taps < whole.axis.taps ? cropped : whole;
  TransposedAxis axis = reach.axis;
  const double growth = static_cast<double>(axis.taps) * static_cast<double>(s.stride);
  if (growth > kMostGrowth * static_cast<double>(s.kernel)) return std::nullopt;
  axis.tap.assign(static_cast<size_t>(s.stride),
                  std::vector<int64_t>(static_cast<size_t>(axis.taps), -1));
  for (int64_t phase = 0; phase < s.stride; ++phase) {
    for (int64_t j = 0; j < axis.taps; ++j) {
      const int64_t offset = phase + reach.pad - s.stride * (reach.low + j);
      if (offset < 0 || offset % s.dilation != 0 || offset / s.dilation >= s.kernel) continue;
      axis.tap[static_cast<size_t>(phase)][static_cast<size_t>(j)] = offset / s.dilation;
    }
  }
  return axis;
}

}  // namespace

std::optional<std::vector<TransposedAxis>> TransposedAxes(const graph::ConvTranspose& conv,
                                                          const graph::Shape& x,
                                                          const graph::Shape& weights) {
  std::vector<int64_t> image(x.begin() + 2, x.end());
  const std::vector<int64_t> kernel(weights.begin() + 2, weights.end());
  for (int64_t& size : image) {
    if (size != graph::kUnknownDim) continue;
    if (!conv.output_shape.empty()) return std::nullopt;
    // What the output has beyond the product of input and stride is the same for all sizes.
    constexpr int64_t kAnySize = 1 << 20;
    size = kAnySize;
  }
  const auto window = graph::ResolveTransposedWindow(conv, image, kernel);
  if (!window.ok()) return std::nullopt;
  std::vector<TransposedAxis> axes;
  double growth = 1.0;
  for (size_t i = 0; i < image.size(); ++i) {
    const int64_t excess = window->output[i] - (image[i] - 1) * window->strides[i];
    std::optional<TransposedAxis> axis = MakeAxis(
        {kernel[i], window->strides[i], window->dilations[i], window->pads_begin[i], excess});
    if (!axis) return std::nullopt;
    growth *= static_cast<double>(axis->taps * axis->stride) / static_cast<double>(kernel[i]);
    axes.push_back(*std::move(axis));
  }
  if (growth > kMostGrowth) return std::nullopt;
  return axes;
}

int64_t PhasesOf(const std::vector<TransposedAxis>& axes) {
  int64_t phases = 1;
  for (const TransposedAxis& axis : axes) phases *= axis.stride;
  return phases;
}

}  // namespace fourfold::passes
