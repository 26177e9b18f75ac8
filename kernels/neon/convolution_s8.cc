#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "kernels/neon/indirection_s8.h"
#include "kernels/neon/neon.h"
#include "kernels/neon/parts.h"
#include "kernels/neon/product_s8.h"

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kAlignment = 64;

constexpr int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

class ConvolutionS8 final : public PreparedKernel {
 public:
  ConvolutionS8(const ConvolutionSpec& spec, const Window& window, std::string name, bool gathered,
                ProductS8 product, int threads)
      : window_(window),
        indirection_(window),
        product_(std::move(product)),
        name_(std::move(name)),
        gathered_(gathered),
        threads_(threads),
        dst_size_(ElementSize(spec.dst.type)),
        dynamic_(spec.sum.arithmetic == Arithmetic::kDynamicInt8),
        residual_(spec.sum.residual),
        src_zero_point_(spec.sum.src_zero_point),
        chunks_((window.out_positions() + kChunkRowsS8 - 1) / kChunkRowsS8),
        chunk_rows_(RoundUp((window.out_positions() + chunks_ - 1) / chunks_, kRowsS8)),
        splits_(std::min(product_.blocks(), std::max<int64_t>(1, threads / units()))) {}

  std::string_view implementation() const override { return name_; }
  size_t packed_bytes() const override { return product_.packed_bytes(); }
  size_t scratch_bytes() const override { return static_cast<size_t>(threads_ * slice_bytes()); }

  void Run(const RunArgs& args) const override {
    const int64_t work = chunk_rows_ * window_.group_out() * window_.taps() * window_.group_in();
    ForParts(*args.parallel, threads_, units() * splits_, work / splits_,
             [&](int64_t part, int64_t begin, int64_t end) {
               auto* const slice = static_cast<std::byte*>(args.scratch) + part * slice_bytes();
               for (int64_t unit = begin; unit < end; ++unit) RunUnit(args, unit, slice);
             });
  }

 private:
  // Independent pieces of work before the columns are split.
  int64_t units() const { return window_.batch * window_.groups * chunks_; }

  // One thread's scratch: pointers of a chunk, then a pixel of padding or the gathered rows.
  int64_t pointer_bytes() const {
    const auto size = static_cast<int64_t>(sizeof(const uint8_t*));
    return RoundUp(chunk_rows_ * product_.taps() * size, kAlignment);
  }
  int64_t slice_bytes() const {
    const int64_t bytes = gathered_ ? chunk_rows_ * product_.depth() : window_.group_in();
    return pointer_bytes() + RoundUp(bytes, kAlignment);
  }

  void RunUnit(const RunArgs& args, int64_t unit, std::byte* slice) const {
    const int64_t split = unit % splits_;
    unit /= splits_;
    const int64_t first = unit % chunks_ * chunk_rows_;
    const int64_t group = unit / chunks_ % window_.groups;
    const int64_t image = unit / chunks_ / window_.groups;
    ChunkS8 chunk;
    chunk.rows = std::min(chunk_rows_, window_.out_positions() - first);
    if (chunk.rows <= 0) return;  // chunks are rounded up to whole tiles
    const QuantParams params = dynamic_ ? static_cast<const QuantParams*>(args.inputs[1])[image]
                                        : QuantParams{1.0f, src_zero_point_};
    std::fill_n(chunk.params, chunk.rows, params);
    const auto* const src = static_cast<const uint8_t*>(args.inputs[0]) +
                            image * window_.in_positions() * window_.channels_in +
                            group * window_.group_in();
    auto** const pointers = reinterpret_cast<const uint8_t**>(slice);
    auto* const bytes = reinterpret_cast<uint8_t*>(slice + pointer_bytes());
    const auto padding = static_cast<uint8_t>(params.zero_point);
    if (gathered_) {
      for (int64_t row = 0; row < chunk.rows; ++row) {
        pointers[row] = bytes + row * product_.depth();
        indirection_.Gather(src, padding, first + row, window_.group_in(),
                            bytes + row * product_.depth());
      }
    } else {
      std::memset(bytes, padding, static_cast<size_t>(window_.group_in()));
      for (int64_t row = 0; row < chunk.rows; ++row) {
        const int64_t at = row / kRowsS8 * window_.taps() * kRowsS8 + row % kRowsS8;
        indirection_.Point(src, bytes, first + row, kRowsS8, pointers + at);
      }
    }
    chunk.pointers = pointers;
    chunk.stride = window_.channels_out;
    const int64_t at = (image * window_.out_positions() + first) * window_.channels_out;
    if (residual_) chunk.residual = static_cast<const float*>(args.inputs[dynamic_ ? 2 : 1]) + at;
    chunk.dst = static_cast<std::byte*>(args.outputs[0]) + static_cast<size_t>(at) * dst_size_;
    const int64_t blocks = product_.blocks();
    product_.Run(chunk, group, blocks * split / splits_, blocks * (split + 1) / splits_);
  }

  const Window window_;
  const IndirectionS8 indirection_;
  const ProductS8 product_;
  const std::string name_;
  const bool gathered_;
  const int threads_;
  const size_t dst_size_;
  const bool dynamic_;
  const bool residual_;
  const int32_t src_zero_point_;
  const int64_t chunks_;  // of the positions of an image
  const int64_t chunk_rows_;
  const int64_t splits_;  // of the columns of a group
};

PreparedPtr Prepare(const ConvolutionSpec& spec, const PrepareContext& context,
                    const TileKernelS8& kernel) {
  if (!IsChannelsLast(spec)) return nullptr;
  const Window window = Window::Of(spec);
  const int64_t taps = window.taps(), depth = window.group_in();
  if (!IsServedS8(spec.sum, spec.src.type, spec.dst.type, window.channels_out, taps * depth)) {
    return nullptr;
  }
  // With few channels, filling up each tap to the kernel's step costs more than copying the window.
  const bool gathered = taps > 1 && 5 * depth < 4 * RoundUp(depth, kernel.order.step);
  const WeightShapeS8 shape{.groups = window.groups,
                            .columns = window.group_out(),
                            .taps = taps,
                            .depth = depth,
                            .group_stride = window.group_out() * depth * taps,
                            .column_stride = depth * taps,
                            .tap_stride = 1,
                            .depth_stride = taps,
                            .gathered = gathered};
  TileWeightsS8 weights = PackTilesS8(spec.sum, shape, kernel, "convolution", context);
  if (weights.buffer == nullptr) return nullptr;
  return std::make_unique<ConvolutionS8>(
      spec, window,
      std::string(gathered ? "neon/gathered_s8_" : "neon/indirect_s8_") + std::string(kernel.name),
      gathered,
      ProductS8(kernel, shape, std::move(weights),
                FinishS8(spec.sum, spec.src.type, spec.dst.type, window.channels_out),
                spec.dst.type),
      context.threads);
}

}  // namespace

PreparedPtr PrepareConvolutionS8(const ConvolutionSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, kTileS8);
}
PreparedPtr PrepareConvolutionS8Dot(const ConvolutionSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, kTileS8Dot);
}
PreparedPtr PrepareConvolutionS8I8mm(const ConvolutionSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, kTileS8I8mm);
}

}  // namespace fourfold::kernels::neon
