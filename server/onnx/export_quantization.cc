#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/arithmetic.h"
#include "server/onnx/exporter.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::Quantization;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

template <typename T>
TensorPtr ZeroPoints(DataType type, const graph::Shape& shape, const Quantization& quantization) {
  std::vector<T> elements;
  for (int32_t zero_point : quantization.zero_point) elements.push_back(static_cast<T>(zero_point));
  return Tensor::Of(type, shape, elements);
}

TensorPtr ZeroPoints(DataType type, const graph::Shape& shape, const Quantization& quantization) {
  switch (type) {
    case DataType::kInt8: return ZeroPoints<int8_t>(type, shape, quantization);
    case DataType::kInt32: return ZeroPoints<int32_t>(type, shape, quantization);
    default: return ZeroPoints<uint8_t>(DataType::kUint8, shape, quantization);
  }
}

// A bias in units of its products' scale, x_scale * w_scale[o].
struct IntegerBias {
  std::vector<int32_t> values;
  std::vector<float> scale;
};

// Nothing if float32, in which the arithmetic adds it, does not hold every unit exactly.
std::optional<IntegerBias> QuantizeBias(const Tensor& bias, float x_scale,
                                        const std::vector<float>& w_scale) {
  constexpr float kExact = 16777216.0f;  // 2^24
  const auto elements = bias.as<float>();
  if (w_scale.size() != 1 && w_scale.size() != elements.size()) return std::nullopt;
  IntegerBias result;
  for (float scale : w_scale) result.scale.push_back(x_scale * scale);
  for (size_t o = 0; o < elements.size(); ++o) {
    const float units =
        kernels::RoundHalfToEven(elements[o] / result.scale[w_scale.size() == 1 ? 0 : o]);
    if (!(std::fabs(units) < kExact)) return std::nullopt;  // also NaN
    result.values.push_back(static_cast<int32_t>(units));
  }
  return result;
}

}  // namespace

Exporter::Names Exporter::QuantizationParameters(ValueId id) {
  if (const auto known = parameters_.find(id); known != parameters_.end()) return known->second;
  const graph::Value& value = graph_.value(id);
  const Quantization& quantization = *value.quantization;
  const graph::Shape shape = quantization.per_tensor()
                                 ? graph::Shape{}
                                 : graph::Shape{static_cast<int64_t>(quantization.scale.size())};
  Names names = {AddInitializer(absl::StrCat(Name(id), "_scale"),
                                *Tensor::Of(DataType::kFloat32, shape, quantization.scale))};
  // Without a zero point it is 0. Activations always state theirs: it also says their type.
  const bool all_zero = std::all_of(quantization.zero_point.begin(), quantization.zero_point.end(),
                                    [](int32_t zero_point) { return zero_point == 0; });
  if (value.constant == nullptr || !all_zero) {
    names.push_back(AddInitializer(absl::StrCat(Name(id), "_zero_point"),
                                   *ZeroPoints(value.type, shape, quantization)));
  }
  return parameters_[id] = names;
}

void Exporter::AddDequantize(ValueId id, const std::string& stored, const std::string& real) {
  Names inputs = QuantizationParameters(id);
  inputs.insert(inputs.begin(), stored);
  ::onnx::NodeProto& node = AddNode("DequantizeLinear", "", std::move(inputs), {real});
  const Quantization& quantization = *graph_.value(id).quantization;
  if (!quantization.per_tensor()) SetInt(node, "axis", quantization.axis);
}

void Exporter::QuantizeOutput(ValueId id) {
  if (!graph_.value(id).quantization) return;
  const auto written = written_.find(id);
  QuantizeInto(id, written == written_.end() ? Name(id) : written->second);
}

void Exporter::QuantizeInto(ValueId id, const std::string& real) {
  Names inputs = QuantizationParameters(id);
  inputs.insert(inputs.begin(), real);
  const std::string stored =
      uses_.is_output(id) ? Name(id) : tensor_names_.Unique(absl::StrCat(Name(id), "_quantized"));
  ::onnx::NodeProto& node = AddNode("QuantizeLinear", "", std::move(inputs), {stored});
  const Quantization& quantization = *graph_.value(id).quantization;
  if (!quantization.per_tensor()) SetInt(node, "axis", quantization.axis);
  if (uses_.consumers(id).empty()) return;
  const std::string dequantized = tensor_names_.Unique(absl::StrCat(Name(id), "_dequantized"));
  AddDequantize(id, stored, dequantized);
  read_[id] = dequantized;
}

void Exporter::ExportQuantize(const Node& node) { QuantizeInto(node.outputs[0], Read(node, 0)); }

// One scale for the whole tensor in ONNX, one per sample in the graph: the same for a batch of one,
// and within one quantization step for others.
void Exporter::ExportDynamicQuantize(const Node& node) {
  const std::string stored = Temporary(node, "quantized");
  const std::string scale = Temporary(node, "scale");
  const std::string zero_point = Temporary(node, "zero_point");
  AddNode("DynamicQuantizeLinear", node.name, {Read(node, 0)}, {stored, scale, zero_point});
  const std::string real = Temporary(node, "dequantized");
  AddNode("DequantizeLinear", "", {stored, scale, zero_point}, {real});
  read_[node.outputs[0]] = real;
}

std::string Exporter::ReadBias(const Node& node) {
  const ValueId x = node.input(0), w = node.input(1), bias = node.input(2);
  if (bias == graph::kNoValue) return "";
  const graph::Value& x_value = graph_.value(x);
  const graph::Value& w_value = graph_.value(w);
  const graph::Value& bias_value = graph_.value(bias);
  const bool integers = x_value.quantization && x_value.quantization->per_tensor() &&
                        w_value.constant && w_value.quantization && bias_value.constant &&
                        bias_value.type == DataType::kFloat32 && !bias_value.quantization &&
                        bias_value.constant->shape().size() == 1;
  if (!integers) return Read(node, 2);
  const auto quantized = QuantizeBias(*bias_value.constant, x_value.quantization->scale[0],
                                      w_value.quantization->scale);
  if (!quantized) return Read(node, 2);

  const graph::Shape shape = {static_cast<int64_t>(quantized->values.size())};
  const graph::Shape scale_shape = quantized->scale.size() == 1 ? graph::Shape{} : shape;
  const std::string base = Name(bias);
  const std::string stored = AddInitializer(
      absl::StrCat(base, "_quantized"), *Tensor::Of(DataType::kInt32, shape, quantized->values));
  const std::string scale = AddInitializer(
      absl::StrCat(base, "_scale"), *Tensor::Of(DataType::kFloat32, scale_shape, quantized->scale));
  // Its own name may be taken by a float copy that another node reads.
  const std::string real = tensor_names_.Unique(absl::StrCat(base, "_dequantized"));
  // Without a zero point it is 0.
  ::onnx::NodeProto& dequantize = AddNode("DequantizeLinear", "", {stored, scale}, {real});
  if (!scale_shape.empty()) SetInt(dequantize, "axis", 0);
  return real;
}

}  // namespace fourfold::onnx
