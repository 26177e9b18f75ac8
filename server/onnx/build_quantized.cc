#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"
#include "server/onnx/quantized.h"

// ONNX's operators on stored integers. Where scales and zero points are constants they become
// operators on real numbers between Dequantize and Quantize; else the exact sums are made by
// themselves and scaled.
namespace fourfold::onnx {

using graph::Binary;
using graph::kNoValue;
using graph::ValueId;

absl::Status BuildConvInteger(NodeBuilder& node) {
  ASSIGN_OR_RETURN(graph::Conv conv, ReadConv(node));
  node.Emit(graph::IntegerConv{std::move(conv.window), conv.groups}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildMatMulInteger(NodeBuilder& node) {
  node.Emit(graph::IntegerMatMul{}, node.inputs());
  return absl::OkStatus();
}

// x, scale, zero point, weights, scales, zero points, result's scale, zero point, bias?
absl::Status BuildQLinearConv(NodeBuilder& node) {
  ASSIGN_OR_RETURN(graph::Conv conv, ReadConv(node));
  const Affine result = AffineAt(node, 6);
  if (AreConstant(node, {1, 2, 3, 4, 5, 6, 7, 8})) {
    const ValueId x = AddDequantize(node, node.input(0), AffineAt(node, 1), "x");
    const ValueId weights = AddDequantize(node, node.input(3), AffineAt(node, 4, 0), "weights");
    ASSIGN_OR_RETURN(const ValueId bias, AddBias(node, 8, 1, 4));
    const ValueId real = node.NewValue("real");
    node.Emit(std::move(conv), {x, weights, bias}, {real});
    return WriteQuantized(node, real, result);
  }
  const auto filter = node.KnownShape(node.input(3));
  if (!filter || filter->size() < 3) {
    return absl::UnimplementedError("computed weights of unknown rank");
  }
  const size_t space = filter->size() - 2;
  ValueId sums = node.NewValue("products");
  node.Emit(graph::IntegerConv{std::move(conv.window), conv.groups},
            {node.input(0), node.input(3), node.input(2), node.input(5)}, {sums});
  if (node.has_input(8)) {
    std::vector<int64_t> dims(space + 1, 1);
    dims[0] = -1;
    const ValueId bias = node.NewValue("bias"), sum = node.NewValue("biased");
    node.Emit(graph::Reshape{}, {node.input(8), node.NewInt64s("bias_shape", dims)}, {bias});
    node.Emit(Binary{}, {sums, bias}, {sum});
    sums = sum;
  }
  return WriteQuantized(node, AddScaledSums(node, sums, {1, space}, {4, space}), result);
}

// a, scale, zero point, b, scale, zero point, result's scale, zero point
absl::Status BuildQLinearMatMul(NodeBuilder& node) {
  const Affine result = AffineAt(node, 6);
  if (AreConstant(node, {1, 2, 3, 4, 5, 6, 7})) {
    const ValueId a = AddDequantize(node, node.input(0), AffineAt(node, 1, -2), "a");
    const ValueId b = AddDequantize(node, node.input(3), AffineAt(node, 4, -1), "b");
    const ValueId real = node.NewValue("real");
    node.Emit(graph::MatMul{}, {a, b}, {real});
    return WriteQuantized(node, real, result);
  }
  const ValueId sums = node.NewValue("products");
  node.Emit(graph::IntegerMatMul{}, {node.input(0), node.input(3), node.input(2), node.input(5)},
            {sums});
  return WriteQuantized(node, AddScaledSums(node, sums, {1, 1}, {4, 0}), result);
}

}  // namespace fourfold::onnx
