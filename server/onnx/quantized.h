#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "server/onnx/node_builder.h"

namespace fourfold::onnx {

// What the builders of quantized operators share: operators on stored integers become operators on
// real numbers between Dequantize and Quantize, which passes/absorb_quantization takes away again.
// Internal to this folder.

// Scale and zero point (may be kNoValue) of stored integers; several of them along `axis`.
struct Affine {
  graph::ValueId scale = graph::kNoValue;
  graph::ValueId zero_point = graph::kNoValue;
  int64_t axis = 1;
};

// Inputs `scale` and scale + 1 of the node.
Affine AffineAt(const NodeBuilder& node, int scale, int64_t axis = 1);

// Whether all of these inputs that are there are constants.
bool AreConstant(const NodeBuilder& node, std::initializer_list<int> inputs);

// The real numbers that `stored` means.
graph::ValueId AddDequantize(NodeBuilder& node, graph::ValueId stored, const Affine& how,
                             const std::string& suffix);

// Stores real numbers as output 0 of the node. UNIMPLEMENTED without a zero point, which alone
// tells the type.
absl::Status WriteQuantized(NodeBuilder& node, graph::ValueId real, const Affine& how);

// A bias of int32 at input i, in units of lhs scale * rhs scale (inputs, constants). kNoValue where
// it is absent.
absl::StatusOr<graph::ValueId> AddBias(NodeBuilder& node, int i, int lhs_scale, int rhs_scale,
                                       float factor = 1.0f);

// `sums` (int32) as real numbers: times lhs scale * rhs scale. A scale with several elements has
// them along the dimension that `trailing` others follow.
struct ScaleInput {
  int input;
  size_t trailing = 0;
};
graph::ValueId AddScaledSums(NodeBuilder& node, graph::ValueId sums, ScaleInput lhs,
                             ScaleInput rhs);

}  // namespace fourfold::onnx
