// Recognises what exporters write out in simple operations: layer normalization and Gelu.
#include <algorithm>
#include <array>
#include <cmath>

#include "server/graph/infer_shapes.h"
#include "server/graph/shapes.h"
#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {
namespace {

using graph::Binary;
using graph::Eltwise;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Normalization;
using graph::Reduce;
using graph::Tensor;
using graph::ValueId;

// Reads expressions backwards. Only through values that are float32 as they are: a quantized one is
// rounded, which the recognised operation would not do.
class Reader {
 public:
  explicit Reader(const Graph& graph) : graph_(graph), uses_(graph) {}

  const Node* Producer(ValueId id) const {
    if (id == kNoValue || !IsPlain(id) || uses_.producer(id) < 0) return nullptr;
    return &graph_.nodes[static_cast<size_t>(uses_.producer(id))];
  }
  const Node* ProducerOf(const Node& node, size_t input) const {
    return Producer(node.input(input));
  }

  // The node if it is this arithmetic, with nothing fused.
  const Node* As(const Node* node, Binary::Operation operation) const {
    const auto* binary = node == nullptr ? nullptr : node->as<Binary>();
    if (binary == nullptr || binary->operation != operation || HasActivation(binary->activation)) {
      return nullptr;
    }
    return node;
  }
  const Node* As(const Node* node, Eltwise::Function function) const {
    const auto* eltwise = node == nullptr ? nullptr : node->as<Eltwise>();
    return eltwise == nullptr || eltwise->function != function ? nullptr : node;
  }

  std::optional<double> Scalar(ValueId id) const {
    if (id == kNoValue || !IsPlain(id)) return std::nullopt;
    const Tensor* constant = graph_.value(id).constant.get();
    if (constant == nullptr || constant->count() != 1) return std::nullopt;
    return constant->ToFloat()[0];
  }

  // The only reader of a value that nobody else sees; null for none.
  const Node* OnlyReader(ValueId id) const {
    if (!IsPlain(id) || !uses_.has_single_use(id)) return nullptr;
    return &graph_.nodes[static_cast<size_t>(uses_.consumers(id)[0])];
  }

  const Graph& graph() const { return graph_; }

 private:
  bool IsPlain(ValueId id) const {
    const graph::Value& value = graph_.value(id);
    return value.type == graph::DataType::kFloat32 && !value.quantization;
  }

  const Graph& graph_;
  const graph::Uses uses_;
};

// ---- Layer normalization

// The first dimension of the mean over x's last ones; nothing for any other mean, or none.
std::optional<size_t> MeanAxis(const Reader& reader, const Node* node, ValueId x) {
  const auto* reduce = node == nullptr ? nullptr : node->as<Reduce>();
  if (reduce == nullptr || reduce->operation != Reduce::Operation::kMean || !reduce->keep_dims) {
    return std::nullopt;
  }
  const auto& shape = reader.graph().value(x).shape;
  if (!shape || node->inputs[0] != x) return std::nullopt;
  std::vector<int64_t> axes = reduce->axes;
  if (node->input(1) != kNoValue) {
    const Tensor* constant = reader.graph().ConstantInput(*node, 1);
    if (constant == nullptr) return std::nullopt;
    axes = constant->ToInt64();
  }
  std::vector<size_t> dims;
  for (int64_t axis : axes) {
    const std::optional<size_t> dim = graph::NormalizeAxis(axis, shape->size());
    if (!dim) return std::nullopt;
    dims.push_back(*dim);
  }
  std::sort(dims.begin(), dims.end());
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != shape->size() - dims.size() + i) return std::nullopt;
  }
  if (dims.empty()) return std::nullopt;
  return dims.front();
}

struct Layer {
  ValueId x = kNoValue;
  size_t axis = 0;
  float epsilon = 0.0f;
};

// x - mean(x), where both are known by their values' ids.
bool IsCentered(const Reader& reader, ValueId id, ValueId x, ValueId mean) {
  const Node* sub = reader.As(reader.Producer(id), Binary::Operation::kSub);
  return sub != nullptr && sub->inputs[0] == x &&
         (sub->inputs[1] == mean || MeanAxis(reader, reader.ProducerOf(*sub, 1), x) ==
                                        MeanAxis(reader, reader.Producer(mean), x));
}

// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) at a division.
std::optional<Layer> MatchLayer(const Reader& reader, const Node& division) {
  using Operation = Binary::Operation;
  if (reader.As(&division, Operation::kDiv) == nullptr) return std::nullopt;
  const Node* sub = reader.As(reader.ProducerOf(division, 0), Operation::kSub);
  const Node* root = reader.As(reader.ProducerOf(division, 1), Eltwise::Function::kSqrt);
  if (sub == nullptr || root == nullptr) return std::nullopt;
  Layer layer;
  layer.x = sub->inputs[0];
  const ValueId mean = sub->inputs[1];
  const std::optional<size_t> axis = MeanAxis(reader, reader.Producer(mean), layer.x);
  const Node* sum = reader.As(reader.ProducerOf(*root, 0), Operation::kAdd);
  if (!axis || sum == nullptr) return std::nullopt;
  layer.axis = *axis;
  const size_t side = reader.Scalar(sum->inputs[0]) ? 0 : 1;
  const std::optional<double> epsilon = reader.Scalar(sum->inputs[side]);
  if (!epsilon || *epsilon < 0.0) return std::nullopt;
  layer.epsilon = static_cast<float>(*epsilon);

  const Node* variance = reader.Producer(sum->inputs[1 - side]);
  if (variance == nullptr || variance->inputs.empty()) return std::nullopt;
  const ValueId squares = variance->inputs[0];
  if (MeanAxis(reader, variance, squares) != axis) return std::nullopt;
  const Node* product = reader.Producer(squares);
  const bool square =
      reader.As(product, Operation::kMul) != nullptr && product->inputs[0] == product->inputs[1];
  const bool power =
      reader.As(product, Operation::kPow) != nullptr && reader.Scalar(product->inputs[1]) == 2.0;
  if (!square && !power) return std::nullopt;
  if (product->inputs[0] != division.inputs[0] &&
      !IsCentered(reader, product->inputs[0], layer.x, mean)) {
    return std::nullopt;
  }
  return layer;
}

// The constant operand of the only reader of `id` if that is this operation and the constant has an
// element for each normalized one (or one for all); the reader's result goes to `id`.
ValueId TakeAffine(const Reader& reader, Binary::Operation operation, const Layer& layer,
                   ValueId& id) {
  const Node* node = reader.As(reader.OnlyReader(id), operation);
  if (node == nullptr) return kNoValue;
  const size_t side = node->inputs[0] == id ? 1 : 0;
  const Tensor* constant = PlainConstant(reader.graph(), *node, side);
  const graph::Shape& x = *reader.graph().value(layer.x).shape;
  if (constant == nullptr) return kNoValue;
  const graph::Shape normalized(x.begin() + static_cast<ptrdiff_t>(layer.axis), x.end());
  if (constant->shape() != normalized || !graph::IsStatic(normalized)) return kNoValue;
  id = node->outputs[0];
  return node->inputs[side];
}

// What replaces the node that writes `output`.
struct Replacement {
  Node node;
  ValueId output = kNoValue;
};

std::optional<Replacement> FindLayer(const Reader& reader, const Node& node) {
  const std::optional<Layer> layer = MatchLayer(reader, node);
  if (!layer) return std::nullopt;
  Replacement made;
  made.output = node.outputs[0];
  made.node.inputs = {layer->x};
  const ValueId scale = TakeAffine(reader, Binary::Operation::kMul, *layer, made.output);
  if (scale != kNoValue) {
    made.node.inputs.push_back(scale);
    const ValueId bias = TakeAffine(reader, Binary::Operation::kAdd, *layer, made.output);
    if (bias != kNoValue) made.node.inputs.push_back(bias);
  }
  const auto rank = static_cast<int64_t>(reader.graph().value(layer->x).shape->size());
  made.node.operation = Normalization{.kind = Normalization::Kind::kLayer,
                                      .axis = static_cast<int64_t>(layer->axis) - rank,
                                      .groups = 1,
                                      .epsilon = layer->epsilon};
  return made;
}

// ---- Gelu

// A polynomial in x, and one that is multiplied by a second variable: own + times * variable.
struct Polynomial {
  static constexpr size_t kTerms = 4;
  using Terms = std::array<double, kTerms>;
  Terms own{}, times{};
};

std::optional<Polynomial::Terms> Multiply(const Polynomial::Terms& a, const Polynomial::Terms& b) {
  Polynomial::Terms product{};
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < b.size(); ++j) {
      if (a[i] == 0.0 || b[j] == 0.0) continue;
      if (i + j >= product.size()) return std::nullopt;
      product[i + j] += a[i] * b[j];
    }
  }
  return product;
}

bool IsZero(const Polynomial::Terms& terms) { return terms == Polynomial::Terms{}; }

std::optional<Polynomial> Multiply(const Polynomial& a, const Polynomial& b) {
  if (!IsZero(a.times) && !IsZero(b.times)) return std::nullopt;
  const auto own = Multiply(a.own, b.own), left = Multiply(a.times, b.own),
             right = Multiply(a.own, b.times);
  if (!own || !left || !right) return std::nullopt;
  Polynomial product{*own, *left};
  for (size_t i = 0; i < right->size(); ++i) product.times[i] += (*right)[i];
  return product;
}

bool Near(const Polynomial::Terms& terms, const Polynomial::Terms& wanted) {
  for (size_t i = 0; i < terms.size(); ++i) {
    if (std::fabs(terms[i] - wanted[i]) > 1e-4 * std::fabs(wanted[i])) return false;
  }
  return true;
}

constexpr int kMostDepth = 8;

// A value as a polynomial in x and the second variable; nothing if it is made of anything else.
std::optional<Polynomial> Expand(const Reader& reader, ValueId id, ValueId x, ValueId variable,
                                 int depth = 0) {
  using Operation = Binary::Operation;
  if (id == x) return Polynomial{.own = {0.0, 1.0}, .times = {}};
  if (id == variable) return Polynomial{.own = {}, .times = {1.0}};
  if (const auto scalar = reader.Scalar(id)) return Polynomial{.own = {*scalar}, .times = {}};
  const Node* node = reader.Producer(id);
  const auto* binary = node == nullptr ? nullptr : node->as<Binary>();
  if (depth > kMostDepth || binary == nullptr || HasActivation(binary->activation)) {
    return std::nullopt;
  }
  const auto a = Expand(reader, node->inputs[0], x, variable, depth + 1);
  const auto b = Expand(reader, node->inputs[1], x, variable, depth + 1);
  if (!a || !b) return std::nullopt;
  const double number = b->own[0];
  const bool constant = IsZero(b->times) && b->own == Polynomial::Terms{number};
  switch (binary->operation) {
    case Operation::kAdd:
    case Operation::kSub: {
      Polynomial sum = *a;
      const double sign = binary->operation == Operation::kAdd ? 1.0 : -1.0;
      for (size_t i = 0; i < sum.own.size(); ++i) {
        sum.own[i] += sign * b->own[i];
        sum.times[i] += sign * b->times[i];
      }
      return sum;
    }
    case Operation::kMul: return Multiply(*a, *b);
    case Operation::kDiv:
      if (!constant || number == 0.0) return std::nullopt;
      return Multiply(*a, Polynomial{.own = {1.0 / number}, .times = {}});
    case Operation::kPow: {
      if (!constant || (number != 2.0 && number != 3.0)) return std::nullopt;
      const auto square = Multiply(*a, *a);
      return !square || number == 2.0 ? square : Multiply(*square, *a);
    }
    default: return std::nullopt;
  }
}

// The values that an expression is made of.
void CollectOperands(const Reader& reader, ValueId id, int depth, std::vector<ValueId>& values) {
  if (reader.Scalar(id)) return;
  if (std::find(values.begin(), values.end(), id) == values.end()) values.push_back(id);
  const Node* node = reader.Producer(id);
  if (node == nullptr || node->as<Binary>() == nullptr || depth > kMostDepth) return;
  for (ValueId input : node->inputs) CollectOperands(reader, input, depth + 1, values);
}

// x/2 (1 + erf(x / sqrt 2)) or x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), from the erf or tanh
// on.
std::optional<Replacement> FindGelu(const Reader& reader, const Node& gate) {
  const double root = std::sqrt(2.0 / M_PI);
  const bool erf = reader.As(&gate, Eltwise::Function::kErf) != nullptr;
  const bool tanh = reader.As(&gate, Eltwise::Function::kActivation) != nullptr &&
                    gate.as<Eltwise>()->activation.kind == kernels::Activation::Kind::kTanh;
  if (!erf && !tanh) return std::nullopt;
  const Polynomial::Terms wanted =
      erf ? Polynomial::Terms{0.0, M_SQRT1_2} : Polynomial::Terms{0.0, root, 0.0, root * 0.044715};
  std::vector<ValueId> candidates;
  CollectOperands(reader, gate.inputs[0], 0, candidates);
  for (ValueId x : candidates) {
    const auto argument = Expand(reader, gate.inputs[0], x, kNoValue);
    if (!argument || !IsZero(argument->times) || !Near(argument->own, wanted)) continue;
    const ValueId variable = gate.outputs[0];
    ValueId result = variable;
    for (int depth = 0; depth < 4; ++depth) {
      const Node* next = reader.OnlyReader(result);
      if (next == nullptr || next->as<Binary>() == nullptr) break;
      result = next->outputs[0];
      const auto whole = Expand(reader, result, x, variable);
      if (!whole) break;
      const Polynomial::Terms half = {0.0, 0.5};
      if (!Near(whole->own, half) || !Near(whole->times, half)) continue;
      Replacement made;
      made.output = result;
      made.node.inputs = {x};
      Eltwise gelu;
      gelu.function = erf ? Eltwise::Function::kGelu : Eltwise::Function::kGeluTanh;
      made.node.operation = gelu;
      return made;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::Status FuseNormalization(Graph& graph) {
  std::vector<Replacement> found;
  {
    const Reader reader(graph);
    for (const Node& node : graph.nodes) {
      std::optional<Replacement> made = FindLayer(reader, node);
      if (!made) made = FindGelu(reader, node);
      if (made) found.push_back(*std::move(made));
    }
  }
  if (found.empty()) return absl::OkStatus();
  // What computed the parts stays for other readers, or is dead.
  for (Replacement& made : found) {
    for (Node& node : graph.nodes) {
      if (node.outputs.empty() || node.outputs[0] != made.output) continue;
      made.node.name = node.name;
      made.node.outputs = {made.output};
      node = std::move(made.node);
      break;
    }
  }
  graph::RemoveDeadNodes(graph);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
