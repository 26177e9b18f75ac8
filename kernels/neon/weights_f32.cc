#include "kernels/neon/weights_f32.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/neon/tile_f32.h"

namespace fourfold::kernels::neon {
namespace {

constexpr size_t kHeaderBytes = 64;

// Writes the blocks and calls see(column of the block, tap, channel, stored value) for each weight.
template <typename W>
void PackBlock(const W* from, const WeightsShape& shape, int64_t columns, W* to) {
  for (int64_t tap = 0; tap < shape.taps; ++tap) {
    for (int64_t c = 0; c < shape.channels; ++c) {
      const W* row = from + tap * shape.tap_step + c * shape.channel_step;
      for (int64_t i = 0; i < kBlockWidth; ++i) {
        *to++ = i < columns ? row[i * shape.column_step] : W{0};
      }
    }
  }
}

// The largest sum of magnitudes over the runs that SumTileF16 makes of a packed block.
double LongestRun(const uint16_t* block, const WeightsShape& shape) {
  double longest = 0.0;
  double run[kBlockWidth] = {};
  int64_t length = 0;
  for (int64_t tap = 0; tap < shape.taps; ++tap) {
    for (int64_t c = 0; c < shape.channels;) {
      const int64_t end = std::min(c + kHalfRun, shape.channels);
      length += end - c;
      for (; c < end; ++c, block += kBlockWidth) {
        for (int i = 0; i < kBlockWidth; ++i) run[i] += std::fabs(HalfToFloat(block[i]));
      }
      int64_t left = shape.channels - end;
      if (left == 0 && tap + 1 < shape.taps) left = shape.channels;
      if (!HalfRunEnds(length, std::min(left, kHalfRun))) continue;
      for (double& sum : run) {
        longest = sum > longest || sum != sum ? sum : longest;
        sum = 0.0;
      }
      length = 0;
    }
  }
  return longest;
}

}  // namespace

int64_t WeightsShape::blocks() const { return (columns + kBlockWidth - 1) / kBlockWidth; }

PackedWeightsF32::PackedWeightsF32(const Accumulation& sum, const WeightsShape& shape,
                                   const std::string& format, const PrepareContext& context)
    : half_(sum.weights_type == ElementType::kFloat16), blocks_(shape.blocks()) {
  const int64_t block_elements = shape.taps * shape.channels * kBlockWidth;
  block_bytes_ = block_elements * static_cast<ptrdiff_t>(ElementSize(sum.weights_type));
  bytes_ = kHeaderBytes + static_cast<size_t>(shape.groups * blocks_ * block_bytes_);
  const auto pack = [&]() -> PackedWeights::Buffer {
    std::shared_ptr<void> buffer = AllocateAligned(bytes_);
    std::memset(buffer.get(), 0, kHeaderBytes);
    std::byte* to = static_cast<std::byte*>(buffer.get()) + kHeaderBytes;
    double longest = 0.0;
    for (int64_t index = 0; index < shape.groups * blocks_; ++index, to += block_bytes_) {
      const int64_t column = index % blocks_ * kBlockWidth;
      const int64_t from = index / blocks_ * shape.group_step + column * shape.column_step;
      const int64_t columns = std::min<int64_t>(kBlockWidth, shape.columns - column);
      if (half_) {
        auto* block = reinterpret_cast<uint16_t*>(to);
        PackBlock(static_cast<const uint16_t*>(sum.weights) + from, shape, columns, block);
        const double run = LongestRun(block, shape);
        longest = run > longest || run != run ? run : longest;
      } else {
        PackBlock(static_cast<const float*>(sum.weights) + from, shape, columns,
                  reinterpret_cast<float*>(to));
      }
    }
    const auto rounded_up = static_cast<float>(longest * (1.0 + 0x1p-20));
    std::memcpy(buffer.get(), &rounded_up, sizeof(rounded_up));
    return buffer;
  };
  if (context.packed == nullptr || sum.weights_id == 0) {
    buffer_ = pack();
    return;
  }
  const std::string key = "neon/" + format + (half_ ? "_f16/" : "_f32/");
  buffer_ = context.packed->GetOrPack(key + std::to_string(sum.weights_id), bytes_, pack);
}

const void* PackedWeightsF32::block(int64_t group, int64_t index) const {
  return static_cast<const std::byte*>(buffer_.get()) + kHeaderBytes +
         (group * blocks_ + index) * block_bytes_;
}

float PackedWeightsF32::longest_run() const { return *static_cast<const float*>(buffer_.get()); }

}  // namespace fourfold::kernels::neon
