#include <memory>
#include <optional>

#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"

namespace fourfold::kernels::onednn {
namespace {

std::optional<dnnl::algorithm> Algorithm(BinarySpec::Operation operation) {
  switch (operation) {
    case BinarySpec::Operation::kAdd: return dnnl::algorithm::binary_add;
    case BinarySpec::Operation::kSub: return dnnl::algorithm::binary_sub;
    case BinarySpec::Operation::kMul: return dnnl::algorithm::binary_mul;
    case BinarySpec::Operation::kDiv: return dnnl::algorithm::binary_div;
    case BinarySpec::Operation::kMax: return dnnl::algorithm::binary_max;
    case BinarySpec::Operation::kMin: return dnnl::algorithm::binary_min;
    default: return std::nullopt;
  }
}

// Dimensions in the order of memory.
Dims InMemoryOrder(const TensorSpec& dst, const Dims& dims) {
  if (dst.layout == Layout::kRowMajor || dims.size() < 3) return dims;
  Dims ordered = {dims[0]};
  ordered.insert(ordered.end(), dims.begin() + 2, dims.end());
  ordered.push_back(dims[1]);
  return ordered;
}

struct Collapsed {
  Dims full;   // of dst
  Dims other;  // of the other operand: each the same or 1
};

// Merges neighbours in memory that are both broadcast or both not: a bias of an image in either
// layout, and any two equal shapes, become products of few dimensions.
Collapsed Collapse(const Dims& full, const Dims& other) {
  Collapsed result;
  bool last_broadcast = false;
  for (size_t i = 0; i < full.size(); ++i) {
    if (full[i] == 1) continue;
    const bool broadcast = other[i] != full[i];
    if (!result.full.empty() && broadcast == last_broadcast) {
      result.full.back() *= full[i];
      result.other.back() *= other[i];
    } else {
      result.full.push_back(full[i]);
      result.other.push_back(other[i]);
    }
    last_broadcast = broadcast;
  }
  if (result.full.empty()) result = {{1}, {1}};
  return result;
}

// The inputs swapped where b is the operand of dst's dims.
class SwappedKernel final : public PreparedKernel {
 public:
  explicit SwappedKernel(PreparedPtr kernel) : kernel_(std::move(kernel)) {}

  void Run(const RunArgs& args) const override {
    const void* const inputs[] = {args.inputs[1], args.inputs[0]};
    RunArgs swapped = args;
    swapped.inputs = inputs;
    kernel_->Run(swapped);
  }
  std::string_view implementation() const override { return kernel_->implementation(); }
  size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }

 private:
  const PreparedPtr kernel_;
};

PreparedPtr Prepare(const BinarySpec& spec, const PrepareContext& context) {
  for (const TensorSpec* tensor : {&spec.a, &spec.b, &spec.dst}) {
    if (tensor->type != ElementType::kFloat32) return nullptr;
    if (tensor->dims.size() != spec.dst.dims.size()) return nullptr;
  }
  if (ElementCount(spec.dst.dims) == 0) return nullptr;
  const std::optional<dnnl::algorithm> algorithm = Algorithm(spec.operation);
  if (!algorithm) return nullptr;

  const bool swap = spec.a.dims != spec.dst.dims;
  const bool commutes = spec.operation != BinarySpec::Operation::kSub &&
                        spec.operation != BinarySpec::Operation::kDiv;
  if (swap && (!commutes || spec.b.dims != spec.dst.dims)) return nullptr;
  const Collapsed dims = Collapse(InMemoryOrder(spec.dst, spec.dst.dims),
                                  InMemoryOrder(spec.dst, swap ? spec.a.dims : spec.b.dims));

  const dnnl::memory::desc full = Describe(dims.full, ElementType::kFloat32);
  const dnnl::memory::desc other = Describe(dims.other, ElementType::kFloat32);
  dnnl::primitive_attr attributes = NewAttributes();
  dnnl::post_ops post_ops;
  AppendActivation(spec.activation, post_ops);
  attributes.set_post_ops(post_ops);
  const ConcurrencyScope concurrency(context.threads);
  const dnnl::binary::primitive_desc primitive(Engine(), *algorithm, full, other, full, attributes,
                                               /*allow_empty=*/true);
  if (!primitive || IsReference(primitive.impl_info_str())) return nullptr;
  PreparedPtr kernel = std::make_unique<PlainKernel>(
      primitive, dnnl::binary(primitive),
      std::vector<Operand>{{DNNL_ARG_SRC_0, full}, {DNNL_ARG_SRC_1, other}, {DNNL_ARG_DST, full}});
  if (!swap) return kernel;
  return std::make_unique<SwappedKernel>(std::move(kernel));
}

}  // namespace

PreparedPtr PrepareBinary(const BinarySpec& spec, const PrepareContext& context) try {
  return Prepare(spec, context);
} catch (const dnnl::error&) {
  return nullptr;
}

}  // namespace fourfold::kernels::onednn
