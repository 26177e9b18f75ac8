// Shapes of normalizations: their input's.
#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using Outputs = absl::StatusOr<std::vector<Inferred>>;

absl::Status RequireChannels(const NodeView& view) {
  if (!view.shape(0)) return absl::OkStatus();
  if (view.shape(0)->size() < 2) {
    return view.Error("got ", view.Text(0), ", wanted batch and channel dimensions");
  }
  for (size_t i = 1; i < 3; ++i) {
    if (view.has(i) && view.shape(i) && !Compatible(*view.shape(i), {(*view.shape(0))[1]})) {
      return view.Error("got ", view.Text(i), " for ", view.Text(0), ", wanted one per channel");
    }
  }
  return absl::OkStatus();
}

}  // namespace

Outputs Infer(const NodeView& view, const Normalization& norm) {
  using Kind = Normalization::Kind;
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  const Inferred y{view.type(0), view.shape(0)};
  if (norm.kind == Kind::kInstance || norm.kind == Kind::kGroup) {
    RETURN_IF_ERROR(RequireChannels(view));
    if (norm.groups < 1) return view.Error("got ", norm.groups, " groups, wanted at least 1");
    const int64_t channels = view.shape(0) ? (*view.shape(0))[1] : kUnknownDim;
    if (norm.kind == Kind::kGroup && channels != kUnknownDim && channels % norm.groups != 0) {
      return view.Error("got ", view.Text(0), ", wanted channels that divide into ", norm.groups,
                        " groups");
    }
    return std::vector<Inferred>{y};
  }
  // Mean and inverse deviation: as x, with 1 for the dimensions that were normalized.
  Inferred statistics{DataType::kFloat32, std::nullopt};
  if (view.shape(0)) {
    const Shape& x = *view.shape(0);
    const std::optional<size_t> axis = NormalizeAxis(norm.axis, x.size());
    if (!axis) {
      return view.Error("got axis ", norm.axis, " of ", view.Text(0),
                        ", wanted one of its dimensions");
    }
    for (size_t i = 1; i < 3; ++i) {
      if (!view.has(i) || !view.shape(i)) continue;
      const std::optional<Shape> both = Broadcast(x, *view.shape(i));
      if (!both || !Compatible(*both, x)) {
        return view.Error("got ", view.Text(i), ", wanted a shape that broadcasts to ",
                          view.Text(0));
      }
    }
    statistics.shape = x;
    for (size_t d = *axis; d < x.size(); ++d) (*statistics.shape)[d] = 1;
  }
  return std::vector<Inferred>{y, statistics, statistics};
}

Outputs Infer(const NodeView& view, const LpNormalization& norm) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  if (view.shape(0) && !NormalizeAxis(norm.axis, view.shape(0)->size())) {
    return view.Error("got axis ", norm.axis, " of ", view.Text(0),
                      ", wanted one of its dimensions");
  }
  return std::vector<Inferred>{{view.type(0), view.shape(0)}};
}

Outputs Infer(const NodeView& view, const LocalResponseNorm&) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(RequireChannels(view));
  return std::vector<Inferred>{{view.type(0), view.shape(0)}};
}

}  // namespace fourfold::graph
