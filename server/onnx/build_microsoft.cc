#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"
#include "server/onnx/quantized.h"

// Quantized operators of ONNX Runtime's own domain, com.microsoft.
namespace fourfold::onnx {
namespace {

using graph::kNoValue;
using graph::ValueId;

// Inputs x, scale, zero point, result's scale, zero point: `operation` on the real numbers.
absl::Status BuildUnary(NodeBuilder& node, graph::Operation operation) {
  const ValueId x = AddDequantize(node, node.input(0), AffineAt(node, 1), "x");
  const ValueId real = node.NewValue("real");
  node.Emit(std::move(operation), {x}, {real});
  return WriteQuantized(node, real, AffineAt(node, 3));
}

graph::Eltwise ActivationOf(kernels::Activation activation) {
  graph::Eltwise eltwise;
  eltwise.activation = activation;
  return eltwise;
}

// The same with the channels of x and the result in their last dimension.
absl::Status BuildPoolOf(NodeBuilder& node, const graph::Pool& pool, size_t rank,
                         bool channels_last) {
  if (!channels_last) return BuildUnary(node, pool);
  std::vector<int64_t> to_front(rank), to_back(rank);
  std::iota(to_front.begin(), to_front.end(), -1);  // 0, N - 1, 1, 2, ...
  to_front[0] = 0;
  to_front[1] = static_cast<int64_t>(rank) - 1;
  std::iota(to_back.begin(), to_back.end(), 1);  // 0, 2, 3, ..., 1
  to_back[0] = 0;
  to_back.back() = 1;
  const ValueId x = AddDequantize(node, node.input(0), AffineAt(node, 1), "x");
  const ValueId moved = node.NewValue("moved"), pooled = node.NewValue("pooled"),
                real = node.NewValue("real");
  node.Emit(graph::Transpose{to_front}, {x}, {moved});
  node.Emit(pool, {moved}, {pooled});
  node.Emit(graph::Transpose{to_back}, {pooled}, {real});
  return WriteQuantized(node, real, AffineAt(node, 3));
}

// lhs * rhs + bias, where the bias is a float32 row, if it is there.
void EmitProduct(NodeBuilder& node, ValueId lhs, ValueId rhs, int bias) {
  node.Emit(graph::MatMul{}, {lhs, rhs, node.input(bias)});
}

}  // namespace

// A, A's scale, zero point, B's, C's
absl::Status BuildQLinearBinary(NodeBuilder& node, graph::Binary::Operation operation) {
  const ValueId a = AddDequantize(node, node.input(0), AffineAt(node, 1), "a");
  const ValueId b = AddDequantize(node, node.input(3), AffineAt(node, 4), "b");
  const ValueId real = node.NewValue("real");
  node.Emit(graph::Binary{operation, {}}, {a, b}, {real});
  return WriteQuantized(node, real, AffineAt(node, 6));
}

// The result's scale, zero point, then x, scale and zero point of each part.
absl::Status BuildQLinearConcat(NodeBuilder& node) {
  node.attributes().Require("axis");
  const graph::Concat concat{node.attributes().Int("axis", 0)};
  if (node.input_count() % 3 != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", node.input_count(), " inputs, 2 and 3 for each part are wanted"));
  }
  std::vector<ValueId> parts;
  for (int i = 2; i < node.input_count(); i += 3) {
    parts.push_back(
        AddDequantize(node, node.input(i), AffineAt(node, i + 1), absl::StrCat("part_", i / 3)));
  }
  const ValueId real = node.NewValue("real");
  node.Emit(concat, std::move(parts), {real});
  return WriteQuantized(node, real, AffineAt(node, 0));
}

absl::Status BuildQLinearSigmoid(NodeBuilder& node) {
  return BuildUnary(node, ActivationOf({.kind = kernels::Activation::Kind::kSigmoid}));
}

absl::Status BuildQLinearLeakyRelu(NodeBuilder& node) {
  return BuildUnary(node, ActivationOf({.kind = kernels::Activation::Kind::kLeakyRelu,
                                        .alpha = node.attributes().Float("alpha", 0.01f)}));
}

absl::Status BuildQLinearSoftmax(NodeBuilder& node) {
  graph::Softmax softmax;
  softmax.flatten = node.attributes().Int("opset", 13) < 13;
  softmax.axis = node.attributes().Int("axis", softmax.flatten ? 1 : -1);
  return BuildUnary(node, softmax);
}

absl::Status BuildQLinearReduceMean(NodeBuilder& node) {
  graph::Reduce reduce;
  reduce.operation = graph::Reduce::Operation::kMean;
  reduce.axes = node.attributes().Ints("axes");
  reduce.keep_dims = node.attributes().Int("keepdims", 1) != 0;
  return BuildUnary(node, reduce);
}

absl::Status BuildQLinearAveragePool(NodeBuilder& node) {
  const bool channels_last = node.attributes().Int("channels_last", 0) != 0;
  ASSIGN_OR_RETURN(const graph::Pool pool, ReadPool(node, graph::Pool::Kind::kAverage));
  return BuildPoolOf(node, pool, pool.window.kernel.size() + 2, channels_last);
}

absl::Status BuildQLinearGlobalAveragePool(NodeBuilder& node) {
  const bool channels_last = node.attributes().Int("channels_last", 0) != 0;
  graph::Pool pool;
  pool.kind = graph::Pool::Kind::kAverage;
  pool.global = true;
  const auto shape = node.KnownShape(node.input(0));
  // Images where nothing is known.
  return BuildPoolOf(node, pool, shape && shape->size() > 2 ? shape->size() : 4, channels_last);
}

// A, scale, zero point, B, scales, zero points, bias (int32)?, result's scale?, zero point?
absl::Status BuildQGemm(NodeBuilder& node) {
  graph::MatMul matmul;
  matmul.transpose_lhs = node.attributes().Int("transA", 0) != 0;
  matmul.transpose_rhs = node.attributes().Int("transB", 0) != 0;
  const float alpha = node.attributes().Float("alpha", 1.0f);
  if (!AreConstant(node, {1, 2, 4, 5, 6, 7, 8})) {
    return absl::UnimplementedError("scales, zero points or bias that are computed");
  }
  // alpha multiplies the bias too: its unit is alpha * A's scale * B's.
  Affine rhs = AffineAt(node, 4, matmul.transpose_rhs ? 0 : 1);
  if (alpha != 1.0f) {
    const graph::TensorPtr scale = node.Constant(4);
    std::vector<float> scaled = scale->ToFloat();
    for (float& s : scaled) s *= alpha;
    rhs.scale = node.NewConstant(
        "scale", graph::Tensor::Of(graph::DataType::kFloat32, scale->shape(), scaled));
  }
  const ValueId a = AddDequantize(node, node.input(0), AffineAt(node, 1), "a");
  const ValueId b = AddDequantize(node, node.input(3), rhs, "b");
  ASSIGN_OR_RETURN(const ValueId bias, AddBias(node, 6, 1, 4, alpha));
  if (!node.has_input(7)) {
    node.Emit(matmul, {a, b, bias});
    return absl::OkStatus();
  }
  const ValueId real = node.NewValue("real");
  node.Emit(matmul, {a, b, bias}, {real});
  return WriteQuantized(node, real, AffineAt(node, 7));
}

// A, B, A's scale, B's scales, A's zero point?, B's zero points?, bias?
absl::Status BuildMatMulIntegerToFloat(NodeBuilder& node) {
  const ValueId a = AddDequantize(node, node.input(0), {node.input(2), node.input(4), -2}, "a");
  const ValueId b = AddDequantize(node, node.input(1), {node.input(3), node.input(5), -1}, "b");
  EmitProduct(node, a, b, 6);
  return absl::OkStatus();
}

// A (float), B, B's scales, zero points?, bias?
absl::Status BuildDynamicQuantizeMatMul(NodeBuilder& node) {
  const ValueId stored = node.NewValue("stored"), scale = node.NewValue("scale"),
                zero = node.NewValue("zero_point");
  node.Emit(graph::DynamicQuantize{}, {node.input(0)}, {stored, scale, zero});
  const ValueId a = AddDequantize(node, stored, {scale, zero}, "a");
  const ValueId b = AddDequantize(node, node.input(1), AffineAt(node, 2, -1), "b");
  EmitProduct(node, a, b, 4);
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
