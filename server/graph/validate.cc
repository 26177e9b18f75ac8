#include "server/graph/validate.h"

#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

template <typename... Parts>
absl::Status Broken(const Parts&... parts) {
  return absl::InternalError(absl::StrCat(parts...));
}

absl::Status CheckQuantization(const Value& value) {
  const Quantization& how = *value.quantization;
  const bool bias = value.type == DataType::kInt32 && value.constant != nullptr;
  if (value.type != DataType::kInt8 && value.type != DataType::kUint8 && !bias) {
    return Broken("value '", value.name, "' is quantized as ", TypeText(value.type),
                  ", wanted int8 or uint8, or int32 of a constant");
  }
  if (how.scale.empty() || how.scale.size() != how.zero_point.size()) {
    return Broken("value '", value.name, "' has ", how.scale.size(), " scales and ",
                  how.zero_point.size(), " zero points, wanted as many");
  }
  const int32_t lowest = value.type == DataType::kInt8 ? -128 : 0;
  for (size_t i = 0; i < how.scale.size(); ++i) {
    if (!std::isfinite(how.scale[i]) || how.scale[i] < 0.0f) {
      return Broken("value '", value.name, "' has scale ", how.scale[i],
                    ", wanted a finite one of at least 0");
    }
    if (bias && how.zero_point[i] != 0) {
      return Broken("constant '", value.name, "' of int32 has zero point ", how.zero_point[i],
                    ", wanted 0");
    }
    if (!bias && (how.zero_point[i] < lowest || how.zero_point[i] > lowest + 255)) {
      return Broken("value '", value.name, "' has zero point ", how.zero_point[i],
                    ", wanted one of ", TypeText(value.type));
    }
  }
  if (how.per_tensor()) {
    if (how.scale.size() == 1) return absl::OkStatus();
    return Broken("value '", value.name, "' has ", how.scale.size(),
                  " scales, wanted 1 per tensor");
  }
  if (value.shape) {
    const size_t axis = static_cast<size_t>(how.axis);
    if (axis >= value.shape->size() ||
        !Compatible((*value.shape)[axis], static_cast<int64_t>(how.scale.size()))) {
      return Broken("value '", value.name, "' has ", how.scale.size(), " scales along axis ",
                    how.axis, " of ", ShapeText(*value.shape));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckValue(const Value& value) {
  if (value.constant != nullptr) {
    if (value.constant->type() != value.type || !value.shape ||
        value.constant->shape() != *value.shape) {
      return Broken("constant '", value.name, "' is ", TypeText(value.constant->type()), " ",
                    ShapeText(value.constant->shape()), ", wanted what its value says");
    }
  }
  return value.quantization ? CheckQuantization(value) : absl::OkStatus();
}

// Ids within a graph that are computed, constant or fed so far.
class Defined {
 public:
  explicit Defined(const Graph& graph) : graph_(graph), defined_(graph.value_count(), false) {}

  bool InRange(ValueId id) const { return id >= 0 && static_cast<size_t>(id) < defined_.size(); }
  bool Has(ValueId id) const {
    return defined_[static_cast<size_t>(id)] || graph_.value(id).constant != nullptr;
  }
  void Add(ValueId id) { defined_[static_cast<size_t>(id)] = true; }

 private:
  const Graph& graph_;
  std::vector<bool> defined_;
};

absl::Status CheckNode(const Graph& graph, const Node& node, Defined& defined) {
  for (ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    if (!defined.InRange(id))
      return Broken(node.name, " reads value ", id, " of ", graph.value_count());
    if (!defined.Has(id)) {
      return Broken(node.name, " reads '", graph.value(id).name, "' before it is computed");
    }
  }
  for (ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    if (!defined.InRange(id))
      return Broken(node.name, " writes value ", id, " of ", graph.value_count());
    if (defined.Has(id))
      return Broken(node.name, " writes '", graph.value(id).name,
                    "', which has a producer already");
    defined.Add(id);
  }
  return absl::OkStatus();
}

std::string QuantizationText(const Quantization& how) {
  if (how.per_tensor()) return absl::StrCat(" {", how.scale[0], ", ", how.zero_point[0], "}");
  return absl::StrCat(" {", how.scale.size(), " scales, axis ", how.axis, "}");
}

std::string ValueText(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "-";
  const Value& value = graph.value(id);
  return absl::StrCat(value.name, " ", value.shape ? ShapeText(*value.shape) : "[...]", " ",
                      TypeText(value.type),
                      value.quantization ? QuantizationText(*value.quantization) : "");
}

}  // namespace

absl::Status Validate(const Graph& graph) {
  for (size_t i = 0; i < graph.value_count(); ++i) {
    RETURN_IF_ERROR(CheckValue(graph.value(static_cast<ValueId>(i))));
  }
  Defined defined(graph);
  std::set<ValueId> inputs;
  for (ValueId id : graph.inputs) {
    if (!defined.InRange(id))
      return Broken("graph input ", id, " of ", graph.value_count(), " values");
    // It may be constant: a body that is always given the same.
    if (!inputs.insert(id).second)
      return Broken("graph input '", graph.value(id).name, "' is an input twice");
    defined.Add(id);
  }
  std::set<std::string> names;
  for (const Node& node : graph.nodes) {
    if (!names.insert(node.name).second) return Broken("two nodes are named '", node.name, "'");
    RETURN_IF_ERROR(CheckNode(graph, node, defined));
  }
  for (ValueId id : graph.outputs) {
    if (!defined.InRange(id))
      return Broken("graph output ", id, " of ", graph.value_count(), " values");
    if (!defined.Has(id))
      return Broken("graph output '", graph.value(id).name, "' is computed by no node");
  }
  return absl::OkStatus();
}

std::string DebugText(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes) {
    const auto list = [&](const std::vector<ValueId>& ids) {
      return absl::StrJoin(ids, ", ",
                           [&](std::string* out, ValueId id) { *out += ValueText(graph, id); });
    };
    absl::StrAppend(&text, node.name, ": ", OperationName(node.operation), "(", list(node.inputs),
                    ") -> ", list(node.outputs), "\n");
  }
  return text;
}

}  // namespace fourfold::graph
