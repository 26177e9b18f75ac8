#include <memory>

#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"

namespace fourfold::kernels::onednn {
namespace {

PreparedPtr Prepare(const SoftmaxSpec& spec, const PrepareContext& context) {
  if (spec.outer <= 0 || spec.axis <= 0 || spec.inner <= 0) return nullptr;
  const dnnl::memory::desc data =
      spec.inner == 1 ? Describe({spec.outer, spec.axis}, ElementType::kFloat32)
                      : Describe({spec.outer, spec.axis, spec.inner}, ElementType::kFloat32);
  const ConcurrencyScope concurrency(context.threads);
  const dnnl::softmax_forward::primitive_desc primitive(
      Engine(), dnnl::prop_kind::forward_inference,
      spec.logarithm ? dnnl::algorithm::softmax_log : dnnl::algorithm::softmax_accurate, data, data,
      /*axis=*/1, NewAttributes(), /*allow_empty=*/true);
  if (!primitive || IsReference(primitive.impl_info_str())) return nullptr;
  return std::make_unique<PlainKernel>(
      primitive, dnnl::softmax_forward(primitive),
      std::vector<Operand>{{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, data}});
}

}  // namespace

PreparedPtr PrepareSoftmax(const SoftmaxSpec& spec, const PrepareContext& context) try {
  return Prepare(spec, context);
} catch (const dnnl::error&) {
  return nullptr;
}

}  // namespace fourfold::kernels::onednn
