#include <algorithm>
#include <memory>

#include "kernels/onednn/accumulate_kernel.h"
#include "kernels/onednn/dynamic_matmul.h"
#include "kernels/onednn/onednn.h"

namespace fourfold::kernels::onednn {
namespace {

using Desc = dnnl::memory::desc;

// A stack of matrices, or one where `batch` is 0; `transposed` ones are stored column by column.
Desc Matrices(int64_t batch, int64_t rows, int64_t columns, ElementType type, bool transposed) {
  const Dims inner = transposed ? Dims{1, rows} : Dims{columns, 1};
  if (batch == 0) return {{rows, columns}, *DataType(type), inner};
  return {{batch, rows, columns}, *DataType(type), {rows * columns, inner[0], inner[1]}};
}

bool WeightsCannotSaturate(const MatMulSpec& spec) {
  const auto* weights = static_cast<const int8_t*>(spec.sum.weights);
  for (int64_t n = 0; n < spec.n; ++n) {
    const int8_t* column = weights + (spec.transpose_rhs ? n * spec.k : n);
    if (!PairSumsFit(column, spec.k, spec.transpose_rhs ? 1 : spec.n, spec.k % 4 == 0))
      return false;
  }
  return true;
}

PreparedPtr Prepare(const MatMulSpec& spec, const PrepareContext& context) {
  const Accumulation& sum = spec.sum;
  if (spec.m <= 0 || spec.n <= 0 || spec.k <= 0 || spec.lhs_batch <= 0 || spec.rhs_batch <= 0) {
    return nullptr;
  }
  if (!Acceptable(sum, spec.src_type, spec.dst_type, spec.n, spec.k)) return nullptr;
  const bool is_float = sum.arithmetic == Arithmetic::kFloat;
  const bool constant = sum.weights != nullptr;
  if (!is_float) {
    if (!constant) return nullptr;
    const bool u8 = spec.src_type == ElementType::kUint8;
    if (!CpuIsExact(context.features) && (!u8 || !WeightsCannotSaturate(spec))) return nullptr;
  }

  // All rows in one product where the layout allows it.
  const bool merge =
      (constant || spec.rhs_batch == 1) && (!spec.transpose_lhs || spec.lhs_batch == 1);
  const int64_t rhs_batch = constant ? 1 : spec.rhs_batch;
  const int64_t batch = merge ? 0 : std::max(spec.lhs_batch, rhs_batch);
  const int64_t rows = merge ? spec.lhs_batch * spec.m : spec.m;
  const bool dynamic = sum.arithmetic == Arithmetic::kDynamicInt8;
  const ElementType weights_type = is_float ? ElementType::kFloat32 : ElementType::kInt8;
  const ElementType dst_type = dynamic ? ElementType::kInt32 : spec.dst_type;

  const Desc src =
      Matrices(merge ? 0 : spec.lhs_batch, rows, spec.k, spec.src_type, spec.transpose_lhs);
  const Desc plain =
      Matrices(merge ? 0 : rhs_batch, spec.k, spec.n, weights_type, spec.transpose_rhs);
  const Desc weights =
      constant ? Desc(plain.get_dims(), plain.get_data_type(), dnnl::memory::format_tag::any)
               : plain;
  const Desc dst = Matrices(batch, rows, spec.n, dst_type, false);
  const int column_dim = merge ? 1 : 2;

  AccumulateKernel::Parts parts;
  parts.zero_points =
      std::make_unique<ZeroPoints>(ZeroPoints{sum.src_zero_point, sum.dst_zero_point});
  parts.src_bytes = src.get_size();
  parts.dst_bytes = dst.get_size();
  Epilogue epilogue;
  if (dynamic) {
    epilogue.attributes = NewAttributes();  // DynamicMatMul finishes the sums
  } else {
    epilogue =
        MakeEpilogue({.sum = sum, .dst_type = spec.dst_type, .dst = dst, .channel_dim = column_dim},
                     &parts.zero_points->src, &parts.zero_points->dst);
  }
  parts.residual = epilogue.residual;
  const bool fused_bias = !dynamic && !sum.bias.empty();
  const Desc bias = fused_bias ? DescribeChannels(spec.n, column_dim + 1, column_dim) : Desc();

  const ConcurrencyScope concurrency(context.threads);
  const dnnl::matmul::primitive_desc primitive(Engine(), src, weights, bias, dst,
                                               epilogue.attributes, /*allow_empty=*/true);
  if (!primitive || IsReference(primitive.impl_info_str())) return nullptr;

  const Desc packed = primitive.weights_desc();
  if (constant) {
    parts.weights = Pack({.source = sum.weights,
                          .source_type = sum.weights_type,
                          .from = plain,
                          .to = packed,
                          .id = sum.weights_id,
                          .variation = is_float                              ? "f"
                                       : spec.src_type == ElementType::kInt8 ? "s8"
                                       : !dynamic && sum.src_zero_point != 0 ? "u8z"
                                                                             : "u8"},
                         context.packed);
  }
  std::vector<Operand> operands = {{DNNL_ARG_SRC, src, nullptr},
                                   {DNNL_ARG_WEIGHTS, packed, parts.weights.data.get()},
                                   {DNNL_ARG_DST, dst, nullptr}};
  if (fused_bias) operands.push_back({DNNL_ARG_BIAS, bias, sum.bias.data()});
  operands.insert(operands.end(), epilogue.operands.begin(), epilogue.operands.end());
  parts.primitive =
      std::make_unique<CompiledPrimitive>(primitive, dnnl::matmul(primitive), std::move(operands));
  if (dynamic) {
    return MakeDynamicMatMul(spec, std::move(parts.primitive), std::move(parts.weights));
  }
  return std::make_unique<AccumulateKernel>(std::move(parts));
}

}  // namespace

PreparedPtr PrepareMatMul(const MatMulSpec& spec, const PrepareContext& context) try {
  return Prepare(spec, context);
} catch (const dnnl::error&) {
  return nullptr;
}

}  // namespace fourfold::kernels::onednn
