#include "kernels/neon/window_f32.h"

#include <algorithm>

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

// One row some of whose taps, seen from `start`, lie in the padding.
void FillBorderRow(const Window& w, const std::byte* base, int64_t step, const void* zeros,
                   const Window::Space& start, const void** to) {
  for (int64_t kz = 0; kz < w.kernel[0]; ++kz) {
    const int64_t z = start[0] + kz * w.dilation[0];
    for (int64_t ky = 0; ky < w.kernel[1]; ++ky) {
      const int64_t y = start[1] + ky * w.dilation[1];
      const bool inside = z >= 0 && z < w.in[0] && y >= 0 && y < w.in[1];
      // As unsigned numbers, columns below 0 are not below the width either.
      const uint64_t width = inside ? static_cast<uint64_t>(w.in[2]) : 0;
      int64_t x = start[2];
      int64_t offset = ((z * w.in[1] + y) * w.in[2] + x) * step;
      for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
        *to = static_cast<uint64_t>(x) < width ? base + offset : zeros;
        to += kTileRows;
        x += w.dilation[2];
        offset += w.dilation[2] * step;
      }
    }
  }
}

}  // namespace

Window Window::Of(const ConvolutionSpec& spec) {
  Window w{.batch = spec.src.dims[0],
           .channels_in = spec.src.dims[1],
           .channels_out = spec.dst.dims[1],
           .groups = spec.groups,
           .in = FromBack(spec.src.dims, 2, 1),
           .out = FromBack(spec.dst.dims, 2, 1),
           .kernel = FromBack(spec.weights, 2, 1),
           .stride = FromBack(spec.strides, 0, 1),
           .dilation = FromBack(spec.dilations, 0, 1),
           .pad = FromBack(spec.pads_begin, 0, 0),
           .tap_positions = {}};
  const Space ones{1, 1, 1}, zeros{0, 0, 0};
  w.point = w.kernel == ones && w.stride == ones && w.pad == zeros && w.out == w.in;
  w.tap_positions.clear();
  for (int64_t z = 0; z < w.kernel[0]; ++z) {
    for (int64_t y = 0; y < w.kernel[1]; ++y) {
      for (int64_t x = 0; x < w.kernel[2]; ++x) {
        const int64_t row = z * w.dilation[0] * w.in[1] + y * w.dilation[1];
        w.tap_positions.push_back(row * w.in[2] + x * w.dilation[2]);
      }
    }
  }
  return w;
}

void Window::FillRows(const void* image, size_t element_bytes, const void* zeros, int64_t first,
                      int count, const void** rows) const {
  const auto* base = static_cast<const std::byte*>(image);
  const int64_t step = channels_in * static_cast<int64_t>(element_bytes);  // between positions
  if (point) {
    for (int r = 0; r < kTileRows; ++r) rows[r] = base + (first + std::min(r, count - 1)) * step;
    return;
  }
  Space end;  // of the places where all taps are inside
  for (size_t d = 0; d < kSpace; ++d) end[d] = in[d] - (kernel[d] - 1) * dilation[d];
  Space at{first / (out[1] * out[2]), first / out[2] % out[1], first % out[2]};
  const std::byte* origins[kTileRows];
  int inside = 0;
  for (int r = 0; r < kTileRows; ++r) {
    const int64_t z = at[0] * stride[0] - pad[0], y = at[1] * stride[1] - pad[1];
    const int64_t x = at[2] * stride[2] - pad[2];
    origins[r] = nullptr;
    if (z >= 0 && z < end[0] && y >= 0 && y < end[1] && x >= 0 && x < end[2]) {
      origins[r] = base + ((z * in[1] + y) * in[2] + x) * step;
      ++inside;
    } else {
      FillBorderRow(*this, base, step, zeros, {z, y, x}, rows + r);
    }
    if (r + 1 >= count || ++at[2] < out[2]) continue;
    at[2] = 0;
    if (++at[1] < out[1]) continue;
    at[1] = 0;
    ++at[0];
  }
  if (inside == 0) return;
  for (const int64_t position : tap_positions) {
    const int64_t offset = position * step;
    for (int r = 0; r < kTileRows; ++r) {
      if (inside == kTileRows || origins[r] != nullptr) rows[r] = origins[r] + offset;
    }
    rows += kTileRows;
  }
}

}  // namespace fourfold::kernels::neon
