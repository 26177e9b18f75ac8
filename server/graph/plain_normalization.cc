// From normalizations to kernels.
#include "kernels/normalization.h"
#include "server/base/status_macros.h"
#include "server/graph/plain_kernels.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using kernels::Dims;
using kernels::ElementCount;
using kernels::ElementType;
using kernels::PrepareContext;
using kernels::Repeated;

int64_t CountFrom(const Dims& dims, size_t axis) {
  return ElementCount(Dims(dims.begin() + static_cast<ptrdiff_t>(axis), dims.end()));
}

// How a tensor that broadcasts to x lies over it; nothing where its dimensions that are not 1 are
// not next to each other.
std::optional<Repeated> BroadcastOver(const Dims& x, const Dims& vector) {
  Repeated repeated{1, ElementCount(vector)};
  if (repeated.count == 1) return repeated;
  Dims wide(x.size() - vector.size(), 1);
  wide.insert(wide.end(), vector.begin(), vector.end());
  size_t end = wide.size();
  while (end > 0 && wide[end - 1] == 1) --end;
  repeated.run = CountFrom(x, end);
  size_t begin = end;
  int64_t count = 1;
  while (begin > 0 && wide[begin - 1] == x[begin - 1]) count *= x[--begin];
  if (count != repeated.count) return std::nullopt;
  return repeated;
}

bool AllFloat(const PlainCall& call) {
  for (const auto& input : call.inputs) {
    if (input && input->type != ElementType::kFloat32) return false;
  }
  return true;
}

}  // namespace

PlainKernel PlainOf(const PlainCall& call, const Normalization& norm,
                    const PrepareContext& context) {
  using Kind = Normalization::Kind;
  if (!AllFloat(call)) return kernels::PreparedPtr();
  const Dims& x = call.in(0).dims;
  kernels::NormalizationSpec spec;
  spec.epsilon = norm.epsilon;
  spec.centered = norm.kind != Kind::kRms;
  const bool by_channel = norm.kind == Kind::kInstance || norm.kind == Kind::kGroup;
  if (by_channel) {
    spec.rows = x[0] * (norm.kind == Kind::kGroup ? norm.groups : x[1]);
  } else {
    const size_t axis = *NormalizeAxis(norm.axis, x.size());
    spec.rows = ElementCount(Dims(x.begin(), x.begin() + static_cast<ptrdiff_t>(axis)));
  }
  if (spec.rows == 0) return kernels::PreparedPtr();
  spec.length = ElementCount(x) / spec.rows;
  for (size_t i = 1; i < 3; ++i) {
    if (!call.has(i)) continue;
    const std::optional<Repeated> repeated =
        by_channel ? Repeated{CountFrom(x, 2), x[1]} : BroadcastOver(x, call.in(i).dims);
    if (!repeated) {
      return absl::UnimplementedError(
          absl::StrCat("node \"", call.node.name, "\": a scale or bias of ",
                       ShapeText(call.in(i).dims), " over ", ShapeText(x)));
    }
    (i == 1 ? spec.scale : spec.bias) = *repeated;
  }
  return kernels::PrepareFirst(kernels::NormalizationKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const LpNormalization& norm,
                    const PrepareContext& context) {
  if (!AllFloat(call)) return kernels::PreparedPtr();
  const Dims& x = call.in(0).dims;
  const size_t axis = *NormalizeAxis(norm.axis, x.size());
  kernels::LpNormalizationSpec spec;
  spec.p = norm.p;
  spec.inner = CountFrom(x, axis + 1);
  spec.axis = x[axis];
  spec.outer = ElementCount(Dims(x.begin(), x.begin() + static_cast<ptrdiff_t>(axis)));
  return kernels::PrepareFirst(kernels::LpNormalizationKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const LocalResponseNorm& norm,
                    const PrepareContext& context) {
  if (!AllFloat(call)) return kernels::PreparedPtr();
  const Dims& x = call.in(0).dims;
  kernels::LocalResponseNormSpec spec;
  spec.batch = x[0];
  spec.channels = x[1];
  spec.space = CountFrom(x, 2);
  spec.size = norm.size;
  spec.alpha = norm.alpha;
  spec.beta = norm.beta;
  spec.bias = norm.bias;
  return kernels::PrepareFirst(kernels::LocalResponseNormKernels(), spec, context);
}

}  // namespace fourfold::graph
