#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "kernels/kernel.h"
#include "kernels/neon/finish_f32.h"
#include "kernels/neon/source_f16.h"
#include "kernels/neon/weights_f32.h"
#include "kernels/neon/window_f32.h"

namespace fourfold::kernels::neon {

// A float convolution or matrix product: for each stretch of output positions and columns, pointers
// to the source, sums of tiles, and what is fused behind them.
class ProductF32 final : public PreparedKernel {
 public:
  struct Parts {
    Window window;
    std::string_view name;          // a literal
    int threads = 1;                // at most, of the Parallel of a run
    bool rows_are_samples = false;  // each position by itself (float16 arithmetic)
    bool half_arithmetic = false;   // float16 weights, not depthwise
    PackedWeightsF32 weights;
    FinishF32 finish;
  };
  explicit ProductF32(Parts parts);

  void Run(const RunArgs& args) const override;
  std::string_view implementation() const override { return parts_.name; }
  size_t scratch_bytes() const override;
  bool float16_arithmetic() const override { return parts_.half_arithmetic; }
  size_t packed_bytes() const override { return parts_.weights.bytes(); }

 private:
  // Positions [first, first + count) of an image by blocks [block, block_end), counted through all
  // groups; `table` holds pointers, ChunkPointers() of them.
  struct Chunk {
    int64_t image, first, count;
    int64_t block, block_end;
    const void** table;
  };
  struct Tile;

  int64_t ChunkPointers() const;
  int BlocksPerTile(int tiles) const;
  void RunChunk(const RunArgs& args, const Chunk& chunk) const;
  void FillTable(const RunArgs& args, const Chunk& chunk) const;
  void SumTile(const RunArgs& args, const Chunk& chunk, const Tile& tile, float* sums) const;
  void StoreTile(const RunArgs& args, const Chunk& chunk, const Tile& tile,
                 const float* sums) const;

  const Parts parts_;
  const int64_t blocks_;  // of a group; depthwise: of all channels
  const int64_t groups_;  // of blocks
  const int64_t chunk_tiles_;
  const std::shared_ptr<const void> zeros_;
  const std::optional<HalfSource> half_;
};

}  // namespace fourfold::kernels::neon
