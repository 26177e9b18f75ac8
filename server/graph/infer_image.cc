// Shapes of operations on images beside convolution and pooling.
#include <algorithm>

#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/shapes.h"
#include "server/graph/transposed_window.h"

namespace fourfold::graph {

namespace {

using Outputs = absl::StatusOr<std::vector<Inferred>>;

std::vector<Inferred> One(DataType type, std::optional<Shape> shape) {
  return {Inferred{type, std::move(shape)}};
}

absl::Status RequireType(const NodeView& view, size_t i, DataType type) {
  if (!view.has(i) || view.type(i) == type) return absl::OkStatus();
  return view.Error("input ", i, " '", view.value(i).name, "' is ", TypeText(view.type(i)),
                    ", wanted ", TypeText(type));
}

// Error unless input i has such a shape, as far as it is known; -1 admits any dimension.
absl::Status RequireShape(const NodeView& view, size_t i, const Shape& wanted) {
  if (!view.has(i) || !view.shape(i) || Compatible(*view.shape(i), wanted)) return absl::OkStatus();
  return view.Error("got ", view.Text(i), ", wanted ", ShapeText(wanted));
}

int64_t DimOf(const NodeView& view, size_t i, size_t d) {
  return view.shape(i) && d < view.shape(i)->size() ? (*view.shape(i))[d] : kUnknownDim;
}

}  // namespace

Outputs Infer(const NodeView& view, const ConvTranspose& conv) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(view.RequireFloat(1));
  if (conv.groups < 1) return view.Error("got ", conv.groups, " groups, wanted at least 1");
  if (!view.shape(1)) return One(view.type(0), std::nullopt);
  const Shape& weights = *view.shape(1);
  if (weights.size() < 3) {
    return view.Error("got weights ", view.Text(1), ", wanted [I, O/groups, kernel...]");
  }
  Shape shape(weights.size(), kUnknownDim);
  if (weights[1] != kUnknownDim) {
    const std::optional<int64_t> channels = CheckedMultiply(weights[1], conv.groups);
    if (!channels) return view.Error("got weights ", view.Text(1), " and ", conv.groups, " groups");
    shape[1] = *channels;
  }
  if (weights[0] != kUnknownDim && weights[0] % conv.groups != 0) {
    return view.Error("got weights ", view.Text(1), ", wanted input channels that divide into ",
                      conv.groups, " groups");
  }
  RETURN_IF_ERROR(RequireShape(view, 2, {shape[1]}));
  if (!view.shape(0)) return One(view.type(0), shape);
  const Shape& x = *view.shape(0);
  if (x.size() != weights.size() || !Compatible(x[1], weights[0])) {
    return view.Error("got ", view.Text(0), " with weights ", view.Text(1),
                      ", wanted as many dimensions and equal input channels");
  }
  shape[0] = x[0];
  // Dimensions that are not known are resolved as if they were one, and then forgotten.
  std::vector<int64_t> image(x.begin() + 2, x.end()), kernel(weights.begin() + 2, weights.end());
  for (std::vector<int64_t>* sizes : {&image, &kernel}) {
    for (int64_t& size : *sizes) size = size == kUnknownDim ? 1 : size;
  }
  const bool known = IsStatic(Shape(x.begin() + 2, x.end())) &&
                     IsStatic(Shape(weights.begin() + 2, weights.end()));
  const absl::StatusOr<TransposedWindow> window = ResolveTransposedWindow(conv, image, kernel);
  if (!window.ok()) {
    if (known) return view.Error(window.status().message());
    return One(view.type(0), shape);
  }
  for (size_t i = 2; i < shape.size(); ++i) {
    const bool given = !conv.output_shape.empty();
    if (given || (x[i] != kUnknownDim && weights[i] != kUnknownDim)) {
      shape[i] = window->output[i - 2];
    }
  }
  return One(view.type(0), shape);
}

Outputs Infer(const NodeView& view, const MaxUnpool& unpool) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(RequireType(view, 1, DataType::kInt64));
  if (view.shape(0) && view.shape(1) && !Compatible(*view.shape(0), *view.shape(1))) {
    return view.Error("got ", view.Text(0), " and indices ", view.Text(1), ", wanted equal shapes");
  }
  if (view.has(2)) {
    const std::optional<KnownIntegers> wanted = view.integers(2);
    if (!wanted) return One(view.type(0), std::nullopt);
    if (view.shape(0) && view.shape(0)->size() != wanted->size()) {
      return view.Error("got ", wanted->size(), " dimensions for ", view.Text(0),
                        ", wanted as many");
    }
    Shape shape;
    for (const std::optional<int64_t>& dim : *wanted) {
      shape.push_back(dim.value_or(kUnknownDim));
      if (shape.back() < kUnknownDim || (dim && *dim < 0)) {
        return view.Error("got a dimension of ", *dim);
      }
    }
    return One(view.type(0), shape);
  }
  if (!view.shape(0)) return One(view.type(0), std::nullopt);
  const absl::StatusOr<Shape> shape = UnpooledShape(unpool, *view.shape(0));
  if (!shape.ok()) return view.Error(shape.status().message());
  return One(view.type(0), *shape);
}

Outputs Infer(const NodeView& view, const MaxRoiPool& pool) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(RequireShape(view, 0, {-1, -1, -1, -1}));
  RETURN_IF_ERROR(RequireShape(view, 1, {-1, 5}));
  if (pool.pooled.size() != 2 || pool.pooled[0] < 1 || pool.pooled[1] < 1) {
    return view.Error("got pooled_shape ", ShapeText(pool.pooled), ", wanted two numbers above 0");
  }
  return One(view.type(0),
             Shape{DimOf(view, 1, 0), DimOf(view, 0, 1), pool.pooled[0], pool.pooled[1]});
}

Outputs Infer(const NodeView& view, const RoiAlign& align) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(RequireType(view, 2, DataType::kInt64));
  RETURN_IF_ERROR(RequireShape(view, 0, {-1, -1, -1, -1}));
  RETURN_IF_ERROR(RequireShape(view, 1, {DimOf(view, 2, 0), 4}));
  RETURN_IF_ERROR(RequireShape(view, 2, {-1}));
  if (align.output_height < 1 || align.output_width < 1 || align.sampling_ratio < 0) {
    return view.Error("got an output of ", align.output_height, " x ", align.output_width,
                      " and sampling_ratio ", align.sampling_ratio);
  }
  return One(view.type(0),
             Shape{DimOf(view, 1, 0), DimOf(view, 0, 1), align.output_height, align.output_width});
}

Outputs Infer(const NodeView& view, const GridSample& sample) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(view.RequireFloat(1));
  if (!view.shape(0)) return One(view.type(0), std::nullopt);
  const Shape& x = *view.shape(0);
  const bool cubic = sample.mode == GridSample::Mode::kCubic;
  if (x.size() < 4 || x.size() > (cubic ? 4 : 5)) {
    return view.Error("got ", view.Text(0), ", wanted ", cubic ? "4" : "4 or 5", " dimensions");
  }
  Shape grid(x.size(), kUnknownDim);
  grid.front() = x[0];
  grid.back() = static_cast<int64_t>(x.size()) - 2;
  RETURN_IF_ERROR(RequireShape(view, 1, grid));
  Shape shape = {x[0], x[1]};
  for (size_t d = 1; d + 1 < x.size(); ++d) shape.push_back(DimOf(view, 1, d));
  return One(view.type(0), shape);
}

Outputs Infer(const NodeView& view, const NonMaxSuppression& /*select*/) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(view.RequireFloat(1));
  RETURN_IF_ERROR(RequireShape(view, 0, {DimOf(view, 1, 0), DimOf(view, 1, 2), 4}));
  RETURN_IF_ERROR(RequireShape(view, 1, {-1, -1, -1}));
  return One(DataType::kInt64, Shape{kUnknownDim, 3});
}

}  // namespace fourfold::graph
