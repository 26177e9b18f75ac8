// Kernels of quantization whose parameters are data: QuantizeLinear and DequantizeLinear with
// computed scales, and DynamicQuantizeLinear of a whole tensor.
#include <cstring>

#include "kernels/quantize.h"
#include "server/base/status_macros.h"
#include "server/graph/plain_kernels.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using kernels::PrepareContext;
using kernels::PrepareFirst;

// Per tensor, or per slice along the axis where there are several scales.
absl::StatusOr<kernels::QuantizeSpec> SpecOf(const PlainCall& call, int64_t axis) {
  kernels::QuantizeSpec spec;
  spec.src_type = call.in(0).type;
  spec.dst_type = call.out().type;
  spec.computed = true;
  const kernels::Dims& dims = call.in(0).dims;
  const int64_t scales = kernels::ElementCount(call.in(1).dims);
  if (scales == 1) {
    spec.inner = kernels::ElementCount(dims);
    return spec;
  }
  const std::optional<size_t> dim = NormalizeAxis(axis, dims.size());
  if (!dim || dims[*dim] != scales) {
    return call.Error("got ", scales, " scales for ", ShapeText(dims), ", wanted one per slice");
  }
  spec.channels = scales;
  for (size_t i = 0; i < *dim; ++i) spec.outer *= dims[i];
  for (size_t i = *dim + 1; i < dims.size(); ++i) spec.inner *= dims[i];
  return spec;
}

// As many zero points as scales, of the integers' type.
absl::Status CheckZeroPoints(const PlainCall& call, kernels::ElementType type) {
  if (!call.has(2)) return absl::OkStatus();
  const kernels::TensorSpec& zero_point = call.in(2);
  if (zero_point.type == type &&
      kernels::ElementCount(zero_point.dims) == kernels::ElementCount(call.in(1).dims)) {
    return absl::OkStatus();
  }
  return call.Error("got zero points ", ShapeText(zero_point.dims), " of ",
                    TypeText(zero_point.type), " and scales ", ShapeText(call.in(1).dims),
                    ", wanted as many, of ", TypeText(type));
}

// The kernel for samples, on one: its parameters go into two outputs.
class WholeTensor final : public kernels::PreparedKernel {
 public:
  explicit WholeTensor(kernels::PreparedPtr kernel) : kernel_(std::move(kernel)) {}

  void Run(const kernels::RunArgs& args) const override {
    kernels::QuantParams params;
    void* const outputs[] = {args.outputs[0], &params};
    kernels::RunArgs inner = args;
    inner.outputs = outputs;
    kernel_->Run(inner);
    const auto zero_point = static_cast<uint8_t>(params.zero_point);
    if (args.outputs[1] != nullptr) std::memcpy(args.outputs[1], &params.scale, sizeof(float));
    if (args.outputs[2] != nullptr) std::memcpy(args.outputs[2], &zero_point, 1);
  }
  std::string_view implementation() const override { return kernel_->implementation(); }
  size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }

 private:
  const kernels::PreparedPtr kernel_;
};

}  // namespace

PlainKernel PlainOf(const PlainCall& call, const Quantize& quantize,
                    const PrepareContext& context) {
  if (!call.has(1) || call.in(1).type != kernels::ElementType::kFloat32) return nullptr;
  RETURN_IF_ERROR(CheckZeroPoints(call, call.out().type));
  ASSIGN_OR_RETURN(const kernels::QuantizeSpec spec, SpecOf(call, quantize.axis));
  return PrepareFirst(kernels::QuantizeKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Dequantize& dequantize,
                    const PrepareContext& context) {
  if (!call.has(1) || call.in(1).type != kernels::ElementType::kFloat32) return nullptr;
  RETURN_IF_ERROR(CheckZeroPoints(call, call.in(0).type));
  ASSIGN_OR_RETURN(const kernels::QuantizeSpec spec, SpecOf(call, dequantize.axis));
  return PrepareFirst(kernels::DequantizeKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const DynamicQuantize& quantize,
                    const PrepareContext& context) {
  if (quantize.per_sample || call.in(0).type != kernels::ElementType::kFloat32) return nullptr;
  const kernels::DynamicQuantizeSpec spec{.samples = 1,
                                          .elements = kernels::ElementCount(call.in(0).dims)};
  kernels::PreparedPtr kernel = PrepareFirst(kernels::DynamicQuantizeKernels(), spec, context);
  if (kernel == nullptr) return nullptr;
  return std::make_unique<WholeTensor>(std::move(kernel));
}

}  // namespace fourfold::graph
