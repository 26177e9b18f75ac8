#include <memory>

#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"

namespace fourfold::kernels::onednn {
namespace {

struct Function {
  dnnl::algorithm algorithm = dnnl::algorithm::undef;  // undef: not here
  float alpha = 0.0f;
  float beta = 0.0f;
};

Function FindActivation(const Activation& activation) {
  using dnnl::algorithm;
  switch (activation.kind) {
    case Activation::Kind::kNone: return {};
    case Activation::Kind::kRelu: return {algorithm::eltwise_relu};
    case Activation::Kind::kClip:
      return {algorithm::eltwise_clip, activation.alpha, activation.beta};
    case Activation::Kind::kLeakyRelu: return {algorithm::eltwise_relu, activation.alpha};
    case Activation::Kind::kSigmoid: return {algorithm::eltwise_logistic};
    case Activation::Kind::kTanh: return {algorithm::eltwise_tanh};
    case Activation::Kind::kHardSwish: return {algorithm::eltwise_hardswish, 1.0f / 6.0f, 0.5f};
    case Activation::Kind::kSwish: return {algorithm::eltwise_swish, 1.0f};
    case Activation::Kind::kElu: return {algorithm::eltwise_elu, activation.alpha};
  }
  return {};
}

// What oneDNN computes as the reference does; its exp stops at the largest finite number instead of
// infinity, its softplus loses what is below 1e-7 of 1, and both are left to the next row with what
// is no faster here.
Function FindFunction(const EltwiseSpec& spec) {
  using dnnl::algorithm;
  switch (spec.function) {
    case EltwiseSpec::Function::kActivation: return FindActivation(spec.activation);
    case EltwiseSpec::Function::kAbs: return {algorithm::eltwise_abs};
    case EltwiseSpec::Function::kGelu: return {algorithm::eltwise_gelu_erf};
    case EltwiseSpec::Function::kHardSigmoid:
      return {algorithm::eltwise_hardsigmoid, spec.activation.alpha, spec.activation.beta};
    case EltwiseSpec::Function::kMish: return {algorithm::eltwise_mish};
    case EltwiseSpec::Function::kRound: return {algorithm::eltwise_round};
    case EltwiseSpec::Function::kSqrt: return {algorithm::eltwise_sqrt};
    default: return {};
  }
}

PreparedPtr Prepare(const EltwiseSpec& spec, const PrepareContext& context) {
  if (spec.type != ElementType::kFloat32) return nullptr;
  const Function function = FindFunction(spec);
  if (function.algorithm == dnnl::algorithm::undef || spec.count <= 0) return nullptr;
  const dnnl::memory::desc data = Describe({spec.count}, ElementType::kFloat32);
  const ConcurrencyScope concurrency(context.threads);
  const dnnl::eltwise_forward::primitive_desc primitive(
      Engine(), dnnl::prop_kind::forward_inference, function.algorithm, data, data, function.alpha,
      function.beta, NewAttributes(), /*allow_empty=*/true);
  if (!primitive || IsReference(primitive.impl_info_str())) return nullptr;
  return std::make_unique<PlainKernel>(
      primitive, dnnl::eltwise_forward(primitive),
      std::vector<Operand>{{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, data}});
}

}  // namespace

PreparedPtr PrepareEltwise(const EltwiseSpec& spec, const PrepareContext& context) try {
  return Prepare(spec, context);
} catch (const dnnl::error&) {
  return nullptr;
}

}  // namespace fourfold::kernels::onednn
