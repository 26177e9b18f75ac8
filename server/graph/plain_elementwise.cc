// Element by element, and along one axis.
#include "kernels/accumulate_axis.h"
#include "kernels/arg_reduce.h"
#include "kernels/binary.h"
#include "kernels/compare.h"
#include "kernels/convert.h"
#include "kernels/eltwise.h"
#include "kernels/reduce.h"
#include "kernels/select.h"
#include "server/base/status_macros.h"
#include "server/graph/plain_kernels.h"
#include "server/graph/real_function.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using kernels::PrepareContext;
using kernels::PrepareFirst;
using kernels::TensorSpec;

// With leading ones up to `rank`.
TensorSpec Widened(const TensorSpec& spec, size_t rank) {
  TensorSpec wide = spec;
  wide.dims.insert(wide.dims.begin(), rank - wide.dims.size(), 1);
  return wide;
}

kernels::PreparedPtr PrepareBinary(const PlainCall& call, kernels::BinarySpec::Operation operation,
                                   const kernels::Activation& activation,
                                   const PrepareContext& context) {
  kernels::BinarySpec spec;
  spec.operation = operation;
  spec.activation = activation;
  spec.dst = call.out();
  spec.a = Widened(call.in(0), spec.dst.dims.size());
  spec.b = Widened(call.in(1), spec.dst.dims.size());
  spec.plain_integers = !IsFloatingPoint(spec.a.type);
  return PrepareFirst(kernels::BinaryKernels(), spec, context);
}

// Elements before, along and behind a dimension.
struct Lines {
  int64_t outer = 1;
  int64_t axis = 1;
  int64_t inner = 1;
};

Lines LinesOf(const kernels::Dims& dims, size_t axis) {
  Lines lines;
  for (size_t d = 0; d < dims.size(); ++d) {
    (d < axis ? lines.outer : d == axis ? lines.axis : lines.inner) *= dims[d];
  }
  return lines;
}

// The dimensions of a softmax, which may take all from `axis` on as one.
Lines SoftmaxLines(const kernels::Dims& dims, int64_t axis, bool flatten) {
  if (axis < 0) axis += static_cast<int64_t>(dims.size());
  Lines lines = LinesOf(dims, static_cast<size_t>(axis));
  if (!flatten) return lines;
  lines.axis *= lines.inner;
  lines.inner = 1;
  return lines;
}

}  // namespace

PlainKernel PlainOf(const PlainCall& call, const Eltwise& eltwise, const PrepareContext& context) {
  kernels::EltwiseSpec spec;
  if (const std::optional<kernels::EltwiseSpec> function = RealFunction(eltwise)) {
    spec = *function;
  } else {
    using To = kernels::EltwiseSpec::Function;
    spec.activation = eltwise.activation;
    switch (eltwise.function) {
      case Eltwise::Function::kBitwiseNot: spec.function = To::kBitwiseNot; break;
      case Eltwise::Function::kIsInf: spec.function = To::kIsInf; break;
      case Eltwise::Function::kIsNan: spec.function = To::kIsNan; break;
      case Eltwise::Function::kNot: spec.function = To::kNot; break;
      default: return kernels::PreparedPtr();
    }
  }
  spec.type = call.in(0).type;
  spec.count = ElementCount(call.in(0).dims);
  return PrepareFirst(kernels::EltwiseKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Binary& binary, const PrepareContext& context) {
  return PrepareBinary(call, PlainOperation(binary.operation), binary.activation, context);
}

PlainKernel PlainOf(const PlainCall& call, const PRelu&, const PrepareContext& context) {
  return PrepareBinary(call, kernels::BinarySpec::Operation::kPRelu, {}, context);
}

PlainKernel PlainOf(const PlainCall& call, const Compare& compare, const PrepareContext& context) {
  using To = kernels::CompareSpec::Operation;
  kernels::CompareSpec spec;
  switch (compare.operation) {
    case Compare::Operation::kEqual: spec.operation = To::kEqual; break;
    case Compare::Operation::kGreater: spec.operation = To::kGreater; break;
    case Compare::Operation::kGreaterOrEqual: spec.operation = To::kGreaterOrEqual; break;
    case Compare::Operation::kLess: spec.operation = To::kLess; break;
    case Compare::Operation::kLessOrEqual: spec.operation = To::kLessOrEqual; break;
    case Compare::Operation::kAnd: spec.operation = To::kAnd; break;
    case Compare::Operation::kOr: spec.operation = To::kOr; break;
    case Compare::Operation::kXor: spec.operation = To::kXor; break;
  }
  spec.type = call.in(0).type;
  spec.a = call.in(0).dims;
  spec.b = call.in(1).dims;
  spec.dst = call.out().dims;
  return PrepareFirst(kernels::CompareKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Where&, const PrepareContext& context) {
  kernels::SelectSpec spec;
  spec.element_bytes = ElementSize(call.out().type);
  spec.condition = call.in(0).dims;
  spec.a = call.in(1).dims;
  spec.b = call.in(2).dims;
  spec.dst = call.out().dims;
  return PrepareFirst(kernels::SelectKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Cast& cast, const PrepareContext& context) {
  const kernels::ConvertSpec spec{call.in(0).type, cast.to, ElementCount(call.in(0).dims)};
  return PrepareFirst(kernels::ConvertKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Reduce& reduce, const PrepareContext& context) {
  std::vector<int64_t> axes = reduce.axes;
  if (call.has(1)) {
    ASSIGN_OR_RETURN(axes, call.Integers(1, "axes"));
  }
  kernels::ReduceSpec spec;
  static_assert(static_cast<int>(Reduce::Operation::kLogSumExp) ==
                static_cast<int>(kernels::ReduceSpec::Operation::kLogSumExp));
  spec.operation = static_cast<kernels::ReduceSpec::Operation>(reduce.operation);
  spec.src = call.in(0);
  const size_t rank = spec.src.dims.size();
  spec.reduced.assign(rank, axes.empty() && !reduce.noop_with_empty_axes);
  for (int64_t axis : axes) {
    const std::optional<size_t> dim = NormalizeAxis(axis, rank);
    if (!dim) return call.Error("got axis ", axis, " of ", rank, " dimensions");
    spec.reduced[*dim] = true;
  }
  return PrepareFirst(kernels::ReduceKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const ArgReduce& reduce, const PrepareContext& context) {
  const kernels::Dims& dims = call.in(0).dims;
  const Lines lines = LinesOf(dims, *NormalizeAxis(reduce.axis, dims.size()));
  kernels::ArgReduceSpec spec;
  spec.type = call.in(0).type;
  spec.outer = lines.outer;
  spec.axis = lines.axis;
  spec.inner = lines.inner;
  spec.minimum = reduce.minimum;
  spec.select_last = reduce.select_last;
  return PrepareFirst(kernels::ArgReduceKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Hardmax& hardmax, const PrepareContext& context) {
  const Lines lines = SoftmaxLines(call.in(0).dims, hardmax.axis, hardmax.flatten);
  kernels::ArgReduceSpec spec;
  spec.type = call.in(0).type;
  spec.outer = lines.outer;
  spec.axis = lines.axis;
  spec.inner = lines.inner;
  spec.one_hot = true;
  return PrepareFirst(kernels::ArgReduceKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const CumSum& sum, const PrepareContext& context) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> axes, call.Integers(1, "an axis"));
  const kernels::Dims& dims = call.in(0).dims;
  const std::optional<size_t> axis =
      axes.size() == 1 ? NormalizeAxis(axes[0], dims.size()) : std::nullopt;
  if (!axis) return call.Error("wanted one of ", dims.size(), " dimensions as its axis");
  const Lines lines = LinesOf(dims, *axis);
  kernels::AccumulateAxisSpec spec;
  spec.type = call.in(0).type;
  spec.outer = lines.outer;
  spec.axis = lines.axis;
  spec.inner = lines.inner;
  spec.exclusive = sum.exclusive;
  spec.reverse = sum.reverse;
  return PrepareFirst(kernels::AccumulateAxisKernels(), spec, context);
}

}  // namespace fourfold::graph
