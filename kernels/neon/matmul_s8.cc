#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "kernels/neon/neon.h"
#include "kernels/neon/parts.h"
#include "kernels/neon/product_s8.h"

namespace fourfold::kernels::neon {
namespace {

class MatMulS8 final : public PreparedKernel {
 public:
  MatMulS8(const MatMulSpec& spec, const TileKernelS8& kernel, ProductS8 product, int threads)
      : product_(std::move(product)),
        name_("neon/gemm_s8_" + std::string(kernel.name)),
        threads_(threads),
        rows_(spec.lhs_batch * spec.m),
        columns_(spec.n),
        depth_(spec.k),
        dst_size_(ElementSize(spec.dst_type)),
        dynamic_(spec.sum.arithmetic == Arithmetic::kDynamicInt8),
        residual_(spec.sum.residual),
        src_zero_point_(spec.sum.src_zero_point),
        rows_per_sample_(dynamic_ ? rows_ / spec.samples : rows_),
        chunks_((rows_ + kChunkRowsS8 - 1) / kChunkRowsS8),
        // Few rows: each thread takes some of the columns.
        splits_(std::min(product_.blocks(), (threads + chunks_ - 1) / chunks_)) {}

  std::string_view implementation() const override { return name_; }
  size_t packed_bytes() const override { return product_.packed_bytes(); }

  void Run(const RunArgs& args) const override {
    const int64_t work = std::min(rows_, kChunkRowsS8) * columns_ * depth_ / splits_;
    ForParts(*args.parallel, threads_, chunks_ * splits_, work,
             [&](int64_t, int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 RunChunk(args, unit / splits_ * kChunkRowsS8, unit % splits_);
               }
             });
  }

 private:
  void RunChunk(const RunArgs& args, int64_t first, int64_t split) const {
    ChunkS8 chunk;
    chunk.rows = std::min(kChunkRowsS8, rows_ - first);
    const uint8_t* pointers[kChunkRowsS8];
    const auto* const lhs = static_cast<const uint8_t*>(args.inputs[0]);
    for (int64_t i = 0; i < chunk.rows; ++i) {
      const int64_t row = first + i;
      pointers[i] = lhs + row * depth_;
      chunk.params[i] =
          dynamic_ ? static_cast<const QuantParams*>(args.inputs[1])[row / rows_per_sample_]
                   : QuantParams{1.0f, src_zero_point_};
    }
    chunk.pointers = pointers;
    if (residual_) {
      chunk.residual = static_cast<const float*>(args.inputs[dynamic_ ? 2 : 1]) + first * columns_;
    }
    chunk.dst = static_cast<std::byte*>(args.outputs[0]) +
                static_cast<size_t>(first * columns_) * dst_size_;
    chunk.stride = columns_;
    const int64_t blocks = product_.blocks();
    product_.Run(chunk, 0, blocks * split / splits_, blocks * (split + 1) / splits_);
  }

  const ProductS8 product_;
  const std::string name_;
  const int threads_;
  const int64_t rows_;
  const int64_t columns_;
  const int64_t depth_;
  const size_t dst_size_;
  const bool dynamic_;
  const bool residual_;
  const int32_t src_zero_point_;
  const int64_t rows_per_sample_;
  const int64_t chunks_;
  const int64_t splits_;  // of the columns
};

PreparedPtr Prepare(const MatMulSpec& spec, const PrepareContext& context,
                    const TileKernelS8& kernel) {
  if (spec.lhs_batch < 1 || spec.m < 1 || spec.n < 1 || spec.k < 1 || spec.rhs_batch != 1 ||
      spec.transpose_lhs || !IsServedS8(spec.sum, spec.src_type, spec.dst_type, spec.n, spec.k)) {
    return nullptr;
  }
  if (spec.sum.arithmetic == Arithmetic::kDynamicInt8 &&
      (spec.samples < 1 || spec.lhs_batch * spec.m % spec.samples != 0)) {
    return nullptr;
  }
  const WeightShapeS8 shape{.columns = spec.n,
                            .depth = spec.k,
                            .column_stride = spec.transpose_rhs ? spec.k : 1,
                            .depth_stride = spec.transpose_rhs ? 1 : spec.n};
  TileWeightsS8 weights =
      PackTilesS8(spec.sum, shape, kernel, spec.transpose_rhs ? "matmul_t" : "matmul", context);
  if (weights.buffer == nullptr) return nullptr;
  return std::make_unique<MatMulS8>(
      spec, kernel,
      ProductS8(kernel, shape, std::move(weights),
                FinishS8(spec.sum, spec.src_type, spec.dst_type, spec.n), spec.dst_type),
      context.threads);
}

}  // namespace

PreparedPtr PrepareMatMulS8(const MatMulSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, kTileS8);
}
PreparedPtr PrepareMatMulS8Dot(const MatMulSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, kTileS8Dot);
}
PreparedPtr PrepareMatMulS8I8mm(const MatMulSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, kTileS8I8mm);
}

}  // namespace fourfold::kernels::neon
