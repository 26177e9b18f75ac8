#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/graph/graph.h"

namespace fourfold::testing {

// Builds small graphs for tests, node by node:
//
//   GraphBuilder b;
//   const ValueId x = b.Input("x", {1, 3, 8, 8});
//   b.Output(b.Relu(b.Conv(x, b.Constant({4, 3, 3, 3}, weights))));
//   Graph graph = b.Build();
//
// Nodes are named like their operation with a number ("Conv_1"), their results like the nodes;
// Named gives the next node another name. Build is called once, at the end.
class GraphBuilder {
 public:
  using ValueId = graph::ValueId;
  using Shape = graph::Shape;
  static constexpr ValueId kNone = graph::kNoValue;

  ValueId Input(const std::string& name, const Shape& shape,
                graph::DataType type = graph::DataType::kFloat32);
  ValueId InputOfUnknownRank(const std::string& name,
                             graph::DataType type = graph::DataType::kFloat32);

  ValueId Constant(graph::TensorPtr tensor, const std::string& name = "");
  ValueId Constant(const Shape& shape, const std::vector<float>& elements,
                   const std::string& name = "");
  // All elements alike.
  ValueId Filled(const Shape& shape, float element, const std::string& name = "");
  // 0.5, -0.25, ...: reproducible, different, exact in float16.
  ValueId Varied(const Shape& shape, const std::string& name = "");
  ValueId Scalar(float element, const std::string& name = "") {
    return Constant({}, {element}, name);
  }
  ValueId Integers(const std::vector<int64_t>& elements,
                   const std::string& name = "");  // int64, one dimension
  ValueId Bytes(graph::DataType type, const Shape& shape, const std::vector<int>& elements,
                const std::string& name = "");

  // The next node's name, and that of its first result.
  GraphBuilder& Named(const std::string& name);

  // Any operation; Add for one result, AddMany for several.
  ValueId Add(graph::Operation operation, std::vector<ValueId> inputs);
  std::vector<ValueId> AddMany(graph::Operation operation, std::vector<ValueId> inputs,
                               size_t outputs);

  ValueId Conv(ValueId x, ValueId weights, ValueId bias = kNone, graph::Conv conv = {});
  ValueId MatMul(ValueId lhs, ValueId rhs, ValueId bias = kNone, graph::MatMul matmul = {});
  ValueId BatchNorm(ValueId x, const std::vector<float>& scale, const std::vector<float>& bias,
                    const std::vector<float>& mean, const std::vector<float>& variance,
                    float epsilon = 1e-5f);
  ValueId Activation(ValueId x, kernels::Activation activation);
  ValueId Relu(ValueId x) { return Activation(x, {kernels::Activation::Kind::kRelu, 0.0f, 0.0f}); }
  ValueId Sigmoid(ValueId x) {
    return Activation(x, {kernels::Activation::Kind::kSigmoid, 0.0f, 0.0f});
  }
  ValueId Clip(ValueId x, float low, float high) {
    return Activation(x, {kernels::Activation::Kind::kClip, low, high});
  }
  ValueId Eltwise(ValueId x, graph::Eltwise::Function function);
  ValueId Binary(graph::Binary::Operation operation, ValueId a, ValueId b);
  ValueId Sum(ValueId a, ValueId b) { return Binary(graph::Binary::Operation::kAdd, a, b); }
  ValueId Product(ValueId a, ValueId b) { return Binary(graph::Binary::Operation::kMul, a, b); }
  ValueId MaxPool(ValueId x, const std::vector<int64_t>& kernel,
                  const std::vector<int64_t>& strides = {});
  ValueId GlobalAveragePool(ValueId x);
  ValueId Softmax(ValueId x, int64_t axis = -1);
  ValueId Concat(std::vector<ValueId> parts, int64_t axis);
  ValueId Reshape(ValueId x, const std::vector<int64_t>& shape);
  ValueId Transpose(ValueId x, const std::vector<int64_t>& permutation);
  ValueId Flatten(ValueId x, int64_t axis = 1);
  ValueId Identity(ValueId x);

  // The ONNX forms, with constant parameters: real = scale * (stored - zero_point).
  ValueId Quantize(ValueId x, float scale, int zero_point,
                   graph::DataType type = graph::DataType::kUint8);
  ValueId Dequantize(ValueId q, float scale, int zero_point,
                     graph::DataType type = graph::DataType::kUint8);
  // Both, one behind the other.
  ValueId QuantizeDequantize(ValueId x, float scale, int zero_point,
                             graph::DataType type = graph::DataType::kUint8);
  // int8 weights behind a Dequantize with one scale per slice along axis (or one).
  ValueId QuantizedWeights(const Shape& shape, const std::vector<int>& elements,
                           const std::vector<float>& scale, int64_t axis);
  // DynamicQuantizeLinear + DequantizeLinear.
  ValueId DynamicQuantizeDequantize(ValueId x);

  // Makes a value a graph output, under another name if one is given.
  GraphBuilder& Output(ValueId value, const std::string& name = "");

  graph::Value& value(ValueId id) { return graph_.value(id); }

  // The graph with shapes inferred and rules checked; ends the program with a message on an error.
  graph::Graph Build();
  // The graph as it is.
  graph::Graph BuildUnchecked() { return std::move(graph_); }

 private:
  std::string NextName(const std::string& base);

  graph::Graph graph_;
  std::map<std::string, int> counts_;
  std::string next_name_;
};

// The only node of that operation, or null: for assertions on a graph.
template <typename T>
const graph::Node* Only(const graph::Graph& graph) {
  const graph::Node* found = nullptr;
  for (const graph::Node& node : graph.nodes) {
    if (node.as<T>() == nullptr) continue;
    if (found != nullptr) return nullptr;
    found = &node;
  }
  return found;
}

template <typename T>
size_t Count(const graph::Graph& graph) {
  size_t count = 0;
  for (const graph::Node& node : graph.nodes) count += node.as<T>() != nullptr;
  return count;
}

}  // namespace fourfold::testing
