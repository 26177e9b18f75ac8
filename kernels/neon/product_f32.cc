#include "kernels/neon/product_f32.h"

#include <algorithm>
#include <cstring>

#include "kernels/neon/tile_f32.h"

namespace fourfold::kernels::neon {
namespace {

// Pointers of a chunk: its tiles share the weights that pass through the cache once.
constexpr int64_t kChunkPointers = 1024;
constexpr int64_t kChunkTiles = 8;
// Weights that stay in the nearest cache while a chunk's tiles pass by them.
constexpr int64_t kNearBytes = 32768;
// Multiply-accumulates that are worth a thread.
constexpr int64_t kWorthAThread = 65536;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

std::shared_ptr<const void> Zeros(int64_t channels) {
  const size_t bytes = static_cast<size_t>(channels) * sizeof(float);
  std::shared_ptr<void> zeros = AllocateAligned(bytes);
  std::memset(zeros.get(), 0, bytes);
  return zeros;
}

std::optional<HalfSource> HalfSourceOf(const ProductF32::Parts& parts) {
  if (!parts.half_arithmetic) return std::nullopt;
  const Window& w = parts.window;
  if (parts.rows_are_samples) {
    return HalfSource(w.in_positions(), w.channels_in, parts.weights.longest_run());
  }
  return HalfSource(w.batch, w.in_positions() * w.channels_in, parts.weights.longest_run());
}

}  // namespace

struct ProductF32::Tile {
  int64_t index;  // in its chunk
  int rows;
  int64_t group;
  int64_t block;  // of the group
  int blocks;
};

ProductF32::ProductF32(Parts parts)
    : parts_(std::move(parts)),
      blocks_(DivideUp(
          parts_.window.depthwise() ? parts_.window.channels_out : parts_.window.group_out(),
          kBlockWidth)),
      groups_(parts_.window.depthwise() ? 1 : parts_.window.groups),
      chunk_tiles_(
          std::clamp<int64_t>(kChunkPointers / (parts_.window.taps() * kTileRows), 1, kChunkTiles)),
      zeros_(Zeros(parts_.window.channels_in)),
      half_(HalfSourceOf(parts_)) {}

int64_t ProductF32::ChunkPointers() const {
  // With float16, a tile of the float32 source behind them.
  const int64_t tiles = chunk_tiles_ + (half_.has_value() ? 1 : 0);
  return DivideUp(tiles * parts_.window.taps() * kTileRows, 8) * 8;
}

size_t ProductF32::scratch_bytes() const {
  return static_cast<size_t>(parts_.threads * ChunkPointers()) * sizeof(void*) +
         (half_.has_value() ? half_->scratch_bytes() : 0);
}

void ProductF32::Run(const RunArgs& args) const {
  const Window& w = parts_.window;
  RunArgs inner = args;  // its scratch begins behind the pointers
  inner.scratch = static_cast<const void**>(args.scratch) + parts_.threads * ChunkPointers();
  if (half_.has_value()) {
    half_->Make(static_cast<const float*>(args.inputs[0]), inner.scratch, *args.parallel);
  }
  // Chunks so small that every thread gets some, and columns apart where that is not enough.
  const int64_t threads = std::min(parts_.threads, args.parallel->threads());
  const int64_t tiles = DivideUp(w.out_positions(), kTileRows);
  const int64_t chunk_tiles =
      std::clamp(tiles * w.batch / threads, int64_t{1}, std::min(tiles, chunk_tiles_));
  const int64_t chunks = DivideUp(tiles, chunk_tiles);
  const int64_t all_blocks = groups_ * blocks_;
  const int64_t splits =
      std::min(all_blocks, chunks * w.batch >= threads ? 1 : DivideUp(threads, chunks * w.batch));
  const int64_t units = w.batch * chunks * splits;
  const int64_t macs = w.batch * w.out_positions() * w.channels_out * w.taps() * w.group_in();
  const int64_t parts = std::clamp<int64_t>(macs / kWorthAThread, 1, std::min(threads, units));

  const auto part = [&](int slot) {
    const void** table = static_cast<const void**>(args.scratch) + slot * ChunkPointers();
    for (int64_t unit = units * slot / parts; unit < units * (slot + 1) / parts; ++unit) {
      const int64_t split = unit % splits;
      const int64_t first = unit / splits % chunks * chunk_tiles * kTileRows;
      RunChunk(inner, {.image = unit / splits / chunks,
                       .first = first,
                       .count = std::min(chunk_tiles * kTileRows, w.out_positions() - first),
                       .block = all_blocks * split / splits,
                       .block_end = all_blocks * (split + 1) / splits,
                       .table = table});
    }
  };
  if (parts == 1) {
    part(0);
  } else {
    args.parallel->For(static_cast<int>(parts), std::cref(part));  // allocates nothing
  }
}

int ProductF32::BlocksPerTile(int tiles) const {
  if (tiles == 1) return kTileBlocks;
  const int64_t least = half_.has_value() ? 2 : 1;  // what a tile of eight rows computes at once
  return static_cast<int>(
      std::clamp<int64_t>(kNearBytes / parts_.weights.block_bytes(), least, kTileBlocks));
}

void ProductF32::RunChunk(const RunArgs& args, const Chunk& chunk) const {
  FillTable(args, chunk);
  alignas(64) float sums[kTileRows * kTileColumns];
  const int tiles = static_cast<int>(DivideUp(chunk.count, kTileRows));
  const int wide = BlocksPerTile(tiles);
  for (int64_t block = chunk.block; block < chunk.block_end;) {
    const int64_t of_group = block % blocks_;
    const int blocks = static_cast<int>(
        std::min<int64_t>(wide, std::min(chunk.block_end - block, blocks_ - of_group)));
    for (int i = 0; i < tiles; ++i) {
      const Tile tile{.index = i,
                      .rows = static_cast<int>(
                          std::min<int64_t>(kTileRows, chunk.count - i * int64_t{kTileRows})),
                      .group = block / blocks_,
                      .block = of_group,
                      .blocks = blocks};
      SumTile(args, chunk, tile, sums);
      StoreTile(args, chunk, tile, sums);
    }
    block += blocks;
  }
}

void ProductF32::FillTable(const RunArgs& args, const Chunk& chunk) const {
  const Window& w = parts_.window;
  const int64_t image = chunk.image * w.in_positions() * w.channels_in;
  const size_t element = half_.has_value() ? sizeof(uint16_t) : sizeof(float);
  const void* const src = half_.has_value()
                              ? static_cast<const void*>(half_->halves(args.scratch) + image)
                              : static_cast<const float*>(args.inputs[0]) + image;
  const void** table = chunk.table;
  for (int64_t i = 0; i < chunk.count; i += kTileRows, table += w.taps() * kTileRows) {
    w.FillRows(src, element, zeros_.get(), chunk.first + i,
               static_cast<int>(std::min<int64_t>(kTileRows, chunk.count - i)), table);
  }
}

void ProductF32::SumTile(const RunArgs& args, const Chunk& chunk, const Tile& tile,
                         float* sums) const {
  const Window& w = parts_.window;
  const int64_t table_step = w.taps() * kTileRows;
  TileF32 work{.rows = chunk.table + tile.index * table_step,
               .offset = tile.group * w.group_in(),
               .taps = w.taps(),
               .channels = w.group_in(),
               .weights = parts_.weights.block(tile.group, tile.block),
               .block_bytes = parts_.weights.block_bytes(),
               .half_weights = parts_.weights.half(),
               .row_count = tile.rows,
               .block_count = tile.blocks,
               .sums = sums};
  if (w.depthwise()) {
    work.offset = tile.block * kBlockWidth;
    work.channels = w.channels_in - work.offset;
    SumDepthwiseF32(work);
    return;
  }
  if (!half_.has_value()) {
    SumTileF32(work);
    return;
  }
  const HalfSample* samples = half_->samples(args.scratch);
  float unscale[kTileRows];
  int left_to_float32 = 0;
  const int64_t first = chunk.first + tile.index * kTileRows;
  for (int r = 0; r < tile.rows; ++r) {
    unscale[r] = samples[parts_.rows_are_samples ? first + r : chunk.image].unscale;
    if (unscale[r] == 0.0f) ++left_to_float32;
  }
  if (left_to_float32 < tile.rows) SumTileF16(work, unscale);
  if (left_to_float32 == 0) return;
  const void** rows = chunk.table + chunk_tiles_ * table_step;
  const float* image =
      static_cast<const float*>(args.inputs[0]) + chunk.image * w.in_positions() * w.channels_in;
  w.FillRows(image, sizeof(float), zeros_.get(), first, tile.rows, rows);
  alignas(64) float exact[kTileRows * kTileColumns];
  work.rows = rows;
  work.sums = exact;
  SumTileF32(work);
  for (int r = 0; r < tile.rows; ++r) {
    if (unscale[r] != 0.0f) continue;
    std::copy_n(exact + r * kTileColumns, tile.blocks * kBlockWidth, sums + r * kTileColumns);
  }
}

void ProductF32::StoreTile(const RunArgs& args, const Chunk& chunk, const Tile& tile,
                           const float* sums) const {
  const Window& w = parts_.window;
  const int64_t columns = w.channels_out / groups_;  // of a group of blocks
  const int64_t column = tile.block * kBlockWidth;
  const int64_t channel = tile.group * columns + column;
  const int64_t position = chunk.image * w.out_positions() + chunk.first + tile.index * kTileRows;
  const auto* residual =
      parts_.finish.residual() ? static_cast<const float*>(args.inputs[1]) : nullptr;
  for (int r = 0; r < tile.rows; ++r) {
    const int64_t at = (position + r) * w.channels_out + channel;
    parts_.finish.Store({.sums = sums + r * kTileColumns,
                         .channel = channel,
                         .count = std::min<int64_t>(tile.blocks * kBlockWidth, columns - column),
                         .residual = residual == nullptr ? nullptr : residual + at,
                         .dst = static_cast<float*>(args.outputs[0]) + at});
  }
}

}  // namespace fourfold::kernels::neon
