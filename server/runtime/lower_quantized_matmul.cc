// Matrix products of two computed operands that are both stored as 8-bit integers.

#include "kernels/quantized_matmul.h"
#include "server/base/status_macros.h"
#include "server/runtime/lowering.h"

namespace fourfold::runtime {
namespace {

using graph::Node;
using graph::ValueId;
using kernels::Activation;
using kernels::ElementType;
using kernels::QuantizedMatMulSpec;

// Inputs by position.
constexpr size_t kLhsParameters = 4;
constexpr size_t kRhsParameters = 5;

int64_t BatchOf(const kernels::Dims& dims) {
  int64_t batch = 1;
  for (size_t i = 0; i + 2 < dims.size(); ++i) batch *= dims[i];
  return batch;
}

// m, n, k and batches; nothing where the operands' batches are broadcast against each other in
// part.
std::optional<QuantizedMatMulSpec> Sizes(const graph::MatMul& matmul, const graph::Shape& lhs,
                                         const graph::Shape& rhs) {
  if (lhs.size() < 2 || rhs.size() < 2) return std::nullopt;
  QuantizedMatMulSpec spec;
  spec.lhs_batch = BatchOf(lhs);
  spec.rhs_batch = BatchOf(rhs);
  const bool equal = lhs.size() == rhs.size() &&
                     std::equal(lhs.begin(), lhs.end() - 2, rhs.begin(), rhs.end() - 2);
  if (!equal && spec.lhs_batch != 1 && spec.rhs_batch != 1) return std::nullopt;
  spec.transpose_lhs = matmul.transpose_lhs;
  spec.transpose_rhs = matmul.transpose_rhs;
  spec.m = matmul.transpose_lhs ? lhs.back() : lhs[lhs.size() - 2];
  spec.k = matmul.transpose_lhs ? lhs[lhs.size() - 2] : lhs.back();
  spec.n = matmul.transpose_rhs ? rhs[rhs.size() - 2] : rhs.back();
  if (spec.k > kernels::kMaxExactOperandSum || spec.k < 1 || spec.m < 1 || spec.n < 1)
    return std::nullopt;
  return spec;
}

bool IsDynamic(const Node& node) {
  return node.input(kLhsParameters) != graph::kNoValue &&
         node.input(kRhsParameters) != graph::kNoValue;
}

// Fills in how the result is stored, if the kernel can store it so; else it is float32.
void SetResult(const Lowering& lowering, ValueId out, const Activation& activation,
               QuantizedMatMulSpec& spec) {
  spec.activation = activation;
  const bool fits =
      activation.kind == Activation::Kind::kNone || activation.kind == Activation::Kind::kRelu;
  if (spec.dynamic || !fits || !lowering.integer_activation(out)) return;
  spec.dst_type = lowering.value(out).type;
  spec.dst = lowering.value(out).quantization->params();
}

}  // namespace

bool IsQuantizedMatMul(const Lowering& lowering, const Node& node) {
  const auto* matmul = node.as<graph::MatMul>();
  if (matmul == nullptr || node.input(2) != graph::kNoValue || node.input(3) != graph::kNoValue)
    return false;
  if (!Sizes(*matmul, lowering.shape(node.inputs[0]), lowering.shape(node.inputs[1]))) return false;
  return IsDynamic(node) || (lowering.integer_activation(node.inputs[0]) &&
                             lowering.integer_activation(node.inputs[1]));
}

absl::Status LowerQuantizedMatMul(Lowering& lowering, const Node& node) {
  const auto& matmul = *node.as<graph::MatMul>();
  QuantizedMatMulSpec spec =
      *Sizes(matmul, lowering.shape(node.inputs[0]), lowering.shape(node.inputs[1]));
  ASSIGN_OR_RETURN(const View lhs, lowering.Stored(node.inputs[0], LayoutWish::kRowMajor));
  ASSIGN_OR_RETURN(const View rhs, lowering.Stored(node.inputs[1], LayoutWish::kRowMajor));
  std::vector<View> inputs = {lhs, rhs};
  spec.lhs_type = lhs.spec.type;
  spec.rhs_type = rhs.spec.type;
  spec.dynamic = IsDynamic(node);
  if (spec.dynamic) {
    for (size_t i : {kLhsParameters, kRhsParameters}) {
      ASSIGN_OR_RETURN(const View parameters, lowering.Stored(node.inputs[i], LayoutWish::kAny));
      (i == kLhsParameters ? spec.lhs_samples : spec.rhs_samples) = parameters.spec.dims[0];
      inputs.push_back(parameters);
    }
  } else {
    spec.lhs = lowering.value(node.inputs[0]).quantization->params();
    spec.rhs = lowering.value(node.inputs[1]).quantization->params();
  }
  const ValueId out = node.outputs[0];
  SetResult(lowering, out, matmul.activation, spec);
  const View dst = lowering.NewView(spec.dst_type, lowering.shape(out));
  StepInfo info = lowering.Info("MatMul", dst);
  info.arithmetic = spec.dynamic ? "dynamic int8" : "int8";
  info.macs = std::max(spec.lhs_batch, spec.rhs_batch) * spec.m * spec.n * spec.k;
  RETURN_IF_ERROR(lowering.Add(kernels::QuantizedMatMulKernels(), spec, std::move(inputs), {dst},
                               std::move(info)));
  return spec.dst_type == ElementType::kFloat32 ? lowering.DefineReal(out, dst)
                                                : lowering.DefineStored(out, dst);
}

}  // namespace fourfold::runtime
