#include "server/onnx/quantized.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fourfold::onnx {

using graph::Binary;
using graph::DataType;
using graph::kNoValue;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

Affine AffineAt(const NodeBuilder& node, int scale, int64_t axis) {
  return {node.input(scale), node.input(scale + 1), axis};
}

bool AreConstant(const NodeBuilder& node, std::initializer_list<int> inputs) {
  return std::all_of(inputs.begin(), inputs.end(),
                     [&](int i) { return !node.has_input(i) || node.Constant(i) != nullptr; });
}

ValueId AddDequantize(NodeBuilder& node, ValueId stored, const Affine& how,
                      const std::string& suffix) {
  const ValueId real = node.NewValue(suffix);
  node.Emit(graph::Dequantize{how.axis}, {stored, how.scale, how.zero_point}, {real});
  return real;
}

absl::Status WriteQuantized(NodeBuilder& node, ValueId real, const Affine& how) {
  if (how.zero_point == kNoValue) return absl::UnimplementedError("a result without a zero point");
  node.Emit(graph::Quantize{how.axis}, {real, how.scale, how.zero_point});
  return absl::OkStatus();
}

absl::StatusOr<ValueId> AddBias(NodeBuilder& node, int i, int lhs_scale, int rhs_scale,
                                float factor) {
  if (!node.has_input(i)) return kNoValue;
  const TensorPtr lhs = node.Constant(lhs_scale), rhs = node.Constant(rhs_scale);
  if (lhs->count() != 1)
    return absl::UnimplementedError("a bias beside several scales of the left");
  std::vector<float> scales;
  for (float scale : rhs->ToFloat()) scales.push_back(lhs->ToFloat()[0] * (scale * factor));
  const graph::Shape shape =
      scales.size() == 1 ? graph::Shape{} : graph::Shape{static_cast<int64_t>(scales.size())};
  const ValueId scale =
      node.NewConstant("bias_scale", Tensor::Of(DataType::kFloat32, shape, scales));
  return AddDequantize(node, node.input(i), {scale, kNoValue, 0}, "bias");
}

namespace {

// A scale ready to be broadcast.
ValueId Spread(NodeBuilder& node, ScaleInput scale) {
  const auto shape = node.KnownShape(node.input(scale.input));
  if (!shape || shape->empty()) return node.input(scale.input);
  std::vector<int64_t> dims(scale.trailing + 1, 1);
  dims[0] = -1;
  const ValueId spread = node.NewValue(absl::StrCat("scale_", scale.input));
  node.Emit(graph::Reshape{}, {node.input(scale.input), node.NewInt64s("scale_shape", dims)},
            {spread});
  return spread;
}

}  // namespace

ValueId AddScaledSums(NodeBuilder& node, ValueId sums, ScaleInput lhs, ScaleInput rhs) {
  const ValueId numbers = node.NewValue("sums");
  node.Emit(graph::Cast{DataType::kFloat32}, {sums}, {numbers});
  const ValueId scale = node.NewValue("scale");
  node.Emit(Binary{Binary::Operation::kMul, {}}, {Spread(node, lhs), Spread(node, rhs)}, {scale});
  const ValueId real = node.NewValue("real");
  node.Emit(Binary{Binary::Operation::kMul, {}}, {numbers, scale}, {real});
  return real;
}

}  // namespace fourfold::onnx
