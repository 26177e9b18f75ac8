#include "tests/testing/graph_builder.h"

#include <cstdlib>
#include <iostream>
#include <utility>

#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"

namespace fourfold::testing {

using graph::DataType;
using graph::Shape;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

namespace {

void CheckOk(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "GraphBuilder: " << status << std::endl;
  std::abort();
}

}  // namespace

std::string GraphBuilder::NextName(const std::string& base) {
  if (!next_name_.empty()) return std::exchange(next_name_, "");
  return base + "_" + std::to_string(++counts_[base]);
}

GraphBuilder& GraphBuilder::Named(const std::string& name) {
  next_name_ = name;
  return *this;
}

ValueId GraphBuilder::Input(const std::string& name, const Shape& shape, DataType type) {
  const ValueId id = InputOfUnknownRank(name, type);
  graph_.value(id).shape = shape;
  graph_.input_dim_names.back().resize(shape.size());
  return id;
}

ValueId GraphBuilder::InputOfUnknownRank(const std::string& name, DataType type) {
  graph::Value value;
  value.name = name;
  value.type = type;
  graph_.inputs.push_back(graph_.AddValue(std::move(value)));
  graph_.input_dim_names.emplace_back();
  return graph_.inputs.back();
}

ValueId GraphBuilder::Constant(TensorPtr tensor, const std::string& name) {
  const std::string chosen =
      name.empty() ? "constant_" + std::to_string(++counts_["constant"]) : name;
  return graph_.AddConstant(chosen, std::move(tensor));
}

ValueId GraphBuilder::Constant(const Shape& shape, const std::vector<float>& elements,
                               const std::string& name) {
  return Constant(Tensor::Of<float>(DataType::kFloat32, shape, elements), name);
}

ValueId GraphBuilder::Filled(const Shape& shape, float element, const std::string& name) {
  return Constant(
      shape, std::vector<float>(static_cast<size_t>(graph::ElementCount(shape)), element), name);
}

ValueId GraphBuilder::Varied(const Shape& shape, const std::string& name) {
  std::vector<float> elements(static_cast<size_t>(graph::ElementCount(shape)));
  for (size_t i = 0; i < elements.size(); ++i)
    elements[i] = static_cast<float>(static_cast<int>(i * 7 % 17) - 8) / 16.0f;
  return Constant(shape, elements, name);
}

ValueId GraphBuilder::Integers(const std::vector<int64_t>& elements, const std::string& name) {
  const Shape shape = {static_cast<int64_t>(elements.size())};
  return Constant(Tensor::Of<int64_t>(DataType::kInt64, shape, elements), name);
}

ValueId GraphBuilder::Bytes(DataType type, const Shape& shape, const std::vector<int>& elements,
                            const std::string& name) {
  std::vector<uint8_t> bytes;
  for (int element : elements) bytes.push_back(static_cast<uint8_t>(element));
  return Constant(Tensor::Of<uint8_t>(type, shape, bytes), name);
}

std::vector<ValueId> GraphBuilder::AddMany(graph::Operation operation, std::vector<ValueId> inputs,
                                           size_t outputs) {
  graph::Node node;
  node.name = NextName(std::string(graph::OperationName(operation)));
  node.operation = std::move(operation);
  while (!inputs.empty() && inputs.back() == kNone) inputs.pop_back();
  node.inputs = std::move(inputs);
  for (size_t i = 0; i < outputs; ++i) {
    graph::Value value;
    value.name = i == 0 ? node.name : node.name + ":" + std::to_string(i);
    node.outputs.push_back(graph_.AddValue(std::move(value)));
  }
  graph_.nodes.push_back(std::move(node));
  return graph_.nodes.back().outputs;
}

ValueId GraphBuilder::Add(graph::Operation operation, std::vector<ValueId> inputs) {
  return AddMany(std::move(operation), std::move(inputs), 1)[0];
}

ValueId GraphBuilder::Conv(ValueId x, ValueId weights, ValueId bias, graph::Conv conv) {
  return Add(std::move(conv), {x, weights, bias});
}

ValueId GraphBuilder::MatMul(ValueId lhs, ValueId rhs, ValueId bias, graph::MatMul matmul) {
  return Add(matmul, {lhs, rhs, bias});
}

ValueId GraphBuilder::BatchNorm(ValueId x, const std::vector<float>& scale,
                                const std::vector<float>& bias, const std::vector<float>& mean,
                                const std::vector<float>& variance, float epsilon) {
  const Shape channels = {static_cast<int64_t>(scale.size())};
  return Add(graph::BatchNorm{epsilon}, {x, Constant(channels, scale), Constant(channels, bias),
                                         Constant(channels, mean), Constant(channels, variance)});
}

ValueId GraphBuilder::Activation(ValueId x, kernels::Activation activation) {
  return Add(graph::Eltwise{graph::Eltwise::Function::kActivation, activation}, {x});
}

ValueId GraphBuilder::Eltwise(ValueId x, graph::Eltwise::Function function) {
  return Add(graph::Eltwise{function, {}}, {x});
}

ValueId GraphBuilder::Binary(graph::Binary::Operation operation, ValueId a, ValueId b) {
  return Add(graph::Binary{operation, {}}, {a, b});
}

ValueId GraphBuilder::MaxPool(ValueId x, const std::vector<int64_t>& kernel,
                              const std::vector<int64_t>& strides) {
  graph::Pool pool;
  pool.window.kernel = kernel;
  pool.window.strides = strides;
  return Add(std::move(pool), {x});
}

ValueId GraphBuilder::GlobalAveragePool(ValueId x) {
  graph::Pool pool;
  pool.kind = graph::Pool::Kind::kAverage;
  pool.global = true;
  return Add(std::move(pool), {x});
}

ValueId GraphBuilder::Softmax(ValueId x, int64_t axis) {
  return Add(graph::Softmax{axis, false, false}, {x});
}

ValueId GraphBuilder::Concat(std::vector<ValueId> parts, int64_t axis) {
  return Add(graph::Concat{axis}, std::move(parts));
}

ValueId GraphBuilder::Reshape(ValueId x, const std::vector<int64_t>& shape) {
  return Add(graph::Reshape{}, {x, Integers(shape)});
}

ValueId GraphBuilder::Transpose(ValueId x, const std::vector<int64_t>& permutation) {
  return Add(graph::Transpose{permutation}, {x});
}

ValueId GraphBuilder::Flatten(ValueId x, int64_t axis) { return Add(graph::Flatten{axis}, {x}); }

ValueId GraphBuilder::Identity(ValueId x) { return Add(graph::Identity{}, {x}); }

ValueId GraphBuilder::Quantize(ValueId x, float scale, int zero_point, DataType type) {
  return Add(graph::Quantize{}, {x, Scalar(scale), Bytes(type, {}, {zero_point})});
}

ValueId GraphBuilder::Dequantize(ValueId q, float scale, int zero_point, DataType type) {
  return Add(graph::Dequantize{}, {q, Scalar(scale), Bytes(type, {}, {zero_point})});
}

ValueId GraphBuilder::QuantizeDequantize(ValueId x, float scale, int zero_point, DataType type) {
  return Dequantize(Quantize(x, scale, zero_point, type), scale, zero_point, type);
}

ValueId GraphBuilder::QuantizedWeights(const Shape& shape, const std::vector<int>& elements,
                                       const std::vector<float>& scale, int64_t axis) {
  const Shape channels = scale.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(scale.size())};
  return Add(graph::Dequantize{axis},
             {Bytes(DataType::kInt8, shape, elements), Constant(channels, scale),
              Bytes(DataType::kInt8, channels, std::vector<int>(scale.size(), 0))});
}

ValueId GraphBuilder::DynamicQuantizeDequantize(ValueId x) {
  return Add(graph::Dequantize{}, AddMany(graph::DynamicQuantize{}, {x}, 3));
}

GraphBuilder& GraphBuilder::Output(ValueId value, const std::string& name) {
  if (!name.empty()) graph_.value(value).name = name;
  graph_.outputs.push_back(value);
  return *this;
}

graph::Graph GraphBuilder::Build() {
  CheckOk(graph::InferShapes(graph_));
  CheckOk(graph::Validate(graph_));
  return std::move(graph_);
}

}  // namespace fourfold::testing
