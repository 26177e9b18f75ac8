#pragma once

#include "kernels/convolution.h"
#include "kernels/reference/loops.h"

namespace fourfold::kernels::reference {

inline constexpr size_t kSpace = 3;  // spatial dimensions, missing ones have length 1

using Space = std::array<int64_t, kSpace>;

// What a convolution reads and writes where.
struct Geometry {
  int64_t batch, channels_in, channels_out;
  int64_t groups, group_in, group_out;
  Space in, out, kernel, stride, dilation, pad;
  // Distances in elements. Positions are counted in row-major order of space.
  int64_t src_image, src_channel, src_position;
  int64_t dst_image, dst_channel, dst_position;

  int64_t in_positions() const { return in[0] * in[1] * in[2]; }
  int64_t out_positions() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

inline Space FromBack(const Dims& dims, size_t skip, int64_t missing) {
  Space space;
  space.fill(missing);
  const size_t count = dims.size() - skip;
  for (size_t d = 0; d < count; ++d) space[kSpace - count + d] = dims[skip + d];
  return space;
}

inline Geometry MakeGeometry(const ConvolutionSpec& spec) {
  Geometry g{};
  g.batch = spec.src.dims[0];
  g.channels_in = spec.src.dims[1];
  g.channels_out = spec.dst.dims[1];
  g.groups = spec.groups;
  g.group_in = g.channels_in / g.groups;
  g.group_out = g.channels_out / g.groups;
  g.in = FromBack(spec.src.dims, 2, 1);
  g.out = FromBack(spec.dst.dims, 2, 1);
  g.kernel = FromBack(spec.weights, 2, 1);
  g.stride = FromBack(spec.strides, 0, 1);
  g.dilation = FromBack(spec.dilations, 0, 1);
  g.pad = FromBack(spec.pads_begin, 0, 0);
  const bool last = spec.src.layout == Layout::kChannelsLast;
  g.src_image = g.channels_in * g.in_positions();
  g.src_channel = last ? 1 : g.in_positions();
  g.src_position = last ? g.channels_in : 1;
  g.dst_image = g.channels_out * g.out_positions();
  g.dst_channel = last ? 1 : g.out_positions();
  g.dst_position = last ? g.channels_out : 1;
  return g;
}

// Calls tap(index of the tap, source position) for the taps of an output position inside the image.
template <typename Tap>
FOURFOLD_INLINE void ForTaps(const Geometry& g, int64_t position, const Tap& tap) {
  Space start;
  for (size_t d = kSpace; d-- > 0;) {
    start[d] = position % g.out[d] * g.stride[d] - g.pad[d];
    position /= g.out[d];
  }
  int64_t index = 0;
  for (int64_t z = 0; z < g.kernel[0]; ++z) {
    const int64_t plane = start[0] + z * g.dilation[0];
    for (int64_t y = 0; y < g.kernel[1]; ++y) {
      const int64_t row = start[1] + y * g.dilation[1];
      for (int64_t x = 0; x < g.kernel[2]; ++x, ++index) {
        const int64_t column = start[2] + x * g.dilation[2];
        if (plane < 0 || plane >= g.in[0] || row < 0 || row >= g.in[1] || column < 0 ||
            column >= g.in[2]) {
          continue;
        }
        tap(index, (plane * g.in[1] + row) * g.in[2] + column);
      }
    }
  }
}

}  // namespace fourfold::kernels::reference
