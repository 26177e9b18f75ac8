// What is made of a few numbers, sums of products, losses and signals.
#include <cstring>

#include "kernels/determinant.h"
#include "kernels/einsum.h"
#include "kernels/generate.h"
#include "kernels/likelihood.h"
#include "kernels/signal.h"
#include "server/base/status_macros.h"
#include "server/graph/einsum.h"
#include "server/graph/plain_kernels.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

using kernels::PrepareContext;
using kernels::PrepareFirst;

PlainKernel PlainOf(const PlainCall& call, const Det&, const PrepareContext& context) {
  kernels::DeterminantSpec spec;
  spec.type = call.in(0).type;
  spec.batch = ElementCount(call.out().dims);
  spec.n = call.in(0).dims.back();
  return PrepareFirst(kernels::DeterminantKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Einsum& einsum, const PrepareContext& context) {
  kernels::EinsumSpec spec;
  spec.type = call.in(0).type;
  std::vector<size_t> ranks;
  for (const auto& input : call.inputs) {
    spec.operands.push_back(input->dims);
    ranks.push_back(input->dims.size());
  }
  ASSIGN_OR_RETURN(EinsumLabels labels, ParseEinsum(einsum.equation, ranks));
  spec.labels = std::move(labels.operands);
  spec.dst = std::move(labels.result);
  return PrepareFirst(kernels::EinsumKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const NegativeLogLikelihood& loss,
                    const PrepareContext& context) {
  using To = kernels::LikelihoodSpec::Reduction;
  kernels::LikelihoodSpec spec;
  spec.type = call.in(0).type;
  spec.target_type = call.in(1).type;
  const kernels::Dims& dims = call.in(0).dims;
  spec.samples = dims[0];
  spec.classes = dims[1];
  for (size_t d = 2; d < dims.size(); ++d) spec.inner *= dims[d];
  switch (loss.reduction) {
    case NegativeLogLikelihood::Reduction::kNone: spec.reduction = To::kNone; break;
    case NegativeLogLikelihood::Reduction::kMean: spec.reduction = To::kMean; break;
    case NegativeLogLikelihood::Reduction::kSum: spec.reduction = To::kSum; break;
  }
  spec.ignore_index = loss.ignore_index;
  return PrepareFirst(kernels::LikelihoodKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const ConstantOfShape& fill,
                    const PrepareContext& context) {
  kernels::FillSpec spec;
  spec.element_bytes = ElementSize(call.out().type);
  spec.count = ElementCount(call.out().dims);
  if (fill.value != nullptr) std::memcpy(spec.value.data(), fill.value->data(), spec.element_bytes);
  return PrepareFirst(kernels::FillKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Range&, const PrepareContext& context) {
  const kernels::RangeSpec spec{call.out().type, ElementCount(call.out().dims)};
  return PrepareFirst(kernels::RangeKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const EyeLike& eye, const PrepareContext& context) {
  const kernels::EyeSpec spec{eye.to, call.out().dims[0], call.out().dims[1], eye.k};
  return PrepareFirst(kernels::EyeKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const WindowFunction& window,
                    const PrepareContext& context) {
  using To = kernels::WindowSpec::Kind;
  kernels::WindowSpec spec;
  switch (window.kind) {
    case WindowFunction::Kind::kHann: spec.kind = To::kHann; break;
    case WindowFunction::Kind::kHamming: spec.kind = To::kHamming; break;
    case WindowFunction::Kind::kBlackman: spec.kind = To::kBlackman; break;
  }
  spec.type = window.to;
  spec.count = ElementCount(call.out().dims);
  spec.periodic = window.periodic;
  return PrepareFirst(kernels::WindowKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const MelWeights& mel, const PrepareContext& context) {
  kernels::MelWeightsSpec spec;
  for (const auto& input : call.inputs) spec.types.push_back(input->type);
  spec.type = mel.to;
  spec.bins = call.out().dims[0];
  spec.bands = call.out().dims[1];
  return PrepareFirst(kernels::MelWeightsKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Dft& dft, const PrepareContext& context) {
  int64_t axis = dft.axis;
  if (call.has(2)) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> given, call.Integers(2, "an axis"));
    axis = given.at(0);
  }
  const kernels::Dims& dims = call.in(0).dims;
  const std::optional<size_t> dim = NormalizeAxis(axis, dims.size());
  if (!dim || *dim + 1 == dims.size()) return call.Error("got axis ", axis);
  kernels::FourierSpec spec;
  spec.type = call.in(0).type;
  for (size_t d = 0; d + 1 < dims.size(); ++d) {
    (d < *dim ? spec.outer : d == *dim ? spec.axis : spec.inner) *= dims[d];
  }
  spec.complex = dims.back() == 2;
  spec.inverse = dft.inverse;
  spec.half = dft.inverse && dft.onesided;
  spec.bins = call.out().dims[*dim];
  spec.length = spec.half ? spec.bins : spec.axis;
  if (call.has(1)) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> given, call.Integers(1, "a length"));
    spec.length = given.at(0);
  }
  return PrepareFirst(kernels::FourierKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Stft&, const PrepareContext& context) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> step, call.Integers(1, "a frame step"));
  kernels::FramesSpec spec;
  spec.type = call.in(0).type;
  const kernels::Dims& dims = call.in(0).dims;
  spec.batch = dims[0];
  spec.samples = dims[1];
  spec.complex = dims[2] == 2;
  spec.step = step.at(0);
  spec.frames = call.out().dims[1];
  spec.bins = call.out().dims[2];
  if (call.has(3)) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> length, call.Integers(3, "a frame length"));
    spec.length = length.at(0);
  } else {
    spec.length = call.in(2).dims[0];
  }
  return PrepareFirst(kernels::FramesKernels(), spec, context);
}

}  // namespace fourfold::graph
