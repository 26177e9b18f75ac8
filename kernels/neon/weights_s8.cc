#include "kernels/neon/weights_s8.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kLanes = 16;

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// Where the weight of a column (of 16) at (tap, depth) is within a block.
int64_t PlaceOf(const WeightOrderS8& order, int64_t taps, int64_t padded_depth, int64_t column,
                int64_t tap, int64_t depth) {
  const int64_t start = depth / order.group * order.group;
  const int64_t width = std::min(order.group, padded_depth - start);
  const int64_t tap_at = (column / order.panel * taps + tap) * padded_depth * order.panel;
  return tap_at + start * order.panel + column % order.panel * width + depth - start;
}

// The stored weight of a column at one of the tile's taps and depths.
int8_t StoredAt(const Accumulation& sum, const WeightShapeS8& shape, int64_t group, int64_t column,
                int64_t tap, int64_t depth) {
  if (shape.gathered) {
    tap = depth / shape.depth;
    depth = depth % shape.depth;
  }
  return static_cast<const int8_t*>(
      sum.weights)[group * shape.group_stride + column * shape.column_stride +
                   tap * shape.tap_stride + depth * shape.depth_stride];
}

// Whether some two weights that a kernel adds in 16 bits are both -128.
bool HasUnfitPair(const Accumulation& sum, const WeightShapeS8& shape, const WeightOrderS8& order) {
  const int64_t apart = order.group / 2;
  for (int64_t group = 0; group < shape.groups; ++group) {
    for (int64_t column = 0; column < shape.columns; ++column) {
      for (int64_t tap = 0; tap < shape.tile_taps(); ++tap) {
        for (int64_t depth = apart; depth < shape.tile_depth(); ++depth) {
          if (depth % order.group >= apart &&
              StoredAt(sum, shape, group, column, tap, depth) == -128 &&
              StoredAt(sum, shape, group, column, tap, depth - apart) == -128) {
            return true;
          }
        }
      }
    }
  }
  return false;
}

// `pack` fills a zeroed buffer, shared through the context under `key` where that is possible.
PackedWeights::Buffer Shared(const Accumulation& sum, const PrepareContext& context,
                             const std::string& key, size_t bytes,
                             const std::function<void(std::byte*)>& pack) {
  const auto make = [&]() -> PackedWeights::Buffer {
    std::shared_ptr<void> buffer = AllocateAligned(bytes);
    std::memset(buffer.get(), 0, bytes);
    pack(static_cast<std::byte*>(buffer.get()));
    return buffer;
  };
  if (context.packed == nullptr || sum.weights_id == 0) return make();
  return context.packed->GetOrPack("neon/" + key + "/" + std::to_string(sum.weights_id), bytes,
                                   make);
}

}  // namespace

TileWeightsS8 PackTilesS8(const Accumulation& sum, const WeightShapeS8& shape,
                          const TileKernelS8& kernel, const std::string& operation,
                          const PrepareContext& context) {
  if (kernel.adds_pairs && HasUnfitPair(sum, shape, kernel.order)) return {};
  const int64_t taps = shape.tile_taps(), depth = shape.tile_depth();
  const int64_t padded_depth = RoundUp(depth, kernel.order.step);
  TileWeightsS8 packed;
  packed.blocks = (shape.columns + kColumnsS8 - 1) / kColumnsS8;
  packed.block_bytes =
      RoundUp(kColumnsS8 * (static_cast<int64_t>(sizeof(int32_t)) + taps * padded_depth), 64);
  packed.bytes = static_cast<size_t>(shape.groups * packed.blocks * packed.block_bytes);
  const std::string key = operation + "/" + std::string(kernel.name) + "/" +
                          std::to_string(shape.groups) + (shape.gathered ? "/gathered" : "");
  packed.buffer = Shared(sum, context, key, packed.bytes, [&](std::byte* to) {
    for (int64_t group = 0; group < shape.groups; ++group) {
      for (int64_t column = 0; column < shape.columns; ++column) {
        std::byte* const block =
            to + (group * packed.blocks + column / kColumnsS8) * packed.block_bytes;
        auto* const sums = reinterpret_cast<int32_t*>(block);
        auto* const values = reinterpret_cast<int8_t*>(sums + kColumnsS8);
        const int64_t at = column % kColumnsS8;
        for (int64_t tap = 0; tap < taps; ++tap) {
          for (int64_t k = 0; k < depth; ++k) {
            const int8_t weight = StoredAt(sum, shape, group, column, tap, k);
            sums[at] += weight;
            values[PlaceOf(kernel.order, taps, padded_depth, at, tap, k)] = weight;
          }
        }
      }
    }
  });
  return packed;
}

DepthwiseWeightsS8 PackDepthwiseS8(const Accumulation& sum, int64_t channels, int64_t taps,
                                   const PrepareContext& context) {
  const auto* const weights = static_cast<const int8_t*>(sum.weights);
  for (int64_t i = 0; i < channels * taps; ++i) {
    if (i % taps % 2 == 1 && weights[i] == -128 && weights[i - 1] == -128) return {};
  }
  DepthwiseWeightsS8 packed;
  packed.channels = RoundUp(channels, kLanes);
  packed.bytes =
      static_cast<size_t>(packed.channels * (static_cast<int64_t>(sizeof(int32_t)) + taps));
  packed.buffer = Shared(sum, context, "depthwise", packed.bytes, [&](std::byte* to) {
    auto* const sums = reinterpret_cast<int32_t*>(to);
    auto* const values = reinterpret_cast<int8_t*>(sums + packed.channels);
    for (int64_t i = 0; i < channels * taps; ++i) {
      const int64_t channel = i / taps, tap = i % taps;
      sums[channel] += weights[i];
      values[(channel / kLanes * taps + tap) * kLanes + channel % kLanes] = weights[i];
    }
  });
  return packed;
}

}  // namespace fourfold::kernels::neon
