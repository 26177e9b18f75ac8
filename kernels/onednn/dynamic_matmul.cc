#include "kernels/onednn/dynamic_matmul.h"

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/arithmetic.h"

namespace fourfold::kernels::onednn {
namespace {

// Sums of the weights of each column, for the source's zero point.
std::vector<int32_t> ColumnSums(const MatMulSpec& spec) {
  const auto* weights = static_cast<const int8_t*>(spec.sum.weights);
  std::vector<int32_t> sums(spec.n, 0);
  for (int64_t k = 0; k < spec.k; ++k) {
    for (int64_t n = 0; n < spec.n; ++n) {
      sums[n] += weights[spec.transpose_rhs ? n * spec.k + k : k * spec.n + n];
    }
  }
  return sums;
}

class DynamicMatMul final : public PreparedKernel {
 public:
  DynamicMatMul(const MatMulSpec& spec, std::unique_ptr<const CompiledPrimitive> product,
                PackedConstant weights)
      : weights_(std::move(weights)),
        product_(std::move(product)),
        column_sums_(ColumnSums(spec)),
        multiplier_(spec.sum.multiplier),
        bias_(spec.sum.bias),
        activation_(spec.sum.activation),
        residual_(spec.sum.residual),
        rows_(spec.lhs_batch * spec.m),
        columns_(spec.n),
        rows_per_sample_(rows_ / spec.samples),
        sums_bytes_((static_cast<size_t>(rows_ * columns_) * sizeof(int32_t) + 63) / 64 * 64) {}

  void Run(const RunArgs& args) const override {
    auto* const sums = static_cast<int32_t*>(args.scratch);
    const std::array<const void*, 2> pointers = {args.inputs[0], sums};
    product_->Execute(pointers, static_cast<std::byte*>(args.scratch) + sums_bytes_,
                      *args.parallel);

    const auto* params = static_cast<const QuantParams*>(args.inputs[1]);
    const auto* residual = residual_ ? static_cast<const float*>(args.inputs[2]) : nullptr;
    auto* dst = static_cast<float*>(args.outputs[0]);
    const int64_t rows_per_share = std::max<int64_t>(1, kElementsPerShare / columns_);
    const auto shares = static_cast<int>((rows_ + rows_per_share - 1) / rows_per_share);
    args.parallel->For(shares, [&](int share) {
      const int64_t end = std::min(rows_, (share + 1) * rows_per_share);
      for (int64_t row = share * rows_per_share; row < end; ++row) {
        FinishRow(sums + row * columns_, params[row / rows_per_sample_],
                  residual == nullptr ? nullptr : residual + row * columns_, dst + row * columns_);
      }
    });
  }

  std::string_view implementation() const override { return product_->implementation(); }
  size_t scratch_bytes() const override { return sums_bytes_ + product_->scratch_bytes(); }
  size_t packed_bytes() const override {
    return weights_.bytes + column_sums_.size() * sizeof(int32_t);
  }

 private:
  static constexpr int64_t kElementsPerShare = 8192;

  // `residual` may be dst.
  void FinishRow(const int32_t* sums, QuantParams params, const float* residual, float* dst) const {
    // Wraps around as the int32 sum of oneDNN does; the difference fits.
    const auto zero_point = static_cast<uint32_t>(params.zero_point);
    for (int64_t n = 0; n < columns_; ++n) {
      const auto sum = static_cast<int32_t>(static_cast<uint32_t>(sums[n]) -
                                            zero_point * static_cast<uint32_t>(column_sums_[n]));
      float value = static_cast<float>(sum) * (params.scale * multiplier_[n]);
      if (!bias_.empty()) value += bias_[n];
      if (residual != nullptr) value += residual[n];
      dst[n] = value;
    }
    switch (activation_.kind) {
      case Activation::Kind::kNone: break;
      case Activation::Kind::kRelu:
        for (int64_t n = 0; n < columns_; ++n) dst[n] = dst[n] > 0.0f ? dst[n] : 0.0f;
        break;
      default:
        for (int64_t n = 0; n < columns_; ++n) dst[n] = Activate(activation_, dst[n]);
    }
  }

  const PackedConstant weights_;
  const std::unique_ptr<const CompiledPrimitive> product_;  // reads weights_
  const std::vector<int32_t> column_sums_;
  const std::span<const float> multiplier_;
  const std::span<const float> bias_;
  const Activation activation_;
  const bool residual_;
  const int64_t rows_;
  const int64_t columns_;
  const int64_t rows_per_sample_;
  const size_t sums_bytes_;  // before the product's scratchpad
};

}  // namespace

PreparedPtr MakeDynamicMatMul(const MatMulSpec& spec,
                              std::unique_ptr<const CompiledPrimitive> product,
                              PackedConstant weights) {
  if (spec.samples < 1 || spec.lhs_batch * spec.m % spec.samples != 0) return nullptr;
  return std::make_unique<DynamicMatMul>(spec, std::move(product), std::move(weights));
}

}  // namespace fourfold::kernels::onednn
