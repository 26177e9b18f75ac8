#include "server/quantize/explain.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/graph/contents.h"

namespace fourfold::quantize {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Value;

// Longer lists help nobody and fill the manifest.
constexpr size_t kLayersMost = 4096;

// A node and the graph it is of: the model's or one inside a node.
struct Place {
  const Graph* graph = nullptr;
  const Node* node = nullptr;
};

void Collect(const Graph& graph, const std::string& prefix, std::map<std::string, Place>& places) {
  for (const Node& node : graph.nodes) {
    places[absl::StrCat(prefix, node.name)] = {&graph, &node};
    places.try_emplace(node.name, Place{&graph, &node});
    for (const auto& body : graph::Bodies(node.operation))
      Collect(*body, absl::StrCat(prefix, node.name, "/"), places);
  }
}

bool Multiplies(const Node& node) {
  return node.as<graph::Conv>() != nullptr || node.as<graph::MatMul>() != nullptr ||
         node.as<graph::ConvTranspose>() != nullptr || node.as<graph::Recurrent>() != nullptr;
}

// Why a product is not computed on integers.
std::string WhyNotInt8(const Place& place) {
  const Graph& graph = *place.graph;
  const Node& node = *place.node;
  if (node.inputs.size() < 2 || node.inputs[0] == kNoValue || node.inputs[1] == kNoValue) return "";
  const Value& x = graph.value(node.inputs[0]);
  const Value& weights = graph.value(node.inputs[1]);
  if (weights.constant != nullptr && !weights.quantization) {
    return absl::StrCat("its weights are stored as ", graph::TypeText(weights.type));
  }
  const bool dynamic = x.type == graph::DataType::kUint8;
  if (weights.constant == nullptr && !weights.quantization) {
    return x.quantization || dynamic ? "its second operand is not quantized"
                                     : "neither operand is quantized";
  }
  if (!x.quantization && !dynamic) return "its input is not quantized";
  return "no integer kernel of this CPU takes it";
}

}  // namespace

std::vector<report::Layer> Explain(const Graph& graph,
                                   std::span<const std::shared_ptr<const runtime::Plan>> plans) {
  std::map<std::string, Place> places;
  Collect(graph, "", places);
  std::vector<report::Layer> layers;
  for (const auto& plan : plans) {
    for (const runtime::StepInfo& step : plan->steps()) {
      if (layers.size() == kLayersMost) return layers;
      report::Layer layer;
      layer.node = step.node;
      layer.operation = step.operation;
      layer.output = step.output;
      layer.precision = step.arithmetic;
      layer.kernel = step.implementation;
      layer.macs = step.macs;
      const auto place = places.find(step.node);
      const bool product = place != places.end() && Multiplies(*place->second.node);
      if (product && step.macs > 0 && !absl::StrContains(step.arithmetic, "int8")) {
        layer.why_not_int8 = WhyNotInt8(place->second);
      }
      layers.push_back(std::move(layer));
    }
  }
  return layers;
}

}  // namespace fourfold::quantize
