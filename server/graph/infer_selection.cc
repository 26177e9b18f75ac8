// Shapes of operations that select elements by computed indices or by their values.
#include <algorithm>

#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using Outputs = absl::StatusOr<std::vector<Inferred>>;

absl::Status RequireIndices(const NodeView& view, size_t i) {
  if (view.type(i) == DataType::kInt64 || view.type(i) == DataType::kInt32) {
    return absl::OkStatus();
  }
  return view.Error("got indices '", view.value(i).name, "' of ", TypeText(view.type(i)),
                    ", wanted int64 or int32");
}

absl::StatusOr<size_t> AxisOf(const NodeView& view, int64_t axis, size_t rank) {
  const std::optional<size_t> dim = NormalizeAxis(axis, rank);
  if (dim) return *dim;
  return view.Error("got axis ", axis, " of ", view.Text(0), ", wanted one of its dimensions");
}

absl::Status RequireSameType(const NodeView& view, size_t i) {
  if (view.type(i) == view.type(0)) return absl::OkStatus();
  return view.Error("got '", view.value(i).name, "' of ", TypeText(view.type(i)), ", wanted ",
                    TypeText(view.type(0)), " like '", view.value(0).name, "'");
}

// Indices that select along one axis: the rank of x, nowhere else longer than x.
absl::Status CheckElementIndices(const NodeView& view, int64_t axis) {
  RETURN_IF_ERROR(RequireIndices(view, 1));
  if (!view.shape(0) || !view.shape(1)) return absl::OkStatus();
  const Shape &x = *view.shape(0), &indices = *view.shape(1);
  ASSIGN_OR_RETURN(const size_t dim, AxisOf(view, axis, x.size()));
  bool fits = x.size() == indices.size();
  for (size_t i = 0; fits && i < x.size(); ++i) {
    fits = i == dim || x[i] == kUnknownDim || indices[i] <= x[i];
  }
  if (fits) return absl::OkStatus();
  return view.Error("got indices ", view.Text(1), " for ", view.Text(0),
                    ", wanted the same rank and, outside of axis ", dim, ", no longer dimensions");
}

// Behind `batch_dims` common dimensions, rows of indices that are positions in x: the shape of one
// selected slice for each of them; nothing if ranks are not known.
absl::StatusOr<std::optional<Shape>> SlicesAtPositions(const NodeView& view, int64_t batch_dims) {
  RETURN_IF_ERROR(RequireIndices(view, 1));
  if (!view.shape(0) || !view.shape(1)) return std::nullopt;
  const Shape &x = *view.shape(0), &indices = *view.shape(1);
  const auto rank = static_cast<int64_t>(x.size());
  if (indices.empty() || batch_dims < 0 || batch_dims >= static_cast<int64_t>(indices.size()) ||
      batch_dims > rank) {
    return view.Error("got indices ", view.Text(1), " for ", view.Text(0), " and ", batch_dims,
                      " batch dimensions, wanted at least one dimension more in the indices");
  }
  for (size_t i = 0; i < static_cast<size_t>(batch_dims); ++i) {
    if (!Compatible(x[i], indices[i])) {
      return view.Error("got indices ", view.Text(1), " for ", view.Text(0), ", wanted ",
                        batch_dims, " equal dimensions in front");
    }
  }
  const int64_t width = indices.back();
  if (width == kUnknownDim) return std::nullopt;
  if (width > rank - batch_dims) {
    return view.Error("got positions of ", width, " indices in ", view.Text(0), ", wanted at most ",
                      rank - batch_dims);
  }
  Shape shape(indices.begin(), indices.end() - 1);
  shape.insert(shape.end(), x.begin() + batch_dims + width, x.end());
  return shape;
}

Outputs One(Inferred output) { return std::vector<Inferred>{std::move(output)}; }

}  // namespace

Outputs Infer(const NodeView& view, const GatherElements& gather) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(CheckElementIndices(view, gather.axis));
  return One({view.type(0), view.shape(1)});
}

Outputs Infer(const NodeView& view, const GatherNd& gather) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  ASSIGN_OR_RETURN(const std::optional<Shape> shape, SlicesAtPositions(view, gather.batch_dims));
  return One({view.type(0), shape});
}

Outputs Infer(const NodeView& view, const ScatterElements& scatter) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  RETURN_IF_ERROR(RequireSameType(view, 2));
  RETURN_IF_ERROR(CheckElementIndices(view, scatter.axis));
  if (view.shape(1) && view.shape(2) && !Compatible(*view.shape(1), *view.shape(2))) {
    return view.Error("got updates ", view.Text(2), ", wanted the shape of the indices ",
                      view.Text(1));
  }
  return One({view.type(0), view.shape(0)});
}

Outputs Infer(const NodeView& view, const ScatterNd&) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  RETURN_IF_ERROR(RequireSameType(view, 2));
  ASSIGN_OR_RETURN(const std::optional<Shape> wanted, SlicesAtPositions(view, 0));
  if (wanted && view.shape(2) && !Compatible(*wanted, *view.shape(2))) {
    return view.Error("got updates ", view.Text(2), ", wanted ", ShapeText(*wanted));
  }
  return One({view.type(0), view.shape(0)});
}

Outputs Infer(const NodeView& view, const TopK& top_k) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  std::optional<Shape> shape = view.shape(0);
  if (shape) {
    ASSIGN_OR_RETURN(const size_t axis, AxisOf(view, top_k.axis, shape->size()));
    const std::optional<std::vector<int64_t>> k = view.known_integers(1);
    const int64_t length = (*shape)[axis];
    if (k && k->size() != 1) return view.Error("got ", k->size(), " numbers as k, wanted one");
    if (k && (k->front() < 0 || (length != kUnknownDim && k->front() > length))) {
      return view.Error("got k ", k->front(), " for ", view.Text(0), ", wanted 0 to the length ",
                        length, " of axis ", axis);
    }
    (*shape)[axis] = k ? k->front() : kUnknownDim;
  }
  return std::vector<Inferred>{{view.type(0), shape}, {DataType::kInt64, shape}};
}

Outputs Infer(const NodeView& view, const OneHot& one_hot) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  if (view.type(0) == DataType::kBool) return view.Error("got bool indices, wanted numbers");
  if (view.shape(2) && !Compatible(*view.shape(2), {2})) {
    return view.Error("got values ", view.Text(2), ", wanted [2]");
  }
  Inferred result{view.type(2), std::nullopt};
  if (!view.shape(0)) return One(result);
  Shape shape = *view.shape(0);
  const std::optional<size_t> axis = NormalizeAxis(one_hot.axis, shape.size() + 1);
  if (!axis) {
    return view.Error("got axis ", one_hot.axis, " for ", view.Text(0),
                      ", wanted one of the result's dimensions");
  }
  const std::optional<std::vector<int64_t>> depth = view.known_integers(1);
  if (depth && (depth->size() != 1 || depth->front() < 0)) {
    return view.Error("got depth ", ShapeText(*depth), ", wanted one number of at least 0");
  }
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(*axis),
               depth ? depth->front() : kUnknownDim);
  result.shape = std::move(shape);
  return One(result);
}

// ---- How many elements there are only the data tell.

Outputs Infer(const NodeView& view, const NonZero&) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred result{DataType::kInt64, Shape{kUnknownDim, kUnknownDim}};
  if (view.shape(0)) (*result.shape)[0] = static_cast<int64_t>(view.shape(0)->size());
  return One(result);
}

Outputs Infer(const NodeView& view, const Compress& compress) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  if (view.type(1) != DataType::kBool) {
    return view.Error("got a condition of ", TypeText(view.type(1)), ", wanted bool");
  }
  if (view.shape(1) && view.shape(1)->size() != 1) {
    return view.Error("got condition ", view.Text(1), ", wanted one dimension");
  }
  if (!compress.axis) return One({view.type(0), Shape{kUnknownDim}});
  Inferred result{view.type(0), view.shape(0)};
  if (result.shape) {
    ASSIGN_OR_RETURN(const size_t axis, AxisOf(view, *compress.axis, result.shape->size()));
    (*result.shape)[axis] = kUnknownDim;
  }
  return One(result);
}

Outputs Infer(const NodeView& view, const Unique& unique) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred values{view.type(0), Shape{kUnknownDim}};
  Inferred inverse{DataType::kInt64, Shape{kUnknownDim}};
  if (unique.axis) {
    values.shape = view.shape(0);
    if (values.shape) {
      ASSIGN_OR_RETURN(const size_t axis, AxisOf(view, *unique.axis, values.shape->size()));
      inverse.shape = Shape{(*values.shape)[axis]};
      (*values.shape)[axis] = kUnknownDim;
    }
  } else if (view.shape(0)) {
    inverse.shape = Shape{KnownCount(*view.shape(0)).value_or(kUnknownDim)};
  }
  const Inferred counts{DataType::kInt64, Shape{kUnknownDim}};
  return std::vector<Inferred>{values, counts, inverse, counts};
}

}  // namespace fourfold::graph
