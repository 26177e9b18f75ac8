// RNN, GRU and LSTM: one Recurrent node per direction.

#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::kNoValue;
using graph::Recurrent;
using graph::Shape;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;
using Function = Recurrent::Function;
using Kind = Recurrent::Kind;

// Inputs by position, of ONNX and of graph::Recurrent alike.
enum : int { kX, kWeights, kRecurrence, kBias, kLengths, kInitialH, kInitialC, kPeepholes };

// A function as ONNX names it, with the defaults of its parameters; NaN: it takes none.
struct NamedFunction {
  absl::string_view name;
  Function function;
  float alpha;
  float beta;
};
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
constexpr NamedFunction kFunctions[] = {
    {"affine", Function::kAffine, 1.0f, 0.0f},
    {"elu", Function::kElu, 1.0f, kNone},
    {"hardsigmoid", Function::kHardSigmoid, 0.2f, 0.5f},
    {"leakyrelu", Function::kLeakyRelu, 0.01f, kNone},
    {"relu", Function::kRelu, kNone, kNone},
    {"scaledtanh", Function::kScaledTanh, 1.0f, 1.0f},
    {"sigmoid", Function::kSigmoid, kNone, kNone},
    {"softplus", Function::kSoftplus, kNone, kNone},
    {"softsign", Function::kSoftsign, kNone, kNone},
    {"tanh", Function::kTanh, kNone, kNone},
    {"thresholdedrelu", Function::kThresholdedRelu, 1.0f, kNone},
};

std::vector<std::string> DefaultFunctions(Kind kind) {
  if (kind == Kind::kRnn) return {"tanh"};
  if (kind == Kind::kGru) return {"sigmoid", "tanh"};
  return {"sigmoid", "tanh", "tanh"};
}

// The functions of all directions, one after another. Parameters are listed for those functions
// that take them, in their order.
absl::StatusOr<std::vector<Recurrent::GateFunction>> ReadFunctions(NodeBuilder& node, Kind kind,
                                                                   size_t directions) {
  std::vector<std::string> names = node.attributes().Strings("activations");
  const std::vector<float> alphas = node.attributes().Floats("activation_alpha");
  const std::vector<float> betas = node.attributes().Floats("activation_beta");
  const std::vector<std::string> defaults = DefaultFunctions(kind);
  if (names.empty()) {
    for (size_t i = 0; i < directions; ++i)
      names.insert(names.end(), defaults.begin(), defaults.end());
  }
  if (names.size() != directions * defaults.size()) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"activations\" holds ", names.size(),
                                                   " names, wanted ",
                                                   directions * defaults.size()));
  }
  std::vector<Recurrent::GateFunction> functions;
  size_t alpha = 0, beta = 0;
  for (const std::string& name : names) {
    const NamedFunction* found = nullptr;
    for (const NamedFunction& candidate : kFunctions) {
      if (candidate.name == absl::AsciiStrToLower(name)) found = &candidate;
    }
    if (found == nullptr)
      return absl::UnimplementedError(absl::StrCat("activation ", Quoted(name)));
    Recurrent::GateFunction function{found->function, found->alpha, found->beta};
    if (function.alpha != function.alpha) {
      function.alpha = 0.0f;
    } else if (alpha < alphas.size()) {
      function.alpha = alphas[alpha++];
    }
    if (function.beta != function.beta) {
      function.beta = 0.0f;
    } else if (beta < betas.size()) {
      function.beta = betas[beta++];
    }
    functions.push_back(function);
  }
  return functions;
}

// A part of a constant along its first dimension, without it; shares its memory.
TensorPtr Part(const TensorPtr& whole, size_t direction) {
  const Shape shape(whole->shape().begin() + 1, whole->shape().end());
  const size_t bytes =
      static_cast<size_t>(graph::ElementCount(shape)) * graph::ElementSize(whole->type());
  const auto* first = static_cast<const std::byte*>(whole->data()) + direction * bytes;
  return std::make_shared<const Tensor>(whole->type(), shape,
                                        std::shared_ptr<const void>(whole, first));
}

// Splits inputs by direction. Constants are split here, also behind the DequantizeLinear or the
// Cast that stores them in fewer bits, so that these stay in front of each part; computed values
// are split by nodes.
class Splitter {
 public:
  Splitter(NodeBuilder& node, size_t directions) : node_(node), directions_(directions) {}

  // The part of an input [directions, ...] without its first dimension.
  ValueId Direction(ValueId id, size_t direction, const std::string& name) {
    if (id == kNoValue) return kNoValue;
    if (const TensorPtr whole = Splittable(id))
      return node_.NewConstant(name, Part(whole, direction));
    const graph::Node* producer = node_.Producer(id);
    if (producer != nullptr && producer->as<graph::Cast>()) {
      if (const TensorPtr whole = Splittable(producer->inputs[0])) {
        const auto cast = *producer->as<graph::Cast>();
        const ValueId part = node_.NewConstant(name + "_stored", Part(whole, direction));
        return Emit(cast, {part}, name);
      }
    }
    if (producer != nullptr && producer->as<graph::Dequantize>()) {
      if (const ValueId part = Dequantized(*producer, direction, name); part != kNoValue)
        return part;
    }
    if (directions_ > 1) {
      const auto at = static_cast<int64_t>(direction);
      id = Emit(graph::Slice{},
                {id, node_.NewInt64s(name + "_start", {at}),
                 node_.NewInt64s(name + "_end", {at + 1}), node_.NewInt64s(name + "_axis", {0})},
                name + "_slice");
    }
    return Emit(graph::Squeeze{}, {id, node_.NewInt64s(name + "_axes", {0})}, name);
  }

  ValueId Emit(graph::Operation operation, std::vector<ValueId> inputs, const std::string& name) {
    const ValueId result = node_.NewValue(name);
    node_.Emit(std::move(operation), std::move(inputs), {result});
    return result;
  }

 private:
  // The constant, if its first dimension counts directions.
  TensorPtr Splittable(ValueId id) const {
    const TensorPtr& whole = node_.value(id).constant;
    if (whole == nullptr || whole->shape().size() < 2 ||
        whole->shape()[0] != static_cast<int64_t>(directions_)) {
      return nullptr;
    }
    return whole;
  }

  // kNoValue if it is none of a constant with constant parameters of one element, per direction or
  // along a later axis.
  ValueId Dequantized(const graph::Node& dequantize, size_t direction, const std::string& name) {
    const graph::Node original = dequantize;  // Emit moves the graph's nodes
    const TensorPtr whole = Splittable(original.inputs[0]);
    if (whole == nullptr) return kNoValue;
    const auto rank = static_cast<int64_t>(whole->shape().size());
    int64_t axis = original.as<graph::Dequantize>()->axis;
    if (axis < 0) axis += rank;
    std::vector<ValueId> inputs = {kNoValue};
    for (size_t i = 1; i < original.inputs.size(); ++i) {
      const ValueId id = original.inputs[i];
      if (id == kNoValue) continue;
      const TensorPtr& parameter = node_.value(id).constant;
      if (parameter == nullptr || parameter->shape().size() > 1) return kNoValue;
      if (parameter->count() == 1 || axis != 0) {
        inputs.push_back(id);
      } else if (parameter->count() == static_cast<int64_t>(directions_)) {
        inputs.push_back(
            node_.NewConstant(absl::StrCat(name, "_parameter_", i), Part(parameter, direction)));
      } else {
        return kNoValue;
      }
    }
    inputs[0] = node_.NewConstant(name + "_quantized", Part(whole, direction));
    return Emit(graph::Dequantize{.axis = axis > 0 ? axis - 1 : 0}, std::move(inputs), name);
  }

  NodeBuilder& node_;
  const size_t directions_;
};

absl::StatusOr<int64_t> HiddenSize(NodeBuilder& node) {
  const int64_t stated = node.attributes().Int("hidden_size", 0);
  if (stated != 0) return stated;
  const auto shape = node.KnownShape(node.input(kRecurrence));
  if (shape && shape->size() == 3 && shape->back() > 0) return shape->back();
  return absl::InvalidArgumentError("attribute \"hidden_size\" is missing");
}

struct Directions {
  size_t count = 1;
  bool first_reverse = false;
};

absl::StatusOr<Directions> ReadDirections(NodeBuilder& node) {
  const std::string direction = node.attributes().String("direction", "forward");
  if (direction == "forward") return Directions{1, false};
  if (direction == "reverse") return Directions{1, true};
  if (direction == "bidirectional") return Directions{2, false};
  return absl::InvalidArgumentError(absl::StrCat("attribute \"direction\" is ", Quoted(direction)));
}

}  // namespace

absl::Status BuildRecurrent(NodeBuilder& node, Kind kind) {
  graph::Recurrent recurrent;
  recurrent.kind = kind;
  Attributes& attributes = node.attributes();
  ASSIGN_OR_RETURN(recurrent.hidden_size, HiddenSize(node));
  ASSIGN_OR_RETURN(const Directions directions, ReadDirections(node));
  ASSIGN_OR_RETURN(const auto functions, ReadFunctions(node, kind, directions.count));
  if (attributes.Has("clip")) recurrent.clip = attributes.Float("clip", 0.0f);
  if (kind == Kind::kGru)
    recurrent.linear_before_reset = attributes.Int("linear_before_reset", 0) != 0;
  if (kind == Kind::kLstm) recurrent.input_forget = attributes.Int("input_forget", 0) != 0;
  const bool batch_first = attributes.Int("layout", 0) != 0;
  attributes.Ignore("output_sequence");  // before opset 7: whether somebody reads the first output

  Splitter split(node, directions.count);
  const auto swapped = [&](ValueId id, const std::string& name) {  // [N, D, H] <-> [D, N, H]
    if (!batch_first || id == kNoValue) return id;
    return split.Emit(graph::Transpose{{1, 0, 2}}, {id}, name);
  };
  const ValueId x = swapped(node.input(kX), "time_first");
  const ValueId initial_h = swapped(node.input(kInitialH), "initial_h_time_first");
  const ValueId initial_c = swapped(node.input(kInitialC), "initial_c_time_first");

  const int states = kind == Kind::kLstm ? 2 : 1;
  std::vector<std::vector<ValueId>> parts(static_cast<size_t>(states) + 1);  // of each output
  for (size_t d = 0; d < directions.count; ++d) {
    const std::string suffix = directions.count == 1 ? "" : d == 0 ? "_forward" : "_reverse";
    recurrent.reverse = d == 1 || directions.first_reverse;
    const auto per_direction = static_cast<ptrdiff_t>(functions.size() / directions.count);
    recurrent.functions.assign(functions.begin() + static_cast<ptrdiff_t>(d) * per_direction,
                               functions.begin() + static_cast<ptrdiff_t>(d + 1) * per_direction);
    std::vector<ValueId> inputs = {
        x,
        split.Direction(node.input(kWeights), d, "weights" + suffix),
        split.Direction(node.input(kRecurrence), d, "recurrence" + suffix),
        split.Direction(node.input(kBias), d, "bias" + suffix),
        node.input(kLengths),
        split.Direction(initial_h, d, "initial_h" + suffix),
        split.Direction(initial_c, d, "initial_c" + suffix),
        split.Direction(node.input(kPeepholes), d, "peepholes" + suffix)};
    std::vector<ValueId> outputs;
    for (int i = 0; i <= states; ++i) {
      outputs.push_back(node.NewValue(absl::StrCat("direction_", i, suffix)));
      parts[static_cast<size_t>(i)].push_back(outputs.back());
    }
    node.Emit(recurrent, std::move(inputs), std::move(outputs));
  }

  // [T, N, H] to [T, D, N, H], the states to [D, N, H]; with batch_first [N, T, D, H] and [N, D,
  // H].
  for (int i = 0; i <= states; ++i) {
    if (i > 0 && i >= node.output_count()) continue;
    const bool all = i == 0;
    const int64_t axis = all ? (batch_first ? 2 : 1) : (batch_first ? 1 : 0);
    std::vector<ValueId> wide;
    for (ValueId part : parts[static_cast<size_t>(i)]) {
      if (all && batch_first) part = split.Emit(graph::Transpose{{1, 0, 2}}, {part}, "batch_first");
      const ValueId axes = node.NewInt64s("direction_axis", {axis});
      wide.push_back(directions.count == 1 ? node.output(i) : node.NewValue("direction"));
      node.Emit(graph::Unsqueeze{}, {part, axes}, {wide.back()});
    }
    if (directions.count > 1) node.Emit(graph::Concat{.axis = axis}, wide, {node.output(i)});
  }
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
