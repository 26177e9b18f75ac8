#include "kernels/reference/quantized_matmul.h"

namespace fourfold::kernels::reference {
namespace {

constexpr int64_t kColumns = 64;  // whose sums are held at once

template <typename L, typename R>
PreparedPtr Make(const QuantizedMatMulSpec& spec) {
  return MakeKernel("reference/plain", [spec, finish = QuantizedFinish(spec)](const RunArgs& args) {
    const int64_t m = spec.m, n = spec.n, k = spec.k;
    const int64_t batches = std::max(spec.lhs_batch, spec.rhs_batch);
    ForRange(*args.parallel, batches * m, n * k, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t batch = row / m;
        const QuantParams of_lhs = finish.Lhs(args, batch), of_rhs = finish.Rhs(args, batch);
        const L* lhs = Input<L>(args, 0) + (spec.lhs_batch == 1 ? 0 : batch) * m * k +
                       row % m * (spec.transpose_lhs ? 1 : k);
        const R* rhs = Input<R>(args, 1) + (spec.rhs_batch == 1 ? 0 : batch) * k * n;
        for (int64_t column = 0; column < n; column += kColumns) {
          int32_t sums[kColumns] = {};
          const int64_t lanes = std::min(kColumns, n - column);
          for (int64_t j = 0; j < k; ++j) {
            const int32_t a = lhs[j * (spec.transpose_lhs ? m : 1)] - of_lhs.zero_point;
            const R* b = rhs + (spec.transpose_rhs ? column * k + j : j * n + column);
            const int64_t step = spec.transpose_rhs ? k : 1;
            for (int64_t i = 0; i < lanes; ++i) sums[i] += a * (b[i * step] - of_rhs.zero_point);
          }
          finish.Store(sums, lanes, of_lhs.scale, of_rhs.scale, args.outputs[0], row * n + column);
        }
      }
    });
  });
}

}  // namespace

PreparedPtr PrepareQuantizedMatMul(const QuantizedMatMulSpec& spec, const PrepareContext&) {
  if (!IsConsistent(spec)) return nullptr;
  const bool lhs_unsigned = spec.lhs_type == ElementType::kUint8;
  if (spec.rhs_type == ElementType::kUint8) {
    return lhs_unsigned ? Make<uint8_t, uint8_t>(spec) : Make<int8_t, uint8_t>(spec);
  }
  return lhs_unsigned ? Make<uint8_t, int8_t>(spec) : Make<int8_t, int8_t>(spec);
}

}  // namespace fourfold::kernels::reference
