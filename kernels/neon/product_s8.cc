#include "kernels/neon/product_s8.h"

#include <algorithm>
#include <utility>

#include "kernels/neon/window_f32.h"

namespace fourfold::kernels::neon {

ProductS8::ProductS8(const TileKernelS8& kernel, const WeightShapeS8& shape, TileWeightsS8 weights,
                     FinishS8 finish, ElementType dst_type)
    : kernel_(kernel),
      shape_(shape),
      weights_(std::move(weights)),
      finish_(std::move(finish)),
      dst_size_(ElementSize(dst_type)) {}

void ProductS8::Run(const ChunkS8& chunk, int64_t group, int64_t first_block,
                    int64_t end_block) const {
  alignas(64) int32_t sums[kRowsS8 * kColumnsS8];
  TileS8 tile{.rows = nullptr,
              .taps = taps(),
              .depth = depth(),
              .weights = nullptr,
              .columns = 0,
              .flip = finish_.flip(),
              .sums = sums};
  for (int64_t block = first_block; block < end_block; ++block) {
    const int64_t column = block * kColumnsS8;
    const int64_t channel = group * shape_.columns + column;
    tile.columns = std::min(kColumnsS8, shape_.columns - column);
    tile.weights = weights_.values(group, block);
    for (int64_t first = 0; first < chunk.rows; first += kRowsS8) {
      const int64_t rows = std::min(kRowsS8, chunk.rows - first);
      tile.rows = chunk.pointers + first * taps();
      kernel_.run[rows - 1](tile);
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t at = (first + r) * chunk.stride + channel;
        finish_.Store(
            {.sums = sums + r * kColumnsS8,
             .weight_sums = weights_.sums(group, block),
             .channel = channel,
             .count = tile.columns,
             .src = chunk.params[first + r],
             .residual = chunk.residual == nullptr ? nullptr : chunk.residual + at,
             .dst = static_cast<std::byte*>(chunk.dst) + static_cast<size_t>(at) * dst_size_});
      }
    }
  }
}

bool IsServedS8(const Accumulation& sum, ElementType src, ElementType dst, int64_t channels,
                int64_t length) {
  const auto is_byte = [](ElementType type) {
    return type == ElementType::kUint8 || type == ElementType::kInt8;
  };
  if (sum.arithmetic == Arithmetic::kFloat || sum.weights == nullptr || !is_byte(src) ||
      sum.weights_type != ElementType::kInt8 || !sum.weights_zero_point.empty() ||
      length > kMaxExactSum || static_cast<int64_t>(sum.multiplier.size()) != channels ||
      (!sum.bias.empty() && static_cast<int64_t>(sum.bias.size()) != channels)) {
    return false;
  }
  if (dst == ElementType::kFloat32) return true;
  return sum.arithmetic == Arithmetic::kStaticInt8 && is_byte(dst) && !sum.residual;
}

bool IsChannelsLast(const ConvolutionSpec& spec) {
  const size_t rank = spec.src.dims.size();
  if (rank < 3 || rank > Window::kSpace + 2 || spec.dst.dims.size() != rank ||
      spec.weights.size() != rank || spec.groups < 1) {
    return false;
  }
  return spec.src.layout == Layout::kChannelsLast && spec.dst.layout == Layout::kChannelsLast &&
         spec.weights[0] == spec.dst.dims[1] && spec.weights[0] % spec.groups == 0 &&
         spec.weights[1] * spec.groups == spec.src.dims[1] &&
         spec.src.dims[0] == spec.dst.dims[0] && ElementCount(spec.weights) > 0 &&
         ElementCount(spec.src.dims) > 0 && ElementCount(spec.dst.dims) > 0;
}

}  // namespace fourfold::kernels::neon
