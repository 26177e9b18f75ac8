#include <limits>

#include "server/graph/shapes.h"
#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Binary;
using graph::DataType;
using graph::Eltwise;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Reduce;
using graph::Tensor;
using graph::Value;
using graph::ValueId;
using kernels::Activation;

namespace {

struct Range {
  float low, high;
};

std::optional<Range> RangeOf(DataType type) {
  switch (type) {
    case DataType::kInt8: return Range{-128.0f, 127.0f};
    case DataType::kUint8: return Range{0.0f, 255.0f};
    case DataType::kInt16: return Range{-32768.0f, 32767.0f};
    case DataType::kUint16: return Range{0.0f, 65535.0f};
    default: return std::nullopt;
  }
}

// Writes one node of ONNX as several of ours, one behind the other.
class Expansion {
 public:
  explicit Expansion(Graph& graph) : graph_(graph), names_(graph) {}

  void Run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    for (Node& node : nodes) {
      name_ = node.name;
      if (!Expand(node)) result_.push_back(std::move(node));
    }
    graph_.nodes = std::move(result_);
  }

 private:
  bool Expand(const Node& node) {
    if (const auto* quantize = node.as<graph::Quantize>())
      return node.inputs.size() > 1 && ExpandQuantize(node, quantize->axis);
    if (const auto* dequantize = node.as<graph::Dequantize>())
      return node.inputs.size() > 1 && ExpandDequantize(node, dequantize->axis);
    const auto* dynamic = node.as<graph::DynamicQuantize>();
    return dynamic != nullptr && !dynamic->per_sample && ExpandDynamic(node);
  }

  ValueId NewValue() {
    Value value;
    value.name = names_.Value(name_ + "_part");
    return graph_.AddValue(std::move(value));
  }

  ValueId Emit(graph::Operation operation, std::vector<ValueId> inputs) {
    const ValueId result = NewValue();
    Emit(std::move(operation), std::move(inputs), result);
    return result;
  }

  void Emit(graph::Operation operation, std::vector<ValueId> inputs, ValueId result) {
    result_.push_back(
        {names_.Node(name_ + "_part"), std::move(operation), std::move(inputs), {result}});
  }

  ValueId Arithmetic(Binary::Operation operation, ValueId a, ValueId b) {
    return Emit(Binary{operation, {}}, {a, b});
  }

  ValueId Function(Eltwise::Function function, ValueId x) {
    Eltwise eltwise;
    eltwise.function = function;
    return Emit(eltwise, {x});
  }

  ValueId Clip(ValueId x, Range range) {
    Eltwise eltwise;
    eltwise.activation = {Activation::Kind::kClip, range.low, range.high};
    return Emit(eltwise, {x});
  }

  ValueId Number(float number) {
    return graph_.AddConstant(names_.Value(name_ + "_number"),
                              Tensor::Of(DataType::kFloat32, {}, std::vector<float>{number}));
  }

  // Scale or zero point as float32, in a shape that broadcasts to x; nothing where the rank of x is
  // needed for that and not known.
  std::optional<ValueId> Parameter(ValueId parameter, ValueId x, int64_t axis) {
    const Value& value = graph_.value(parameter);
    if (graph_.value(parameter).type != DataType::kFloat32)
      parameter = Emit(graph::Cast{DataType::kFloat32}, {parameter});
    const auto& shape = value.shape;
    if (!shape || shape->size() != 1) return parameter;  // a number, or one for each element
    std::vector<int64_t> dims;
    if ((*shape)[0] != 1) {
      const auto& of_x = graph_.value(x).shape;
      const std::optional<size_t> dim =
          of_x ? graph::NormalizeAxis(axis, of_x->size()) : std::nullopt;
      if (!dim) return std::nullopt;
      if (*dim + 1 == of_x->size()) return parameter;
      dims.assign(of_x->size() - *dim, 1);
      dims[0] = (*shape)[0];
    }
    const ValueId wanted =
        graph_.AddConstant(names_.Value(name_ + "_shape"),
                           Tensor::Of(DataType::kInt64, {static_cast<int64_t>(dims.size())}, dims));
    return Emit(graph::Reshape{}, {parameter, wanted});
  }

  bool ExpandQuantize(const Node& node, int64_t axis) {
    const DataType type =
        node.input(2) == kNoValue ? DataType::kUint8 : graph_.value(node.inputs[2]).type;
    const std::optional<Range> range = RangeOf(type);
    if (!range) return false;
    const size_t before = result_.size();
    const std::optional<ValueId> scale = Parameter(node.inputs[1], node.inputs[0], axis);
    const std::optional<ValueId> zero =
        node.input(2) == kNoValue ? Number(0.0f) : Parameter(node.inputs[2], node.inputs[0], axis);
    if (!scale || !zero) {
      result_.resize(before);
      return false;
    }
    ValueId x = Arithmetic(Binary::Operation::kDiv, node.inputs[0], *scale);
    x = Arithmetic(Binary::Operation::kAdd, Function(Eltwise::Function::kRound, x), *zero);
    Emit(graph::Cast{type}, {Clip(x, *range)}, node.outputs[0]);
    return true;
  }

  bool ExpandDequantize(const Node& node, int64_t axis) {
    const size_t before = result_.size();
    ValueId x = Emit(graph::Cast{DataType::kFloat32}, {node.inputs[0]});
    const std::optional<ValueId> scale = Parameter(node.inputs[1], node.inputs[0], axis);
    const std::optional<ValueId> zero =
        node.input(2) == kNoValue ? kNoValue : Parameter(node.inputs[2], node.inputs[0], axis);
    if (!scale || !zero) {
      result_.resize(before);
      return false;
    }
    if (*zero != kNoValue) x = Arithmetic(Binary::Operation::kSub, x, *zero);
    Emit(Binary{Binary::Operation::kMul, {}}, {x, *scale}, node.outputs[0]);
    return true;
  }

  ValueId Extreme(Reduce::Operation operation, Binary::Operation with_zero, ValueId x) {
    Reduce reduce;
    reduce.operation = operation;
    reduce.keep_dims = false;
    return Arithmetic(with_zero, Emit(reduce, {x}), Number(0.0f));
  }

  // As kernels/quantize.h says of one sample: the scale is 1 where all elements are 0.
  bool ExpandDynamic(const Node& node) {
    const ValueId x = node.inputs[0];
    const ValueId high = Extreme(Reduce::Operation::kMax, Binary::Operation::kMax, x);
    const ValueId low = Extreme(Reduce::Operation::kMin, Binary::Operation::kMin, x);
    const ValueId width = Arithmetic(Binary::Operation::kSub, high, low);
    const ValueId step = Arithmetic(Binary::Operation::kDiv, width, Number(255.0f));
    const ValueId is_flat =
        Arithmetic(Binary::Operation::kSub, Number(1.0f), Function(Eltwise::Function::kSign, step));
    const auto output = [&](size_t i) {
      return i < node.outputs.size() && node.outputs[i] != kNoValue ? node.outputs[i] : NewValue();
    };
    const ValueId scale = output(1);
    Emit(Binary{}, {step, is_flat}, scale);
    constexpr Range kBytes{0.0f, 255.0f};
    const ValueId below = Function(Eltwise::Function::kNeg, low);
    const ValueId zero =
        Clip(Function(Eltwise::Function::kRound, Arithmetic(Binary::Operation::kDiv, below, scale)),
             kBytes);
    Emit(graph::Cast{DataType::kUint8}, {zero}, output(2));
    const ValueId steps =
        Function(Eltwise::Function::kRound, Arithmetic(Binary::Operation::kDiv, x, scale));
    const ValueId stored = Clip(Arithmetic(Binary::Operation::kAdd, steps, zero), kBytes);
    Emit(graph::Cast{DataType::kUint8}, {stored}, output(0));
    return true;
  }

  Graph& graph_;
  NewNames names_;
  std::string name_;  // of the node that is written otherwise
  std::vector<Node> result_;
};

}  // namespace

absl::Status ExpandQuantization(Graph& graph) {
  Expansion(graph).Run();
  return absl::OkStatus();
}

}  // namespace fourfold::passes
