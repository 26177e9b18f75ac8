// What is made of a few numbers, sums of products, losses and signals.
#include <algorithm>
#include <cmath>
#include <map>

#include "server/base/status_macros.h"
#include "server/graph/einsum.h"
#include "server/graph/infer_node.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using Outputs = absl::StatusOr<std::vector<Inferred>>;

// Elements of a Fourier transform: its tables take about 100 bytes for each.
constexpr int64_t kMaxTransform = int64_t{1} << 24;

Outputs One(DataType type, std::optional<Shape> shape) {
  return std::vector<Inferred>{{type, std::move(shape)}};
}

absl::Status RequireInteger(const NodeView& view, size_t i) {
  if (!IsFloatingPoint(view.type(i)) && view.type(i) != DataType::kBool) return absl::OkStatus();
  return view.Error("input ", i, " '", view.value(i).name, "' is ", TypeText(view.type(i)),
                    ", wanted an integer type");
}

// The one integer of an input of at least `least`; kUnknownDim where the input is not known.
absl::StatusOr<int64_t> Count(const NodeView& view, size_t i, int64_t least, int64_t most) {
  RETURN_IF_ERROR(RequireInteger(view, i));
  const std::optional<std::vector<int64_t>> known = view.known_integers(i);
  if (!known) return kUnknownDim;
  if (known->size() == 1 && known->front() >= least && known->front() <= most) {
    return known->front();
  }
  return view.Error("input ", i, " ", view.Text(i),
                    known->size() == 1 ? absl::StrCat(" is ", known->front()) : std::string(),
                    ", wanted one number from ", least, " to ", most);
}

// The one number of an input that is constant or known.
std::optional<double> Number(const NodeView& view, size_t i) {
  if (const TensorPtr& constant = view.value(i).constant;
      constant != nullptr && constant->count() == 1 && IsFloatingPoint(constant->type())) {
    return constant->type() == DataType::kFloat64 ? constant->as<double>()[0]
                                                  : static_cast<double>(constant->ToFloat()[0]);
  }
  const std::optional<std::vector<int64_t>> known = view.known_integers(i);
  if (!known || known->size() != 1) return std::nullopt;
  return static_cast<double>(known->front());
}

// Bins of a transform's result.
int64_t Bins(int64_t length, bool onesided) {
  return length == kUnknownDim || !onesided ? length : length / 2 + 1;
}

// The last dimension of a signal: 1 for real numbers, 2 for complex ones.
absl::Status CheckComponents(const NodeView& view, bool real, bool complex) {
  const int64_t components = view.shape(0)->back();
  if (components == kUnknownDim || (components == 1 && real) || (components == 2 && complex)) {
    return absl::OkStatus();
  }
  return view.Error("got ", view.Text(0), ", wanted ",
                    !complex ? "1"
                    : real   ? "1 or 2"
                             : "2",
                    " as its last dimension");
}

}  // namespace

Outputs Infer(const NodeView& view, const Det&) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  if (!view.shape(0)) return One(view.type(0), std::nullopt);
  Shape shape = *view.shape(0);
  if (shape.size() < 2 || !Compatible(shape[shape.size() - 1], shape[shape.size() - 2])) {
    return view.Error("got ", view.Text(0), ", wanted square matrices");
  }
  shape.resize(shape.size() - 2);
  return One(view.type(0), std::move(shape));
}

Outputs Infer(const NodeView& view, const Einsum& einsum) {
  const size_t count = view.node().inputs.size();
  RETURN_IF_ERROR(view.RequireInputs(std::max<size_t>(count, 1)));
  std::vector<size_t> ranks;
  for (size_t i = 0; i < count; ++i) {
    if (view.type(i) != view.type(0) || view.type(i) == DataType::kBool) {
      return view.Error("got '", view.value(i).name, "' of ", TypeText(view.type(i)),
                        ", wanted one numeric type");
    }
    if (view.shape(i)) ranks.push_back(view.shape(i)->size());
  }
  if (ranks.size() < count) return One(view.type(0), std::nullopt);
  const absl::StatusOr<EinsumLabels> labels = ParseEinsum(einsum.equation, ranks);
  if (!labels.ok()) return view.Error(labels.status().message());
  std::map<int, int64_t> dims;
  for (size_t i = 0; i < count; ++i) {
    for (size_t d = 0; d < ranks[i]; ++d) {
      int64_t& dim = dims.emplace(labels->operands[i][d], 1).first->second;
      const int64_t own = (*view.shape(i))[d];
      if (own == 1 || own == dim) continue;
      if (dim == 1 || dim == kUnknownDim) {
        dim = own;
      } else if (own != kUnknownDim) {
        return view.Error("got ", view.Text(i), ", wanted ", dim, " in dimension ", d,
                          " by the equation ", einsum.equation);
      }
    }
  }
  Shape shape;
  for (int label : labels->result) shape.push_back(dims.at(label));
  return One(view.type(0), std::move(shape));
}

Outputs Infer(const NodeView& view, const NegativeLogLikelihood& loss) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(RequireInteger(view, 1));
  if (view.has(2) && view.type(2) != view.type(0)) {
    return view.Error("got weights of ", TypeText(view.type(2)), ", wanted ",
                      TypeText(view.type(0)));
  }
  std::optional<Shape> shape = view.shape(1);
  if (view.shape(0)) {
    Shape wanted = *view.shape(0);
    if (wanted.size() < 2) return view.Error("got ", view.Text(0), ", wanted samples of classes");
    if (view.has(2) && view.shape(2) && !Compatible(*view.shape(2), {wanted[1]})) {
      return view.Error("got weights ", view.Text(2), ", wanted ", ShapeText({wanted[1]}));
    }
    wanted.erase(wanted.begin() + 1);
    if (shape && !Compatible(*shape, wanted)) {
      return view.Error("got targets ", view.Text(1), ", wanted ", ShapeText(wanted));
    }
    shape = std::move(wanted);
  }
  if (loss.reduction != NegativeLogLikelihood::Reduction::kNone) shape = Shape{};
  return One(view.type(0), std::move(shape));
}

Outputs Infer(const NodeView& view, const Range&) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  for (size_t i = 0; i < 3; ++i) {
    if (view.type(i) != view.type(0) || view.type(i) == DataType::kBool) {
      return view.Error("got '", view.value(i).name, "' of ", TypeText(view.type(i)),
                        ", wanted one numeric type");
    }
  }
  const std::optional<double> start = Number(view, 0), limit = Number(view, 1),
                              delta = Number(view, 2);
  if (!start || !limit || !delta) return One(view.type(0), Shape{kUnknownDim});
  const double count = std::ceil((*limit - *start) / *delta);
  if (!(count <= 1e15)) {
    return view.Error("got a range from ", *start, " to ", *limit, " in steps of ", *delta);
  }
  return One(view.type(0), Shape{static_cast<int64_t>(std::max(count, 0.0))});
}

Outputs Infer(const NodeView& view, const EyeLike& eye) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  if (view.shape(0) && view.shape(0)->size() != 2) {
    return view.Error("got ", view.Text(0), ", wanted two dimensions");
  }
  return One(eye.to, view.shape(0) ? *view.shape(0) : Shape{kUnknownDim, kUnknownDim});
}

Outputs Infer(const NodeView& view, const WindowFunction& window) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  ASSIGN_OR_RETURN(const int64_t size, Count(view, 0, 0, kMaxTensorBytes));
  return One(window.to, Shape{size});
}

Outputs Infer(const NodeView& view, const MelWeights& mel) {
  RETURN_IF_ERROR(view.RequireInputs(5));
  RETURN_IF_ERROR(RequireInteger(view, 2));
  RETURN_IF_ERROR(view.RequireFloat(3));
  RETURN_IF_ERROR(view.RequireFloat(4));
  ASSIGN_OR_RETURN(const int64_t bands, Count(view, 0, 0, kMaxTransform));
  ASSIGN_OR_RETURN(const int64_t length, Count(view, 1, 0, kMaxTransform));
  return One(mel.to, Shape{Bins(length, true), bands});
}

Outputs Infer(const NodeView& view, const Dft& dft) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  if (!view.shape(0)) return One(view.type(0), std::nullopt);
  Shape shape = *view.shape(0);
  if (shape.size() < 2) return view.Error("got ", view.Text(0), ", wanted two dimensions or more");
  // One side of a spectrum belongs to a real signal, whichever of them is given.
  const bool half = dft.onesided && dft.inverse;
  RETURN_IF_ERROR(CheckComponents(view, !half, half || !dft.onesided));
  shape.back() = half ? 1 : 2;
  int64_t axis = dft.axis;
  if (view.has(2)) {
    const std::optional<std::vector<int64_t>> known = view.known_integers(2);
    if (!known) {
      std::fill(shape.begin(), shape.end() - 1, kUnknownDim);
      return One(view.type(0), std::move(shape));
    }
    if (known->size() != 1) return view.Error("got axis ", view.Text(2), ", wanted one number");
    axis = known->front();
  }
  const std::optional<size_t> dim = NormalizeAxis(axis, shape.size());
  if (!dim || *dim + 1 == shape.size()) {
    return view.Error("got axis ", axis, " of ", view.Text(0),
                      ", wanted one of its dimensions but the last");
  }
  int64_t length = shape[*dim];
  if (half && length != kUnknownDim) length = 2 * std::min(length - 1, kMaxTransform);
  if (view.has(1)) {
    ASSIGN_OR_RETURN(length, Count(view, 1, 1, kMaxTransform));
  } else if (length != kUnknownDim && (length < 1 || length > kMaxTransform)) {
    return view.Error("got ", view.Text(0), ", wanted 1 to ", kMaxTransform,
                      " elements along its axis");
  }
  shape[*dim] = Bins(length, dft.onesided && !half);
  return One(view.type(0), std::move(shape));
}

Outputs Infer(const NodeView& view, const Stft& stft) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(view.RequireFloat(0));
  ASSIGN_OR_RETURN(const int64_t step, Count(view, 1, 1, kMaxTransform));
  int64_t length = kUnknownDim;
  if (view.has(2)) {
    if (view.type(2) != view.type(0)) {
      return view.Error("got a window of ", TypeText(view.type(2)), ", wanted ",
                        TypeText(view.type(0)));
    }
    if (view.shape(2)) {
      if (view.shape(2)->size() != 1) return view.Error("got a window ", view.Text(2));
      length = view.shape(2)->front();
    }
  } else if (!view.has(3)) {
    return view.Error("has neither a window nor a frame length");
  }
  if (view.has(3)) {
    ASSIGN_OR_RETURN(const int64_t given, Count(view, 3, 1, kMaxTransform));
    if (!Compatible(given, length)) {
      return view.Error("got a frame length of ", given, " and a window ", view.Text(2));
    }
    if (given != kUnknownDim) length = given;
  }
  if (length == 0 || length > kMaxTransform) {
    return view.Error("got a window ", view.Text(2), ", wanted 1 to ", kMaxTransform, " elements");
  }
  Shape shape = {kUnknownDim, kUnknownDim, Bins(length, stft.onesided), 2};
  if (view.shape(0)) {
    if (view.shape(0)->size() != 3) {
      return view.Error("got ", view.Text(0), ", wanted [batch, samples, 1 or 2]");
    }
    RETURN_IF_ERROR(CheckComponents(view, true, !stft.onesided));
    const int64_t samples = (*view.shape(0))[1];
    shape[0] = (*view.shape(0))[0];
    if (samples != kUnknownDim && length != kUnknownDim && step != kUnknownDim) {
      if (samples < length) {
        return view.Error("got ", view.Text(0), ", wanted ", length, " samples or more");
      }
      shape[1] = (samples - length) / step + 1;
    }
  }
  return One(view.type(0), std::move(shape));
}

}  // namespace fourfold::graph
