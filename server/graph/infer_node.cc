#include "server/graph/infer_node.h"

#include "server/base/status_macros.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

std::optional<KnownIntegers> NodeView::integers(size_t i) const {
  if (!has(i)) return std::nullopt;
  const Value& input = value(i);
  if (input.constant != nullptr) {
    if (IsFloatingPoint(input.constant->type())) return std::nullopt;
    const std::vector<int64_t> elements = input.constant->ToInt64();
    return KnownIntegers(elements.begin(), elements.end());
  }
  if (contents_ != nullptr) {
    if (const auto it = contents_->find(node_.inputs[i]); it != contents_->end()) return it->second;
  }
  // Their number alone tells a rank.
  if (input.shape && input.shape->size() == 1 && (*input.shape)[0] >= 0 &&
      (*input.shape)[0] <= static_cast<int64_t>(kMaxRank)) {
    return KnownIntegers(static_cast<size_t>((*input.shape)[0]));
  }
  return std::nullopt;
}

std::optional<std::vector<int64_t>> NodeView::known_integers(size_t i) const {
  const std::optional<KnownIntegers> elements = integers(i);
  if (!elements) return std::nullopt;
  std::vector<int64_t> result;
  result.reserve(elements->size());
  for (const std::optional<int64_t>& element : *elements) {
    if (!element) return std::nullopt;
    result.push_back(*element);
  }
  return result;
}

std::string NodeView::Text(size_t i) const {
  const Value& input = value(i);
  return absl::StrCat("'", input.name, "' ",
                      input.shape ? ShapeText(*input.shape) : "of unknown rank");
}

absl::Status NodeView::RequireInputs(size_t count) const {
  for (size_t i = 0; i < count; ++i) {
    if (!has(i)) return Error("input ", i, " is missing, wanted ", count, " inputs");
  }
  return absl::OkStatus();
}

absl::Status NodeView::RequireFloat(size_t i) const {
  if (IsFloatingPoint(type(i))) return absl::OkStatus();
  return Error("input ", i, " '", value(i).name, "' is ", TypeText(type(i)),
               ", wanted a floating-point type");
}

absl::Status NodeView::RequireSameFloats() const {
  const bool half_weights = type(0) == DataType::kFloat32 && type(1) == DataType::kFloat16;
  if (has(4) || type(0) == type(1) || half_weights) return absl::OkStatus();
  return Error("got '", value(0).name, "' of ", TypeText(type(0)), " and '", value(1).name, "' of ",
               TypeText(type(1)), ", wanted equal types");
}

absl::StatusOr<std::optional<Shape>> MultipliedShape(const NodeView& view, const MatMul& matmul) {
  if (!view.shape(0) || !view.shape(1)) return std::optional<Shape>();
  Shape lhs = *view.shape(0), rhs = *view.shape(1);
  if (lhs.empty() || rhs.empty()) {
    return view.Error("got ", view.Text(0), " and ", view.Text(1),
                      ", wanted at least one dimension each");
  }
  const bool lhs_vector = lhs.size() == 1, rhs_vector = rhs.size() == 1;
  if (lhs_vector) lhs.insert(lhs.begin(), 1);
  if (rhs_vector) rhs.push_back(1);
  if (matmul.transpose_lhs && !lhs_vector) std::swap(lhs[lhs.size() - 1], lhs[lhs.size() - 2]);
  if (matmul.transpose_rhs && !rhs_vector) std::swap(rhs[rhs.size() - 1], rhs[rhs.size() - 2]);
  const int64_t lhs_k = lhs.back(), rhs_k = rhs[rhs.size() - 2];
  if (!Compatible(lhs_k, rhs_k)) {
    return view.Error("got ", view.Text(0), " times ", view.Text(1),
                      ", wanted equal inner dimensions, not ", lhs_k, " and ", rhs_k);
  }
  const std::optional<Shape> batch =
      Broadcast(Shape(lhs.begin(), lhs.end() - 2), Shape(rhs.begin(), rhs.end() - 2));
  if (!batch) {
    return view.Error("got ", view.Text(0), " times ", view.Text(1),
                      ", wanted batch dimensions that broadcast");
  }
  Shape shape = *batch;
  if (!lhs_vector) shape.push_back(lhs[lhs.size() - 2]);
  if (!rhs_vector) shape.push_back(rhs.back());
  return shape;
}

absl::StatusOr<Inferred> InferMatMul(const NodeView& view, const MatMul& matmul) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  const bool dynamic = view.has(4);
  if (!dynamic) RETURN_IF_ERROR(view.RequireFloat(0));
  if (!view.has(5)) RETURN_IF_ERROR(view.RequireFloat(1));  // else integers with parameters
  RETURN_IF_ERROR(view.RequireSameFloats());
  Inferred result{dynamic ? DataType::kFloat32 : view.type(0), std::nullopt};
  ASSIGN_OR_RETURN(result.shape, MultipliedShape(view, matmul));
  if (!result.shape) return result;
  const Shape& shape = *result.shape;
  if (view.has(2) && view.shape(2)) {
    const std::optional<Shape> sum = Broadcast(shape, *view.shape(2));
    if (!sum || !Compatible(*sum, shape)) {
      return view.Error("got bias ", view.Text(2), ", wanted one that broadcasts to ",
                        ShapeText(shape));
    }
  }
  if (view.has(3) && view.shape(3) && !Compatible(*view.shape(3), shape)) {
    return view.Error("got residual ", view.Text(3), ", wanted ", ShapeText(shape));
  }
  return result;
}

namespace {

absl::StatusOr<Inferred> SameAsInput(const NodeView& view) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  return Inferred{view.type(0), view.shape(0)};
}

absl::StatusOr<Inferred> InferBatchNorm(const NodeView& view) {
  RETURN_IF_ERROR(view.RequireInputs(5));
  RETURN_IF_ERROR(view.RequireFloat(0));
  if (view.shape(0)) {
    if (view.shape(0)->size() < 2) {
      return view.Error("got ", view.Text(0), ", wanted batch and channel dimensions");
    }
    const int64_t channels = (*view.shape(0))[1];
    for (size_t i = 1; i < 5; ++i) {
      if (view.shape(i) && !Compatible(*view.shape(i), {channels})) {
        return view.Error("got ", view.Text(i), " for input ", view.Text(0), ", wanted ",
                          ShapeText({channels}));
      }
    }
  }
  return SameAsInput(view);
}

// Scale and zero point of Quantize and Dequantize as imported: scalars, one per slice along axis,
// or one per element.
absl::Status CheckQuantizationInputs(const NodeView& view, int64_t axis) {
  RETURN_IF_ERROR(view.RequireFloat(1));
  if (view.has(2) && view.shape(1) && view.shape(2) &&
      !Compatible(*view.shape(1), *view.shape(2))) {
    return view.Error("got scale ", view.Text(1), " and zero point ", view.Text(2),
                      ", wanted as many of both");
  }
  for (size_t i = 1; i <= 2; ++i) {
    if (!view.has(i) || !view.shape(i) || !view.shape(0)) continue;
    const Shape& parameter = *view.shape(i);
    if (parameter.empty() || (parameter.size() == 1 && parameter[0] == 1)) continue;
    if (parameter.size() == view.shape(0)->size() && Compatible(parameter, *view.shape(0)))
      continue;
    const std::optional<size_t> dim = NormalizeAxis(axis, view.shape(0)->size());
    if (parameter.size() != 1 || !dim || !Compatible(parameter[0], (*view.shape(0))[*dim])) {
      return view.Error("got ", i == 1 ? "scale " : "zero point ", view.Text(i),
                        ", wanted a scalar or one per slice of ", view.Text(0), " along axis ",
                        axis);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Inferred> InferQuantize(const NodeView& view, const Quantize& quantize) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  if (view.node().inputs.size() == 1) return SameAsInput(view);  // means the same real numbers
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(CheckQuantizationInputs(view, quantize.axis));
  return Inferred{view.has(2) ? view.value(2).type : DataType::kUint8, view.shape(0)};
}

absl::StatusOr<Inferred> InferDequantize(const NodeView& view, const Dequantize& dequantize) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  if (view.node().inputs.size() == 1) {
    if (!view.value(0).quantization) {
      return view.Error("got '", view.value(0).name, "' without quantization, wanted a scale");
    }
    return SameAsInput(view);
  }
  RETURN_IF_ERROR(view.RequireInputs(2));
  if (IsFloatingPoint(view.type(0))) {
    return view.Error("got '", view.value(0).name, "' of ", TypeText(view.type(0)),
                      ", wanted an integer type");
  }
  if (view.has(2) && view.type(2) != view.type(0)) {
    return view.Error("got '", view.value(0).name, "' of ", TypeText(view.type(0)),
                      " and a zero point of ", TypeText(view.type(2)), ", wanted equal types");
  }
  RETURN_IF_ERROR(CheckQuantizationInputs(view, dequantize.axis));
  return Inferred{DataType::kFloat32, view.shape(0)};
}

absl::StatusOr<std::vector<Inferred>> InferDynamicQuantize(const NodeView& view,
                                                           const DynamicQuantize& quantize) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  std::vector<Inferred> result{{DataType::kUint8, view.shape(0)}};
  if (quantize.per_sample) {
    if (view.shape(0) && view.shape(0)->empty())
      return view.Error("got a scalar, wanted a batch dimension");
    std::optional<Shape> samples;
    if (view.shape(0)) samples = Shape{view.shape(0)->front()};
    result.push_back({kDynamicParametersType, samples});
  } else {
    result.push_back({DataType::kFloat32, Shape{}});
    result.push_back({DataType::kUint8, Shape{}});
  }
  return result;
}

template <typename... Rules>
struct Overloaded : Rules... {
  using Rules::operator()...;
};
template <typename... Rules>
Overloaded(Rules...) -> Overloaded<Rules...>;

absl::StatusOr<std::vector<Inferred>> One(absl::StatusOr<Inferred> output) {
  RETURN_IF_ERROR(output.status());
  return std::vector<Inferred>{*std::move(output)};
}

absl::StatusOr<Inferred> InferCast(const NodeView& view, const Cast& cast) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  return Inferred{cast.to, view.shape(0)};
}

absl::StatusOr<std::vector<Inferred>> InferOutputs(const NodeView& view) {
  return std::visit(
      Overloaded{[&](const Conv& op) { return One(InferConv(view, op)); },
                 [&](const MatMul& op) { return One(InferMatMul(view, op)); },
                 [&](const Pool& op) { return InferPool(view, op); },
                 [&](const BatchNorm&) { return One(InferBatchNorm(view)); },
                 [&](const Concat& op) { return One(InferConcat(view, op)); },
                 [&](const Reduce& op) { return One(InferReduce(view, op)); },
                 [&](const Pad&) { return One(InferPad(view)); },
                 [&](const Resize& op) { return One(InferResize(view, op)); },
                 [&](const Transpose& op) { return One(InferTranspose(view, op)); },
                 [&](const Reshape& op) { return One(InferReshape(view, op)); },
                 [&](const Flatten& op) { return One(InferFlatten(view, op)); },
                 [&](const Squeeze&) { return One(InferSqueeze(view)); },
                 [&](const Unsqueeze&) { return One(InferUnsqueeze(view)); },
                 [&](const Slice&) { return One(InferSlice(view)); },
                 [&](const Gather& op) { return One(InferGather(view, op)); },
                 [&](const Expand&) { return One(InferExpand(view)); },
                 [&](const ShapeOf& op) { return One(InferShapeOf(view, op)); },
                 [&](const ConstantOfShape& op) { return One(InferConstantOfShape(view, op)); },
                 [&](const Cast& op) { return One(InferCast(view, op)); },
                 [&](const Identity&) { return One(SameAsInput(view)); },
                 [&](const Quantize& op) { return One(InferQuantize(view, op)); },
                 [&](const Dequantize& op) { return One(InferDequantize(view, op)); },
                 [&](const DynamicQuantize& op) { return InferDynamicQuantize(view, op); },
                 [&](const auto& op) { return Infer(view, op); }},
      view.node().operation);
}

}  // namespace

absl::StatusOr<std::vector<Inferred>> InferNode(const NodeView& view) {
  ASSIGN_OR_RETURN(std::vector<Inferred> outputs, InferOutputs(view));
  for (const Inferred& output : outputs) {
    if (!output.shape) continue;
    if (absl::Status status = CheckShape(*output.shape, output.type); !status.ok()) {
      return view.Error("the result: ", status.message());
    }
  }
  if (view.node().outputs.size() > outputs.size()) {
    return view.Error("has ", view.node().outputs.size(), " outputs, wanted at most ",
                      outputs.size());
  }
  return outputs;
}

}  // namespace fourfold::graph
