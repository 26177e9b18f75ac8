// float16 and bfloat16 are ways to store numbers here; arithmetic is that of float32. float64 is
// computed as it is where an operation has a plain kernel, and as float32 in the large ones.

#include <map>
#include <set>
#include <string>

#include "server/graph/contents.h"
#include "server/graph/evaluate_numbers.h"
#include "server/passes/passes.h"

namespace fourfold::passes {

using graph::DataType;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

namespace {

bool IsHalf(DataType type) { return type == DataType::kFloat16 || type == DataType::kBFloat16; }

template <typename... Ops>
bool IsAnyOf(const Node& node) {
  return ((node.as<Ops>() != nullptr) || ...);
}

// Operations with kernels of float32 only.
bool ComputesInFloat32(const Node& node) {
  return IsAnyOf<graph::Conv, graph::ConvTranspose, graph::MatMul, graph::Recurrent, graph::Pool,
                 graph::MaxUnpool, graph::MaxRoiPool, graph::RoiAlign, graph::GridSample,
                 graph::BatchNorm, graph::Normalization, graph::LpNormalization,
                 graph::LocalResponseNorm, graph::Softmax, graph::Resize, graph::Quantize,
                 graph::DynamicQuantize>(node);
}

// Weights that stay as small in memory as they are in the file.
bool KeepsHalfWeights(const Node& node, size_t input) {
  return input == 1 && IsAnyOf<graph::Conv, graph::MatMul>(node);
}

class Widening {
 public:
  explicit Widening(Graph& graph) : graph_(graph) {
    for (const Node& node : graph.nodes) names_.insert(node.name);
    for (size_t i = 0; i < graph.value_count(); ++i)
      names_.insert(graph.value(static_cast<ValueId>(i)).name);
  }

  void Run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      // A body says its own types, and so do nodes that run between plans.
      if (graph::IsDynamic(node.operation)) {
        AddBetween(std::move(node));
      } else {
        AddNode(std::move(node));
      }
    }
    for (ValueId& id : graph_.outputs) {
      const auto widened = wide_.find(id);
      if (widened == wide_.end() || IsInput(id)) continue;
      // The caller reads the type of the file under the name of the file.
      const std::string name = graph_.value(id).name;
      Emit(name + "_stored", graph::Cast{graph_.value(id).type}, widened->second, id);
    }
  }

 private:
  bool IsInput(ValueId id) const {
    for (ValueId input : graph_.inputs) {
      if (input == id) return true;
    }
    return false;
  }

  std::string Unique(const std::string& base) {
    std::string name = base;
    for (int i = 1; !names_.insert(name).second; ++i) name = base + "_" + std::to_string(i);
    return name;
  }

  void Emit(const std::string& name, graph::Cast cast, ValueId from, ValueId to) {
    graph_.nodes.push_back({Unique(name), cast, {from}, {to}});
  }

  ValueId NewValue(const std::string& name, DataType type,
                   const std::optional<graph::Shape>& shape) {
    graph::Value value;
    value.name = Unique(name);
    value.type = type;
    value.shape = shape;
    return graph_.AddValue(std::move(value));
  }

  ValueId Cast(ValueId from, DataType to) {
    const graph::Value value = graph_.value(from);
    const ValueId cast = NewValue(value.name + "_" + graph::TypeText(to), to, value.shape);
    Emit(value.name + "_" + graph::TypeText(to), {to}, from, cast);
    return cast;
  }

  // The value as float32, made once.
  ValueId Wide(ValueId id, bool keep_stored) {
    if (const auto known = wide_.find(id); known != wide_.end()) return known->second;
    const graph::Value value = graph_.value(id);
    if (value.constant != nullptr && !keep_stored) {
      if (graph::TensorPtr real = graph::CastNumbers(*value.constant, DataType::kFloat32)) {
        return wide_[id] = graph_.AddConstant(Unique(value.name + "_float32"), std::move(real));
      }
    }
    const ValueId cast = Cast(id, DataType::kFloat32);
    if (value.constant == nullptr) wide_[id] = cast;
    return cast;
  }

  bool IsStoredHalf(ValueId id) const {
    const graph::Value& value = graph_.value(id);
    return !value.quantization && IsHalf(value.type);
  }

  void AddNode(Node node) {
    const bool from_storage =
        node.as<graph::Cast>() != nullptr && graph_.ConstantInput(node, 0) != nullptr;
    if (auto* cast = node.as<graph::Cast>(); cast != nullptr && IsHalf(cast->to)) {
      cast->to = DataType::kFloat32;
    }
    if (auto* fill = node.as<graph::ConstantOfShape>();
        fill && fill->value && IsHalf(fill->value->type()))
      fill->value = graph::CastNumbers(*fill->value, DataType::kFloat32);
    if (auto* eye = node.as<graph::EyeLike>(); eye && IsHalf(eye->to)) eye->to = DataType::kFloat32;
    if (auto* window = node.as<graph::WindowFunction>(); window && IsHalf(window->to))
      window->to = DataType::kFloat32;
    if (auto* mel = node.as<graph::MelWeights>(); mel && IsHalf(mel->to))
      mel->to = DataType::kFloat32;
    const bool narrow_double = ComputesInFloat32(node);
    for (size_t i = 0; i < node.inputs.size() && !from_storage; ++i) {
      ValueId& id = node.inputs[i];
      if (id == kNoValue) continue;
      const bool doubles = narrow_double && graph_.value(id).type == DataType::kFloat64;
      if (IsStoredHalf(id) || doubles) id = Wide(id, KeepsHalfWeights(node, i));
    }
    std::vector<std::pair<ValueId, ValueId>> stored;  // float32 result, float64 value of the file
    for (ValueId& id : node.outputs) {
      if (id == kNoValue) continue;
      const graph::Value value = graph_.value(id);
      if (IsStoredHalf(id)) {
        wide_[id] = NewValue(value.name + "_float32", DataType::kFloat32, value.shape);
        id = wide_[id];
      } else if (narrow_double && value.type == DataType::kFloat64) {
        stored.emplace_back(NewValue(value.name + "_float32", DataType::kFloat32, value.shape), id);
        id = stored.back().first;
      }
    }
    graph_.nodes.push_back(std::move(node));
    for (const auto& [result, value] : stored)
      Emit(graph_.value(value).name + "_stored", {DataType::kFloat64}, result, value);
  }

  void AddBetween(Node node) {
    for (ValueId& id : node.inputs) {
      if (id == kNoValue || !IsStoredHalf(id) || IsInput(id)) continue;
      if (const auto widened = wide_.find(id); widened != wide_.end() && !graph_.value(id).constant)
        id = Cast(widened->second, graph_.value(id).type);
    }
    graph_.nodes.push_back(std::move(node));
  }

  Graph& graph_;
  std::set<std::string> names_;      // of nodes and values
  std::map<ValueId, ValueId> wide_;  // a value of the file -> the same as float32
};

}  // namespace

absl::Status WidenFloats(Graph& graph) {
  bool found = false;
  for (const Node& node : graph.nodes) {
    const auto is_narrow = [&](ValueId id) {
      if (id == kNoValue || graph.value(id).quantization) return false;
      return IsHalf(graph.value(id).type) ||
             (graph.value(id).type == DataType::kFloat64 && ComputesInFloat32(node));
    };
    for (ValueId id : node.outputs) found = found || is_narrow(id);
    if (node.as<graph::Cast>() != nullptr && graph.ConstantInput(node, 0) != nullptr) continue;
    for (ValueId id : node.inputs) {
      const bool absorbed = id != kNoValue && graph.value(id).constant != nullptr &&
                            IsAnyOf<graph::Conv, graph::MatMul>(node);
      found = found || (!absorbed && is_narrow(id));
    }
  }
  if (found) Widening(graph).Run();
  return absl::OkStatus();
}

}  // namespace fourfold::passes
