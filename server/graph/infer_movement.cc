// Shapes of operations that move, select or reduce elements.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/resize_geometry.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

// The dimensions that `axes` name, marked; an error for one outside or named twice.
absl::StatusOr<std::vector<bool>> MarkAxes(const NodeView& view, const std::vector<int64_t>& axes,
                                           size_t rank) {
  std::vector<bool> marked(rank, false);
  for (int64_t axis : axes) {
    const std::optional<size_t> dim = NormalizeAxis(axis, rank);
    if (!dim || marked[*dim]) {
      return view.Error("got axes ", ShapeText(axes), ", wanted different dimensions of ", rank);
    }
    marked[*dim] = true;
  }
  return marked;
}

// Error if an input is known not to be a list.
absl::Status RequireVector(const NodeView& view, size_t i) {
  if (!view.shape(i) || view.shape(i)->size() == 1) return absl::OkStatus();
  return view.Error("got ", view.Text(i), ", wanted one dimension");
}

}  // namespace

absl::StatusOr<Inferred> InferConcat(const NodeView& view, const Concat& concat) {
  const size_t count = view.node().inputs.size();
  RETURN_IF_ERROR(view.RequireInputs(std::max<size_t>(count, 1)));
  Inferred result{view.type(0), std::nullopt};
  std::optional<size_t> known;  // an input whose rank is known
  for (size_t i = 0; i < count; ++i) {
    if (view.type(i) != view.type(0)) {
      return view.Error("got '", view.value(i).name, "' of ", TypeText(view.type(i)), ", wanted ",
                        TypeText(view.type(0)), " like '", view.value(0).name, "'");
    }
    if (view.shape(i)) known = i;
  }
  if (!known) return result;
  Shape shape(view.shape(*known)->size(), kUnknownDim);
  const std::optional<size_t> axis = NormalizeAxis(concat.axis, shape.size());
  if (!axis)
    return view.Error("got axis ", concat.axis, " of ", view.Text(*known),
                      ", wanted one of its dimensions");
  int64_t length = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!view.shape(i)) {
      length = kUnknownDim;
      continue;
    }
    const Shape& part = *view.shape(i);
    if (part.size() != shape.size()) {
      return view.Error("got ", view.Text(i), ", wanted ", shape.size(), " dimensions like ",
                        view.Text(*known));
    }
    for (size_t d = 0; d < part.size(); ++d) {
      if (d == *axis) continue;
      if (!Compatible(part[d], shape[d])) {
        return view.Error("got ", view.Text(i), ", wanted ", shape[d], " in dimension ", d,
                          " like the others");
      }
      if (shape[d] == kUnknownDim) shape[d] = part[d];
    }
    const int64_t dim = part[*axis];
    if (dim == kUnknownDim || length == kUnknownDim) {
      length = kUnknownDim;
    } else if (__builtin_add_overflow(length, dim, &length)) {
      return view.Error("got ", view.Text(i), ", wanted a sum of lengths within 64 bits");
    }
  }
  shape[*axis] = length;
  result.shape = std::move(shape);
  return result;
}

absl::StatusOr<Inferred> InferReduce(const NodeView& view, const Reduce& reduce) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred result{view.type(0), std::nullopt};
  if (!view.shape(0)) return result;
  const Shape& x = *view.shape(0);
  std::vector<int64_t> axes = reduce.axes;
  if (view.has(1)) {
    const std::optional<std::vector<int64_t>> given = view.known_integers(1);
    if (!given) {
      if (reduce.keep_dims) result.shape = Shape(x.size(), kUnknownDim);
      return result;
    }
    axes = *given;
  }
  ASSIGN_OR_RETURN(std::vector<bool> reduced, MarkAxes(view, axes, x.size()));
  if (axes.empty() && !reduce.noop_with_empty_axes) reduced.assign(x.size(), true);
  Shape shape;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!reduced[i]) {
      shape.push_back(x[i]);
    } else if (reduce.keep_dims) {
      shape.push_back(1);
    }
  }
  result.shape = std::move(shape);
  return result;
}

absl::StatusOr<Inferred> InferPad(const NodeView& view) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  Inferred result{view.type(0), std::nullopt};
  if (view.has(2) && view.type(2) != view.type(0)) {
    return view.Error("got '", view.value(0).name, "' of ", TypeText(view.type(0)),
                      " and a value of ", TypeText(view.type(2)), ", wanted equal types");
  }
  const std::optional<KnownIntegers> pads = view.integers(1);
  if (!view.shape(0)) return result;
  Shape shape = *view.shape(0);
  std::vector<int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (view.has(3)) {
    const std::optional<std::vector<int64_t>> given = view.known_integers(3);
    if (!given) {
      result.shape = Shape(shape.size(), kUnknownDim);
      return result;
    }
    RETURN_IF_ERROR(MarkAxes(view, *given, shape.size()).status());
    axes = *given;
  }
  if (pads && pads->size() != 2 * axes.size()) {
    return view.Error("got ", pads->size(), " pads for ", axes.size(), " dimensions of ",
                      view.Text(0), ", wanted ", 2 * axes.size());
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    int64_t& dim = shape[*NormalizeAxis(axes[i], shape.size())];
    if (!pads || !(*pads)[i] || !(*pads)[i + axes.size()] || dim == kUnknownDim) {
      dim = kUnknownDim;
      continue;
    }
    const int64_t begin = *(*pads)[i], end = *(*pads)[i + axes.size()];
    if (__builtin_add_overflow(dim, begin, &dim) || __builtin_add_overflow(dim, end, &dim) ||
        dim < 0) {
      return view.Error("got pads ", begin, " and ", end, " for dimension ", axes[i], " of ",
                        view.Text(0), ", wanted a result of at least 0");
    }
  }
  result.shape = std::move(shape);
  return result;
}

absl::StatusOr<Inferred> InferResize(const NodeView& view, const Resize& resize) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred result{view.type(0), std::nullopt};
  if (!view.has(1) && !view.has(2))
    return view.Error("has neither scales nor sizes, wanted one of them");
  if (!view.shape(0)) return result;
  const auto constant = [&](size_t i) {
    return view.has(i) ? view.value(i).constant.get() : nullptr;
  };
  ResizeInputs inputs = ReadResizeInputs(constant(1), nullptr, constant(3));
  if (view.has(2)) {
    const std::optional<KnownIntegers> sizes = view.integers(2);
    if (sizes && !sizes->empty()) inputs.sizes = *sizes;
  }
  const absl::StatusOr<ResizeGeometry> geometry = ResolveResize(resize, *view.shape(0), inputs);
  if (!geometry.ok()) {
    return view.Error(geometry.status().message(), ", for ", view.Text(0));
  }
  result.shape = geometry->dims;
  return result;
}

absl::StatusOr<Inferred> InferTranspose(const NodeView& view, const Transpose& transpose) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred result{view.type(0), std::nullopt};
  if (!view.shape(0)) return result;
  const Shape& x = *view.shape(0);
  if (transpose.permutation.empty()) {
    result.shape = Shape(x.rbegin(), x.rend());
    return result;
  }
  std::vector<bool> seen(x.size(), false);
  Shape shape;
  for (int64_t axis : transpose.permutation) {
    if (axis < 0 || axis >= static_cast<int64_t>(x.size()) || seen[static_cast<size_t>(axis)])
      break;
    seen[static_cast<size_t>(axis)] = true;
    shape.push_back(x[static_cast<size_t>(axis)]);
  }
  if (shape.size() != x.size() || transpose.permutation.size() != x.size()) {
    return view.Error("got permutation ", ShapeText(transpose.permutation), " of ", view.Text(0),
                      ", wanted each of its dimensions once");
  }
  result.shape = std::move(shape);
  return result;
}

absl::StatusOr<Inferred> InferReshape(const NodeView& view, const Reshape& reshape) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  Inferred result{view.type(0), std::nullopt};
  RETURN_IF_ERROR(RequireVector(view, 1));
  const std::optional<KnownIntegers> wanted = view.integers(1);
  if (!wanted) return result;
  if (wanted->size() > kMaxRank)
    return view.Error("got ", wanted->size(), " dimensions, wanted at most ", kMaxRank);
  const std::optional<Shape>& x = view.shape(0);
  const size_t rank = wanted->size();
  Shape shape(rank, kUnknownDim);
  std::optional<size_t> inferred;  // where the -1 is
  bool all_others_known = true;    // but for the -1
  size_t unknown_copies = 0;       // dimensions copied by 0 from unknown ones: equal on both sides
  for (size_t i = 0; i < rank; ++i) {
    const std::optional<int64_t>& dim = (*wanted)[i];
    if (!dim) {
      all_others_known = false;
    } else if (*dim == -1) {
      if (inferred) return view.Error("got two dimensions of -1, wanted at most one");
      inferred = i;
    } else if (*dim == 0 && !reshape.allow_zero) {
      if (!x) {
        all_others_known = false;
        continue;
      }
      if (i >= x->size()) {
        return view.Error("got 0 in dimension ", i, " for ", view.Text(0),
                          ", wanted a dimension to copy");
      }
      shape[i] = (*x)[i];
      if (shape[i] == kUnknownDim) ++unknown_copies;
    } else if (*dim < 0) {
      return view.Error("got dimension ", *dim, ", wanted -1, 0 or more");
    } else {
      shape[i] = *dim;
    }
  }
  if (!x || !all_others_known) {
    result.shape = std::move(shape);
    return result;
  }
  // Elements on both sides but for dimensions that were copied as unknown.
  const auto known_product = [](const Shape& dims) -> std::optional<int64_t> {
    int64_t product = 1;
    for (int64_t dim : dims) {
      if (dim == kUnknownDim) continue;
      const std::optional<int64_t> next = CheckedMultiply(product, dim);
      if (!next) return std::nullopt;
      product = *next;
    }
    return product;
  };
  const size_t unknown_x = static_cast<size_t>(std::count(x->begin(), x->end(), kUnknownDim));
  const std::optional<int64_t> have = known_product(*x), given = known_product(shape);
  if (!have || !given)
    return view.Error("got ", view.Text(0), " for ", ShapeText(shape), ", wanted fewer elements");
  const bool comparable = unknown_x == unknown_copies;
  if (inferred) {
    if (comparable) {
      if (*given == 0 || *have % *given != 0) {
        return view.Error("got ", view.Text(0), " for ", ShapeText(shape),
                          ", wanted a number of elements that divides");
      }
      shape[*inferred] = *have / *given;
    }
  } else if (comparable) {
    if (*have != *given) {
      return view.Error("got ", view.Text(0), " for ", ShapeText(shape),
                        ", wanted as many elements");
    }
  }
  result.shape = std::move(shape);
  return result;
}

absl::StatusOr<Inferred> InferFlatten(const NodeView& view, const Flatten& flatten) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred result{view.type(0), Shape{kUnknownDim, kUnknownDim}};
  if (!view.shape(0)) return result;
  const Shape& x = *view.shape(0);
  const int64_t rank = static_cast<int64_t>(x.size());
  if (flatten.axis < -rank || flatten.axis > rank) {
    return view.Error("got axis ", flatten.axis, " of ", view.Text(0), ", wanted one from ", -rank,
                      " to ", rank);
  }
  const int64_t axis = flatten.axis < 0 ? flatten.axis + rank : flatten.axis;
  const Shape halves[2] = {Shape(x.begin(), x.begin() + axis), Shape(x.begin() + axis, x.end())};
  for (size_t i = 0; i < 2; ++i) {
    if (IsStatic(halves[i])) {
      const std::optional<int64_t> count = KnownCount(halves[i]);
      if (!count) return view.Error("got ", view.Text(0), ", wanted fewer elements");
      (*result.shape)[i] = *count;
    }
  }
  return result;
}

absl::StatusOr<Inferred> InferSqueeze(const NodeView& view) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred result{view.type(0), std::nullopt};
  if (!view.shape(0)) return result;
  const Shape& x = *view.shape(0);
  std::vector<bool> removed(x.size());
  if (view.has(1)) {
    const std::optional<std::vector<int64_t>> axes = view.known_integers(1);
    if (!axes) return result;
    ASSIGN_OR_RETURN(removed, MarkAxes(view, *axes, x.size()));
  } else {
    if (!IsStatic(x)) return result;
    for (size_t i = 0; i < x.size(); ++i) removed[i] = x[i] == 1;
  }
  Shape shape;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!removed[i]) {
      shape.push_back(x[i]);
    } else if (!Compatible(x[i], 1)) {
      return view.Error("got ", x[i], " in dimension ", i, " of ", view.Text(0), ", wanted 1");
    }
  }
  result.shape = std::move(shape);
  return result;
}

absl::StatusOr<Inferred> InferUnsqueeze(const NodeView& view) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  Inferred result{view.type(0), std::nullopt};
  const std::optional<std::vector<int64_t>> axes = view.known_integers(1);
  if (!view.shape(0) || !axes) return result;
  const Shape& x = *view.shape(0);
  if (axes->size() > kMaxRank)
    return view.Error("got ", axes->size(), " axes, wanted at most ", kMaxRank);
  ASSIGN_OR_RETURN(const std::vector<bool> inserted,
                   MarkAxes(view, *axes, x.size() + axes->size()));
  Shape shape;
  size_t next = 0;
  for (bool one : inserted) shape.push_back(one ? 1 : x[next++]);
  result.shape = std::move(shape);
  return result;
}

absl::StatusOr<Inferred> InferSlice(const NodeView& view) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  Inferred result{view.type(0), std::nullopt};
  if (!view.shape(0)) return result;
  const Shape& x = *view.shape(0);
  const std::optional<KnownIntegers> starts = view.integers(1), ends = view.integers(2);
  const std::optional<KnownIntegers> steps = view.integers(4);
  std::optional<std::vector<int64_t>> axes;
  if (view.has(3)) {
    axes = view.known_integers(3);
  } else if (starts) {
    axes.emplace();
    for (size_t i = 0; i < starts->size(); ++i) axes->push_back(static_cast<int64_t>(i));
  }
  Shape shape = x;
  if (!axes || !starts || !ends || (view.has(4) && !steps)) {
    result.shape = Shape(x.size(), kUnknownDim);
    return result;
  }
  if (axes->size() != starts->size() || axes->size() != ends->size() ||
      (steps && steps->size() != axes->size())) {
    return view.Error("got ", starts->size(), " starts, ", ends->size(), " ends and ", axes->size(),
                      " axes, wanted as many of each");
  }
  RETURN_IF_ERROR(MarkAxes(view, *axes, x.size()).status());
  for (size_t i = 0; i < axes->size(); ++i) {
    const size_t dim = *NormalizeAxis((*axes)[i], x.size());
    const std::optional<int64_t> step = steps ? (*steps)[i] : std::optional<int64_t>(1);
    if (step && *step == 0) return view.Error("got step 0, wanted another");
    if (!step || !(*starts)[i] || !(*ends)[i] || x[dim] == kUnknownDim) {
      shape[dim] = kUnknownDim;
    } else {
      shape[dim] = ResolveSlice(*(*starts)[i], *(*ends)[i], *step, x[dim]).count;
    }
  }
  result.shape = std::move(shape);
  return result;
}

absl::StatusOr<Inferred> InferGather(const NodeView& view, const Gather& gather) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  if (view.type(1) != DataType::kInt64 && view.type(1) != DataType::kInt32) {
    return view.Error("got indices of ", TypeText(view.type(1)), ", wanted int64 or int32");
  }
  Inferred result{view.type(0), std::nullopt};
  if (!view.shape(0) || !view.shape(1)) return result;
  const Shape& x = *view.shape(0);
  const std::optional<size_t> axis = NormalizeAxis(gather.axis, x.size());
  if (!axis)
    return view.Error("got axis ", gather.axis, " of ", view.Text(0),
                      ", wanted one of its dimensions");
  const auto at = x.begin() + static_cast<std::ptrdiff_t>(*axis);
  Shape shape(x.begin(), at);
  shape.insert(shape.end(), view.shape(1)->begin(), view.shape(1)->end());
  shape.insert(shape.end(), at + 1, x.end());
  result.shape = std::move(shape);
  return result;
}

namespace {

// The dimensions that an integer input means; unknown ones where it is not known.
absl::StatusOr<Shape> DimensionsOf(const NodeView& view, const KnownIntegers& elements) {
  if (elements.size() > kMaxRank) {
    return view.Error("got ", elements.size(), " dimensions, wanted at most ", kMaxRank);
  }
  Shape shape;
  for (const std::optional<int64_t>& element : elements) {
    if (element && *element < 0)
      return view.Error("got dimension ", *element, ", wanted 0 or more");
    shape.push_back(element.value_or(kUnknownDim));
  }
  return shape;
}

}  // namespace

absl::StatusOr<Inferred> InferExpand(const NodeView& view) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(RequireVector(view, 1));
  Inferred result{view.type(0), std::nullopt};
  const std::optional<KnownIntegers> wanted = view.integers(1);
  if (!view.shape(0) || !wanted) return result;
  ASSIGN_OR_RETURN(const Shape shape, DimensionsOf(view, *wanted));
  result.shape = Broadcast(*view.shape(0), shape);
  if (!result.shape) {
    return view.Error("got ", view.Text(0), " for ", ShapeText(shape),
                      ", wanted shapes that broadcast");
  }
  return result;
}

absl::StatusOr<Inferred> InferShapeOf(const NodeView& view, const ShapeOf& shape_of) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred result{DataType::kInt64, Shape{kUnknownDim}};
  if (!view.shape(0)) return result;
  const int64_t rank = static_cast<int64_t>(view.shape(0)->size());
  (*result.shape)[0] = ResolveSlice(shape_of.start, shape_of.end.value_or(rank), 1, rank).count;
  return result;
}

absl::StatusOr<Inferred> InferConstantOfShape(const NodeView& view, const ConstantOfShape& fill) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  Inferred result{fill.value == nullptr ? DataType::kFloat32 : fill.value->type(), std::nullopt};
  if (fill.value != nullptr && fill.value->count() != 1) {
    return view.Error("got ", fill.value->count(), " elements to fill with, wanted 1");
  }
  const std::optional<KnownIntegers> wanted = view.integers(0);
  if (!wanted) return result;
  ASSIGN_OR_RETURN(result.shape, DimensionsOf(view, *wanted));
  return result;
}

}  // namespace fourfold::graph
