// Kernels of exact products of integers.

#include "kernels/integer.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/plain_kernels.h"

namespace fourfold::graph {
namespace {

int64_t CountOf(const PlainCall& call, size_t i) {
  return call.has(i) ? kernels::ElementCount(call.in(i).dims) : 0;
}

}  // namespace

PlainKernel PlainOf(const PlainCall& call, const IntegerConv& conv,
                    const kernels::PrepareContext& context) {
  kernels::IntegerConvolutionSpec spec;
  spec.src = call.in(0);
  spec.weights = call.in(1);
  spec.dst = call.out();
  const kernels::Dims& image = spec.src.dims;
  const kernels::Dims& filter = spec.weights.dims;
  ASSIGN_OR_RETURN(const Window window, ResolveWindow(conv.window, {image.begin() + 2, image.end()},
                                                      {filter.begin() + 2, filter.end()}));
  spec.groups = conv.groups;
  spec.strides = window.strides;
  spec.dilations = window.dilations;
  const auto space = static_cast<std::ptrdiff_t>(window.pads.size() / 2);
  spec.pads_begin.assign(window.pads.begin(), window.pads.begin() + space);
  spec.pads_end.assign(window.pads.begin() + space, window.pads.end());
  spec.weights_zero_points = CountOf(call, 3);
  return kernels::PrepareFirst(kernels::IntegerConvolutionKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const IntegerMatMul&,
                    const kernels::PrepareContext& context) {
  kernels::Dims lhs = call.in(0).dims, rhs = call.in(1).dims;
  if (lhs.size() == 1) lhs.insert(lhs.begin(), 1);
  if (rhs.size() == 1) rhs.push_back(1);
  while (lhs.size() < rhs.size()) lhs.insert(lhs.begin(), 1);
  while (rhs.size() < lhs.size()) rhs.insert(rhs.begin(), 1);
  kernels::IntegerMatMulSpec spec;
  spec.lhs_type = call.in(0).type;
  spec.rhs_type = call.in(1).type;
  spec.m = lhs[lhs.size() - 2];
  spec.k = lhs.back();
  spec.n = rhs.back();
  spec.lhs_batch.assign(lhs.begin(), lhs.end() - 2);
  spec.rhs_batch.assign(rhs.begin(), rhs.end() - 2);
  spec.lhs_zero_points = CountOf(call, 2);
  spec.rhs_zero_points = CountOf(call, 3);
  return kernels::PrepareFirst(kernels::IntegerMatMulKernels(), spec, context);
}

}  // namespace fourfold::graph
