// Shapes of operations with windows: convolution and pooling.
#include <algorithm>

#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

// Attributes within this bound cannot overflow the arithmetic below.
constexpr int64_t kMaxWindowValue = int64_t{1} << 30;

std::string ListText(const std::vector<int64_t>& list) { return ShapeText(list); }

absl::Status CheckList(absl::string_view what, const std::vector<int64_t>& list, size_t count,
                       int64_t lowest) {
  if (list.size() != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", what, " ", ListText(list), ", wanted ", count, " numbers"));
  }
  for (int64_t number : list) {
    if (number < lowest || number > kMaxWindowValue) {
      return absl::InvalidArgumentError(absl::StrCat("got ", what, " ", ListText(list),
                                                     ", wanted numbers from ", lowest, " to ",
                                                     kMaxWindowValue));
    }
  }
  return absl::OkStatus();
}

// Elements that a window reaches over.
int64_t Extent(const Window& window, size_t i) {
  return (window.kernel[i] - 1) * window.dilations[i] + 1;
}

// How many windows fit; `image` has to be known. Negative: not one.
int64_t WindowCount(const Window& window, size_t i, int64_t image, bool ceil_mode) {
  const size_t rank = window.kernel.size();
  const int64_t begin = window.pads[i], end = window.pads[i + rank], stride = window.strides[i];
  const int64_t room = image + begin + end - Extent(window, i);
  if (room < 0) return -1;
  int64_t count = (ceil_mode ? room + stride - 1 : room) / stride + 1;
  // The last window has to start inside the image or its left padding.
  if (ceil_mode && (count - 1) * stride >= image + begin) --count;
  return count;
}

absl::StatusOr<Shape> WindowedShape(const NodeView& view, const Window& given,
                                    const std::vector<int64_t>& kernel, bool ceil_mode) {
  const Shape& x = *view.shape(0);
  const size_t rank = kernel.size();
  Shape shape(2 + rank, kUnknownDim);
  shape[0] = x[0];
  for (size_t i = 0; i < rank; ++i) {
    // One dimension at a time: any of them may be unknown. An unknown one is checked as if it were
    // long.
    std::vector<int64_t> image(rank, kMaxWindowValue);
    const bool known = x[2 + i] != kUnknownDim && kernel[i] != kUnknownDim;
    std::vector<int64_t> checked_kernel = kernel;
    for (int64_t& size : checked_kernel) size = size == kUnknownDim ? 1 : size;
    if (known) image[i] = x[2 + i];
    absl::StatusOr<Window> window = ResolveWindow(given, image, checked_kernel);
    if (!window.ok()) return view.Error(window.status().message());
    if (!known) continue;
    const int64_t count = WindowCount(*window, i, image[i], ceil_mode);
    if (count < 0) {
      return view.Error("got ", view.Text(0), " padded by ", ListText(window->pads),
                        ", wanted room for a window of ", Extent(*window, i), " in dimension ",
                        2 + i);
    }
    shape[2 + i] = count;
  }
  return shape;
}

}  // namespace

absl::StatusOr<Window> ResolveWindow(const Window& window, const std::vector<int64_t>& image,
                                     const std::vector<int64_t>& kernel) {
  const size_t rank = image.size();
  Window result = window;
  if (result.kernel.empty()) result.kernel = kernel;
  if (result.strides.empty()) result.strides.assign(rank, 1);
  if (result.dilations.empty()) result.dilations.assign(rank, 1);
  if (result.pads.empty() || window.auto_pad != AutoPad::kExplicit) result.pads.assign(2 * rank, 0);
  RETURN_IF_ERROR(CheckList("kernel", result.kernel, rank, 1));
  RETURN_IF_ERROR(CheckList("strides", result.strides, rank, 1));
  RETURN_IF_ERROR(CheckList("dilations", result.dilations, rank, 1));
  RETURN_IF_ERROR(CheckList("pads", result.pads, 2 * rank, 0));
  if (!kernel.empty() && kernel != result.kernel) {
    return absl::InvalidArgumentError(absl::StrCat(
        "got kernel ", ListText(result.kernel), ", wanted that of the weights ", ListText(kernel)));
  }
  result.auto_pad = AutoPad::kExplicit;
  if (window.auto_pad == AutoPad::kExplicit || window.auto_pad == AutoPad::kValid) return result;
  for (size_t i = 0; i < rank; ++i) {
    if (image[i] < 0 || image[i] > kMaxTensorBytes) {
      return absl::InvalidArgumentError(absl::StrCat("got image ", ListText(image),
                                                     ", wanted known sizes for automatic padding"));
    }
    const int64_t stride = result.strides[i];
    const int64_t count = (image[i] + stride - 1) / stride;
    const int64_t total = std::max<int64_t>(0, (count - 1) * stride + Extent(result, i) - image[i]);
    const int64_t smaller = total / 2, larger = total - smaller;
    const bool upper = window.auto_pad == AutoPad::kSameUpper;
    result.pads[i] = upper ? smaller : larger;
    result.pads[i + rank] = upper ? larger : smaller;
  }
  return result;
}

absl::StatusOr<std::optional<Shape>> ConvolvedShape(const NodeView& view, const Window& window,
                                                    int64_t groups) {
  if (groups < 1) return view.Error("got ", groups, " groups, wanted at least 1");
  if (!view.shape(1)) return std::optional<Shape>();
  const Shape& weights = *view.shape(1);
  if (weights.size() < 3) {
    return view.Error("got weights ", view.Text(1), ", wanted [O, I/groups, kernel...]");
  }
  const int64_t channels_out = weights[0];
  if (channels_out != kUnknownDim && channels_out % groups != 0) {
    return view.Error("got weights ", view.Text(1), ", wanted output channels that divide into ",
                      groups, " groups");
  }
  Shape shape(weights.size(), kUnknownDim);
  shape[1] = channels_out;
  if (!view.shape(0)) return shape;
  const Shape& x = *view.shape(0);
  if (x.size() != weights.size()) {
    return view.Error("got ", view.Text(0), " with weights ", view.Text(1),
                      ", wanted as many dimensions");
  }
  if (x[1] != kUnknownDim && weights[1] != kUnknownDim) {
    const std::optional<int64_t> wanted = CheckedMultiply(weights[1], groups);
    if (!wanted || *wanted != x[1]) {
      return view.Error("got ", x[1], " channels of ", view.Text(0), ", wanted ", weights[1], " x ",
                        groups, " groups for weights ", view.Text(1));
    }
  }
  ASSIGN_OR_RETURN(shape, WindowedShape(view, window, {weights.begin() + 2, weights.end()}, false));
  shape[1] = channels_out;
  return shape;
}

absl::StatusOr<Inferred> InferConv(const NodeView& view, const Conv& conv) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  const bool dynamic = view.has(4);
  if (!dynamic) RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(view.RequireFloat(1));
  RETURN_IF_ERROR(view.RequireSameFloats());
  Inferred result{dynamic ? DataType::kFloat32 : view.type(0), std::nullopt};
  ASSIGN_OR_RETURN(result.shape, ConvolvedShape(view, conv.window, conv.groups));
  if (!result.shape) return result;
  const int64_t channels_out = (*result.shape)[1];
  if (view.has(2) && view.shape(2) && !Compatible(*view.shape(2), {channels_out})) {
    return view.Error("got bias ", view.Text(2), ", wanted ", ShapeText({channels_out}));
  }
  if (view.has(3) && view.shape(3) && !Compatible(*view.shape(3), *result.shape)) {
    return view.Error("got residual ", view.Text(3), ", wanted ", ShapeText(*result.shape));
  }
  return result;
}

absl::StatusOr<std::vector<Inferred>> InferPool(const NodeView& view, const Pool& pool) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  const bool maximum = pool.kind == Pool::Kind::kMax;
  const auto outputs = [&](std::optional<Shape> shape) {
    std::vector<Inferred> result{{view.type(0), shape}};
    if (maximum && !pool.global) result.push_back({DataType::kInt64, std::move(shape)});
    return result;
  };
  if (!view.shape(0)) return outputs(std::nullopt);
  const Shape& x = *view.shape(0);
  if (x.size() < 3) return view.Error("got ", view.Text(0), ", wanted batch, channels and space");
  if (pool.global) {
    Shape shape(x.size(), 1);
    shape[0] = x[0];
    shape[1] = x[1];
    return outputs(shape);
  }
  if (pool.window.kernel.size() != x.size() - 2) {
    return view.Error("got kernel ", ListText(pool.window.kernel), " for ", view.Text(0),
                      ", wanted ", x.size() - 2, " numbers");
  }
  ASSIGN_OR_RETURN(Shape shape,
                   WindowedShape(view, pool.window, pool.window.kernel, pool.ceil_mode));
  shape[1] = x[1];
  return outputs(shape);
}

}  // namespace fourfold::graph
