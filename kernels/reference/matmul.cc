#include "kernels/reference/accumulate.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// sum[i] = sum over k of (lhs[k * step] - zero) * rhs[k * n + i], for `lanes` columns.
template <typename S, typename W, typename Sum>
FOURFOLD_INLINE void SumLoop(const S* lhs, int64_t step, S zero, const W* rhs, int64_t k, int64_t n,
                             int64_t lanes, Sum* sum) {
  std::fill_n(sum, kSumLanes, Sum{0});
  for (int64_t j = 0; j < k; ++j, rhs += n) {
    const auto value = static_cast<Sum>(static_cast<W>(lhs[j * step] - zero));
    if (lanes == kSumLanes) {
      for (int64_t i = 0; i < kSumLanes; ++i) sum[i] += value * static_cast<Sum>(rhs[i]);
    } else {
      for (int64_t i = 0; i < lanes; ++i) sum[i] += value * static_cast<Sum>(rhs[i]);
    }
  }
}

#define FOURFOLD_SUM(S, W, SUM)                                                           \
  FOURFOLD_CLONES void SumColumns(const S* lhs, int64_t step, int32_t zero, const W* rhs, \
                                  int64_t k, int64_t n, int64_t lanes, SUM* sum) {        \
    SumLoop<S, W, SUM>(lhs, step, static_cast<S>(zero), rhs, k, n, lanes, sum);           \
  }
FOURFOLD_SUM(float, float, float)
FOURFOLD_SUM(uint8_t, int16_t, int32_t)
FOURFOLD_SUM(int8_t, int16_t, int32_t)
#undef FOURFOLD_SUM

template <typename S, typename W, typename Sum>
class MatMul final : public PreparedKernel {
 public:
  MatMul(const MatMulSpec& spec, Packed packed)
      : spec_(spec),
        batch_(std::max(spec.lhs_batch, spec.rhs_batch)),
        constant_(spec.sum.weights != nullptr),
        finish_(spec.sum, spec.dst_type, spec.n),
        packed_(std::move(packed)) {}

  std::string_view implementation() const override { return "reference/direct"; }
  size_t packed_bytes() const override { return packed_.bytes; }

  // Where rhs arrives as n x k, its transposed copy.
  size_t scratch_bytes() const override {
    if (constant_ || !spec_.transpose_rhs) return 0;
    return static_cast<size_t>(spec_.rhs_batch * spec_.k * spec_.n) * sizeof(float);
  }

  void Run(const RunArgs& args) const override {
    const W* rhs = Rhs(args);
    const int64_t blocks = (spec_.n + kSumLanes - 1) / kSumLanes;
    ForRange(*args.parallel, batch_ * spec_.m * blocks, spec_.k * std::min(spec_.n, kSumLanes) / 4,
             [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 RunBlock(args, rhs, unit / blocks, unit % blocks * kSumLanes);
               }
             });
  }

 private:
  // k x n for each batch.
  const W* Rhs(const RunArgs& args) const {
    if (constant_) return packed_.as<W>();
    const W* rhs = Input<W>(args, 1);
    if (!spec_.transpose_rhs) return rhs;
    W* transposed = static_cast<W*>(args.scratch);
    const int64_t k = spec_.k, n = spec_.n;
    ForRange(*args.parallel, spec_.rhs_batch * k, n, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const W* from = rhs + row / k * k * n + row % k;
        for (int64_t i = 0; i < n; ++i) transposed[row * n + i] = from[i * k];
      }
    });
    return transposed;
  }

  // Columns [column, column + kSumLanes) of one row of one batch; `row` counts through all batches.
  void RunBlock(const RunArgs& args, const W* rhs, int64_t row, int64_t column) const {
    const int64_t m = spec_.m, n = spec_.n, k = spec_.k;
    const int64_t batch = row / m;
    const bool dynamic = finish_.arithmetic == Arithmetic::kDynamicInt8;
    QuantParams params{1.0f,
                       finish_.arithmetic == Arithmetic::kFloat ? 0 : spec_.sum.src_zero_point};
    if (dynamic) params = Input<QuantParams>(args, 1)[row / (batch_ * m / spec_.samples)];
    const S* lhs = Input<S>(args, 0) + (spec_.lhs_batch == 1 ? 0 : batch) * m * k;
    lhs += row % m * (spec_.transpose_lhs ? 1 : k);
    rhs += (constant_ || spec_.rhs_batch == 1 ? 0 : batch) * k * n + column;
    const int64_t lanes = std::min(kSumLanes, n - column);
    alignas(64) Sum sum[kSumLanes];
    SumColumns(lhs, spec_.transpose_lhs ? m : 1, params.zero_point, rhs, k, n, lanes, sum);
    const size_t before = 1 + (constant_ ? 0 : 1) + (dynamic ? 1 : 0);
    const float* residual = finish_.residual ? Input<float>(args, before) : nullptr;
    finish_.Store(sum, column, lanes, params.scale, residual, args.outputs[0], row * n + column, 1);
  }

  // Its borrowed weights, bias and multiplier are not looked at after construction.
  const MatMulSpec spec_;
  const int64_t batch_;
  const bool constant_;
  const Finish finish_;
  const Packed packed_;
};

bool IsConsistent(const MatMulSpec& spec) {
  const bool constant = spec.sum.weights != nullptr;
  if (!constant && spec.sum.arithmetic != Arithmetic::kFloat) return false;
  if (spec.lhs_batch != spec.rhs_batch && spec.lhs_batch != 1 && spec.rhs_batch != 1) return false;
  if (constant && spec.rhs_batch != 1) return false;
  const int64_t rows = std::max(spec.lhs_batch, spec.rhs_batch) * spec.m;
  return spec.sum.arithmetic != Arithmetic::kDynamicInt8 ||
         (spec.samples >= 1 && rows % spec.samples == 0);
}

}  // namespace

PreparedPtr PrepareMatMul(const MatMulSpec& spec, const PrepareContext& context) {
  if (!IsConsistent(spec) || !IsServed(spec.sum, spec.src_type, spec.dst_type, spec.n, spec.k)) {
    return nullptr;
  }
  Packed packed;
  if (spec.sum.weights != nullptr) {
    const bool transpose = spec.transpose_rhs;
    const auto place = [&spec, transpose](int64_t i) {
      return transpose ? i % spec.k * spec.n + i / spec.k : i;
    };
    packed = PackWeights(spec.sum, spec.k * spec.n, spec.n, transpose ? "matmul_t" : "matmul",
                         context, place);
  }
  switch (spec.src_type) {
    case ElementType::kFloat32:
      return std::make_unique<MatMul<float, float, float>>(spec, std::move(packed));
    case ElementType::kUint8:
      return std::make_unique<MatMul<uint8_t, int16_t, int32_t>>(spec, std::move(packed));
    case ElementType::kInt8:
      return std::make_unique<MatMul<int8_t, int16_t, int32_t>>(spec, std::move(packed));
    default: return nullptr;
  }
}

}  // namespace fourfold::kernels::reference
