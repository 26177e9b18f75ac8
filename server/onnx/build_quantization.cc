#include <algorithm>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/evaluate_numbers.h"
#include "server/graph/shapes.h"
#include "server/onnx/builders.h"
#include "server/onnx/element_type.h"
#include "server/onnx/quantized.h"

namespace fourfold::onnx {
namespace {

using graph::Binary;
using graph::DataType;
using graph::kNoValue;
using graph::Shape;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

// QuantizeLinear and DequantizeLinear as they will be in the graph: float32 scales, and one for
// each element where the file has one for each block.
struct Parameters {
  Affine affine;
  DataType real = DataType::kFloat32;  // of the numbers in the file
};

bool IsStoredType(DataType type) {
  return type == DataType::kInt8 || type == DataType::kUint8 || type == DataType::kInt16 ||
         type == DataType::kUint16 || type == DataType::kInt32;
}

// One element of `blocks` for each of `shape`: along `axis` a block has `size` elements.
TensorPtr Spread(const Tensor& blocks, const Shape& shape, size_t axis, int64_t size) {
  const std::vector<int64_t> own = kernels::Strides(blocks.shape(), kernels::Layout::kRowMajor);
  const size_t element = graph::ElementSize(blocks.type());
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<size_t>(graph::ElementCount(shape)) * element);
  graph::ForEachIndex(shape, [&](const std::vector<int64_t>& index) {
    int64_t at = 0;
    for (size_t d = 0; d < index.size(); ++d)
      at += (d == axis ? index[d] / size : index[d]) * own[d];
    const auto begin = graph::BytesOf(blocks).begin() + at * static_cast<std::ptrdiff_t>(element);
    bytes.insert(bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(element));
  });
  return Tensor::Copy(blocks.type(), shape, bytes);
}

absl::StatusOr<ValueId> SpreadInput(NodeBuilder& node, int i, const Shape& shape, int64_t axis,
                                    int64_t size) {
  if (!node.has_input(i)) return kNoValue;
  const TensorPtr blocks = node.Constant(i);
  if (!blocks) return absl::UnimplementedError("block_size with parameters that are computed");
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t dim = axis < 0 ? axis + rank : axis;
  Shape wanted = shape;
  if (dim >= 0 && dim < rank)
    wanted[static_cast<size_t>(dim)] = (shape[static_cast<size_t>(dim)] + size - 1) / size;
  if (dim < 0 || dim >= rank || blocks->shape() != wanted) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input ", i, " has the shape ", graph::ShapeText(blocks->shape()), ", blocks of ", size,
        " along axis ", axis, " of ", graph::ShapeText(shape), " want another"));
  }
  return node.NewConstant(i == 1 ? "scales" : "zero_points",
                          Spread(*blocks, shape, static_cast<size_t>(dim), size));
}

absl::StatusOr<Parameters> ReadParameters(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  attributes.Ignore("saturate");   // of 8-bit floats
  attributes.Ignore("precision");  // of the division
  Parameters parameters{AffineAt(node, 1, attributes.Int("axis", 1))};
  Affine& affine = parameters.affine;
  if (const int64_t size = attributes.Int("block_size", 0); size != 0) {
    if (size < 0) return absl::InvalidArgumentError(absl::StrCat("block_size ", size));
    const std::optional<Shape> shape = node.KnownShape(node.input(0));
    if (!shape || !graph::IsStatic(*shape)) {
      return absl::UnimplementedError("block_size of an input of unknown shape");
    }
    ASSIGN_OR_RETURN(affine.scale, SpreadInput(node, 1, *shape, affine.axis, size));
    ASSIGN_OR_RETURN(affine.zero_point, SpreadInput(node, 2, *shape, affine.axis, size));
  }
  if (const TensorPtr scale = node.ConstantOf(affine.scale);
      scale && scale->type() != DataType::kFloat32) {
    if (!graph::IsFloatingPoint(scale->type())) {
      return absl::InvalidArgumentError(
          absl::StrCat("a scale of ", graph::TypeText(scale->type()), ", wanted real numbers"));
    }
    parameters.real = scale->type();
    affine.scale = node.NewConstant("scale_float", graph::CastNumbers(*scale, DataType::kFloat32));
  }
  return parameters;
}

// Real numbers cut off to what 4 bits hold.
ValueId CutToFourBits(NodeBuilder& node, ValueId x, const Affine& how, int32_t type) {
  const TensorPtr scale = node.ConstantOf(how.scale), zero = node.ConstantOf(how.zero_point);
  const float lowest = type == kOnnxInt4 ? -8.0f : 0.0f;
  const std::vector<float> scales = scale->ToFloat();
  std::vector<float> low, high;
  for (size_t i = 0; i < scales.size(); ++i) {
    const float z = zero ? static_cast<float>(zero->ToInt64()[zero->count() == 1 ? 0 : i]) : 0.0f;
    low.push_back((lowest - z) * scales[i]);
    high.push_back((lowest + 15.0f - z) * scales[i]);
  }
  // One per slice is written along its axis, which the dimensions behind follow.
  Shape shape = scale->shape();
  if (shape.size() == 1 && shape[0] > 1) {
    const std::optional<Shape> of_x = node.KnownShape(node.input(0));
    const auto rank = static_cast<int64_t>(of_x ? of_x->size() : 1);
    const int64_t axis = how.axis < 0 ? how.axis + rank : how.axis;
    for (int64_t d = axis + 1; d < rank; ++d) shape.push_back(1);
  }
  const ValueId above = node.NewValue("above"), within = node.NewValue("within");
  node.Emit(Binary{Binary::Operation::kMax, {}},
            {x, node.NewConstant("low", Tensor::Of(DataType::kFloat32, shape, low))}, {above});
  node.Emit(Binary{Binary::Operation::kMin, {}},
            {above, node.NewConstant("high", Tensor::Of(DataType::kFloat32, shape, high))},
            {within});
  return within;
}

// A zero point of 0 where there is none but the type is told otherwise.
absl::StatusOr<ValueId> ZeroOfType(NodeBuilder& node, ValueId scale, int64_t onnx_type) {
  const TensorPtr scales = node.ConstantOf(scale);
  const bool four_bits = IsFourBits(static_cast<int32_t>(onnx_type));
  std::optional<DataType> type = ElementTypeOf(static_cast<int32_t>(onnx_type));
  if (four_bits) type = onnx_type == kOnnxInt4 ? DataType::kInt8 : DataType::kUint8;
  if (!type || !IsStoredType(*type) || !scales) {
    return absl::UnimplementedError(
        absl::StrCat("output_dtype ", OnnxTypeText(static_cast<int32_t>(onnx_type))));
  }
  const std::vector<float> zeros(static_cast<size_t>(scales->count()), 0.0f);
  const TensorPtr zero = Tensor::Of(DataType::kFloat32, scales->shape(), zeros);
  return node.NewConstant("zero_point", graph::CastNumbers(*zero, *type));
}

}  // namespace

absl::Status BuildQuantizeLinear(NodeBuilder& node) {
  ASSIGN_OR_RETURN(Parameters parameters, ReadParameters(node));
  Affine& affine = parameters.affine;
  const int64_t output_type = node.attributes().Int("output_dtype", 0);
  int32_t packed = node.PackedType(2);
  if (const TensorPtr zero = node.Constant(2); zero && !IsStoredType(zero->type())) {
    if (zero->type() == DataType::kFloat32 || zero->type() == DataType::kFloat64) {
      return absl::InvalidArgumentError(
          absl::StrCat("has a zero point of ", graph::TypeText(zero->type())));
    }
    return absl::UnimplementedError(absl::StrCat("to ", graph::TypeText(zero->type())));
  }
  if (!node.has_input(2) && output_type != 0 && output_type != ::onnx::TensorProto::UINT8) {
    ASSIGN_OR_RETURN(affine.zero_point, ZeroOfType(node, affine.scale, output_type));
    if (IsFourBits(static_cast<int32_t>(output_type))) packed = static_cast<int32_t>(output_type);
  }
  ValueId x = node.input(0);
  if (parameters.real != DataType::kFloat32) {
    const ValueId real = node.NewValue("float");
    node.Emit(graph::Cast{DataType::kFloat32}, {x}, {real});
    x = real;
  }
  if (packed != 0) {
    if (!node.ConstantOf(affine.scale)) {
      return absl::UnimplementedError(
          absl::StrCat("to ", OnnxTypeText(packed), " with a scale that is computed"));
    }
    x = CutToFourBits(node, x, affine, packed);
  }
  node.Emit(graph::Quantize{affine.axis}, {x, affine.scale, affine.zero_point});
  return absl::OkStatus();
}

absl::Status BuildDequantizeLinear(NodeBuilder& node) {
  ASSIGN_OR_RETURN(const Parameters parameters, ReadParameters(node));
  const Affine& affine = parameters.affine;
  node.attributes().Ignore("output_dtype");  // that of the scale
  if (const TensorPtr stored = node.Constant(0); stored && !IsStoredType(stored->type())) {
    return absl::UnimplementedError(absl::StrCat("from ", graph::TypeText(stored->type())));
  }
  const graph::Dequantize dequantize{affine.axis};
  if (parameters.real == DataType::kFloat32) {
    node.Emit(dequantize, {node.input(0), affine.scale, affine.zero_point});
    return absl::OkStatus();
  }
  const ValueId real = node.NewValue("float");
  node.Emit(dequantize, {node.input(0), affine.scale, affine.zero_point}, {real});
  node.Emit(graph::Cast{parameters.real}, {real});
  return absl::OkStatus();
}

absl::Status BuildDynamicQuantizeLinear(NodeBuilder& node) {
  node.Emit(graph::DynamicQuantize{}, {node.input(0)},
            {node.output(0), node.output(1), node.output(2)});
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
