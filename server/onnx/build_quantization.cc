#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"
#include "server/onnx/element_type.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

bool IsEightBits(DataType type) { return type == DataType::kInt8 || type == DataType::kUint8; }

// Bounds the attributes that came with opsets 19 to 23.
absl::Status ReadNewAttributes(Attributes& attributes) {
  attributes.Ignore("saturate");  // of 8-bit floats
  if (const int64_t size = attributes.Int("block_size", 0); size != 0) {
    return absl::UnimplementedError(absl::StrCat("block_size ", size));
  }
  return absl::OkStatus();
}

// 32-bit integers stand for a bias: they become the real numbers they mean, scale * stored. Null if
// it is not of that form (a scalar scale, or one per element of a vector).
TensorPtr DequantizedBias(const NodeBuilder& node) {
  const TensorPtr stored = node.Constant(0);
  const TensorPtr scale = node.Constant(1);
  if (!stored || !scale || stored->type() != DataType::kInt32 ||
      scale->type() != DataType::kFloat32) {
    return nullptr;
  }
  const bool per_tensor = scale->count() == 1;
  if (!per_tensor && (stored->shape().size() != 1 || scale->count() != stored->count()))
    return nullptr;
  if (node.has_input(2)) {
    const TensorPtr zero = node.Constant(2);
    if (!zero || zero->type() != DataType::kInt32) return nullptr;
    for (int32_t element : zero->as<int32_t>()) {
      if (element != 0) return nullptr;
    }
  }
  std::vector<float> real;
  real.reserve(static_cast<size_t>(stored->count()));
  const auto scales = scale->as<float>();
  for (int32_t element : stored->as<int32_t>()) {
    real.push_back(static_cast<float>(element) * scales[per_tensor ? 0 : real.size()]);
  }
  return Tensor::Of(DataType::kFloat32, stored->shape(), real);
}

}  // namespace

absl::Status BuildQuantizeLinear(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  RETURN_IF_ERROR(ReadNewAttributes(attributes));
  const graph::Quantize quantize{.axis = attributes.Int("axis", 1)};
  const int64_t output_type = attributes.Int("output_dtype", 0);
  ValueId zero_point = node.input(2);
  if (const TensorPtr zero = node.Constant(2); zero && !IsEightBits(zero->type())) {
    if (zero->type() == DataType::kFloat32 || zero->type() == DataType::kFloat64) {
      return absl::InvalidArgumentError(
          absl::StrCat("has a zero point of ", graph::TypeText(zero->type())));
    }
    return absl::UnimplementedError(absl::StrCat("to ", graph::TypeText(zero->type())));
  }
  if (!node.has_input(2) && output_type != 0 && output_type != ::onnx::TensorProto::UINT8) {
    const TensorPtr scale = node.Constant(1);
    if (output_type != ::onnx::TensorProto::INT8 || !scale) {
      return absl::UnimplementedError(absl::StrCat("output_dtype ", output_type));
    }
    const std::vector<int8_t> zeros(static_cast<size_t>(scale->count()), 0);
    zero_point = node.NewConstant("zero_point", Tensor::Of(DataType::kInt8, scale->shape(), zeros));
  }
  node.Emit(quantize, {node.input(0), node.input(1), zero_point});
  return absl::OkStatus();
}

absl::Status BuildDequantizeLinear(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  RETURN_IF_ERROR(ReadNewAttributes(attributes));
  const graph::Dequantize dequantize{.axis = attributes.Int("axis", 1)};
  if (TensorPtr bias = DequantizedBias(node)) {
    node.SetConstantOutput(0, std::move(bias));
    return absl::OkStatus();
  }
  if (const TensorPtr stored = node.Constant(0);
      stored && !IsEightBits(stored->type()) && stored->type() != DataType::kInt32) {
    return absl::UnimplementedError(absl::StrCat("from ", graph::TypeText(stored->type())));
  }
  node.Emit(dequantize, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildDynamicQuantizeLinear(NodeBuilder& node) {
  node.Emit(graph::DynamicQuantize{}, {node.input(0)},
            {node.output(0), node.output(1), node.output(2)});
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
