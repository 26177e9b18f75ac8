// If, Loop and Scan: what their bodies say of their outputs.

#include <algorithm>

#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

// What two ways of computing a value have in common.
std::optional<Shape> Common(const std::optional<Shape>& a, const std::optional<Shape>& b) {
  if (!a || !b || a->size() != b->size()) return std::nullopt;
  Shape shape = *a;
  for (size_t i = 0; i < shape.size(); ++i) {
    if ((*a)[i] != (*b)[i]) shape[i] = kUnknownDim;
  }
  return shape;
}

Inferred OutputOf(const Graph& body, size_t i) {
  const Value& value = body.value(body.outputs[i]);
  return {value.type, value.shape};
}

Shape With(Shape shape, size_t axis, int64_t dim) {
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), dim);
  return shape;
}

// Error unless an input, where it is there, is one element of that type.
absl::Status RequireOne(const NodeView& view, size_t i, DataType type, absl::string_view what) {
  if (!view.has(i)) return absl::OkStatus();
  const std::optional<Shape>& shape = view.shape(i);
  const bool one = !shape || std::all_of(shape->begin(), shape->end(),
                                         [](int64_t dim) { return Compatible(dim, 1); });
  if (view.type(i) == type && one) return absl::OkStatus();
  return view.Error(what, " ", view.Text(i), " is ", TypeText(view.type(i)), ", wanted one ",
                    TypeText(type));
}

}  // namespace

absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const If& branches) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(RequireOne(view, 0, DataType::kBool, "the condition"));
  const Graph& yes = *branches.then_branch;
  const Graph& no = *branches.else_branch;
  const size_t outputs = view.node().outputs.size();
  if (yes.outputs.size() != outputs || no.outputs.size() != outputs) {
    return view.Error("its branches have ", yes.outputs.size(), " and ", no.outputs.size(),
                      " outputs, wanted ", outputs, " each");
  }
  std::vector<Inferred> result;
  for (size_t i = 0; i < outputs; ++i) {
    const Inferred a = OutputOf(yes, i), b = OutputOf(no, i);
    if (a.type != b.type) {
      return view.Error("output ", i, " is ", TypeText(a.type), " in one branch and ",
                        TypeText(b.type), " in the other, wanted equal types");
    }
    result.push_back({a.type, Common(a.shape, b.shape)});
  }
  return result;
}

absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Loop& loop) {
  RETURN_IF_ERROR(RequireOne(view, 0, DataType::kInt64, "the trip count"));
  RETURN_IF_ERROR(RequireOne(view, 1, DataType::kBool, "the condition"));
  const Graph& body = *loop.body;
  const auto carried = static_cast<size_t>(loop.carried);
  if (body.outputs.size() < 1 + carried) {
    return view.Error("its body has ", body.outputs.size(), " outputs, wanted at least ",
                      1 + carried, ": a condition and ", carried, " carried values");
  }
  std::vector<Inferred> result;
  for (size_t i = 0; i < carried; ++i) {
    const Inferred after = OutputOf(body, 1 + i);
    if (view.has(2 + i) && view.type(2 + i) != after.type) {
      return view.Error("carried value ", i, " is ", TypeText(view.type(2 + i)), " before and ",
                        TypeText(after.type), " after an iteration, wanted equal types");
    }
    result.push_back(
        {after.type, view.has(2 + i) ? Common(view.shape(2 + i), after.shape) : after.shape});
  }
  for (size_t i = 1 + carried; i < body.outputs.size(); ++i) {
    Inferred scanned = OutputOf(body, i);
    if (scanned.shape) scanned.shape = With(*scanned.shape, 0, kUnknownDim);
    result.push_back(std::move(scanned));
  }
  return result;
}

absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Scan& scan) {
  const Graph& body = *scan.body;
  const auto states = static_cast<size_t>(scan.states);
  const size_t scanned = body.outputs.size() - std::min(states, body.outputs.size());
  if (body.outputs.size() < states || scan.output_axes.size() != scanned) {
    return view.Error("its body has ", body.outputs.size(), " outputs, wanted ", states,
                      " states and ", scan.output_axes.size(), " scanned ones");
  }
  int64_t length = kUnknownDim;
  for (size_t i = 0; i < scan.input_axes.size(); ++i) {
    const auto& shape = view.shape(states + i);
    if (!shape) continue;
    const std::optional<size_t> axis = NormalizeAxis(scan.input_axes[i], shape->size());
    if (!axis) {
      return view.Error("got axis ", scan.input_axes[i], " of ", view.Text(states + i),
                        ", wanted one of its dimensions");
    }
    const int64_t dim = (*shape)[*axis];
    if (!Compatible(dim, length)) {
      return view.Error("sequence ", i, " has ", dim, " elements, wanted ", length,
                        " as the ones before");
    }
    if (length == kUnknownDim) length = dim;
  }
  std::vector<Inferred> result;
  for (size_t i = 0; i < states; ++i) {
    Inferred state = OutputOf(body, i);
    if (view.has(i)) state.shape = Common(view.shape(i), state.shape);
    result.push_back(std::move(state));
  }
  for (size_t i = 0; i < scanned; ++i) {
    Inferred out = OutputOf(body, states + i);
    if (out.shape) {
      const std::optional<size_t> axis = NormalizeAxis(scan.output_axes[i], out.shape->size() + 1);
      if (!axis) {
        return view.Error("got axis ", scan.output_axes[i], " for scanned output ", i,
                          ", wanted one of ", out.shape->size() + 1, " dimensions");
      }
      out.shape = With(*out.shape, *axis, length);
    }
    result.push_back(std::move(out));
  }
  return result;
}

}  // namespace fourfold::graph
