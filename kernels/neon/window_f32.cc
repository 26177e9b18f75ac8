#include "kernels/neon/window_f32.h"

#include "kernels/neon/tile_f32.h"

namespace fourfold::kernels::neon {
namespace {

Window::Space FromBack(const Dims& dims, size_t skip, int64_t missing) {
  Window::Space space;
  space.fill(missing);
  const size_t count = dims.size() - skip;
  for (size_t d = 0; d < count; ++d) space[Window::kSpace - count + d] = dims[skip + d];
  return space;
}

}  // namespace

Window Window::Of(const ConvolutionSpec& spec) {
  return {.batch = spec.src.dims[0],
          .channels_in = spec.src.dims[1],
          .channels_out = spec.dst.dims[1],
          .groups = spec.groups,
          .in = FromBack(spec.src.dims, 2, 1),
          .out = FromBack(spec.dst.dims, 2, 1),
          .kernel = FromBack(spec.weights, 2, 1),
          .stride = FromBack(spec.strides, 0, 1),
          .dilation = FromBack(spec.dilations, 0, 1),
          .pad = FromBack(spec.pads_begin, 0, 0)};
}

void Window::FillRows(const void* image, size_t element_bytes, const void* zeros, int64_t first,
                      int count, const void** rows) const {
  const auto* base = static_cast<const std::byte*>(image);
  const int64_t step = channels_in * static_cast<int64_t>(element_bytes);  // between positions
  Space at{first / (out[1] * out[2]), first / out[2] % out[1], first % out[2]};
  for (int r = 0; r < kTileRows; ++r) {
    const void** to = rows + r;
    const int64_t x0 = at[2] * stride[2] - pad[2];
    for (int64_t kz = 0; kz < kernel[0]; ++kz) {
      const int64_t z = at[0] * stride[0] - pad[0] + kz * dilation[0];
      for (int64_t ky = 0; ky < kernel[1]; ++ky) {
        const int64_t y = at[1] * stride[1] - pad[1] + ky * dilation[1];
        const bool inside = z >= 0 && z < in[0] && y >= 0 && y < in[1];
        const std::byte* row = base + (z * in[1] + y) * in[2] * step;
        for (int64_t kx = 0; kx < kernel[2]; ++kx, to += kTileRows) {
          const int64_t x = x0 + kx * dilation[2];
          *to = inside && x >= 0 && x < in[2] ? row + x * step : zeros;
        }
      }
    }
    if (r + 1 >= count) continue;
    if (++at[2] < out[2]) continue;
    at[2] = 0;
    if (++at[1] < out[1]) continue;
    at[1] = 0;
    ++at[0];
  }
}

}  // namespace fourfold::kernels::neon
