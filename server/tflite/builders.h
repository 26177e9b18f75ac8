#pragma once

#include "absl/status/status.h"
#include "server/tflite/operator_builder.h"

// What the operators' table refers to: each turns one operator of the file into nodes of the graph,
// under the contract of OperatorForm::build.
namespace fourfold::tflite {

// build_layers.cc
absl::Status BuildConv2d(OperatorBuilder& op);
absl::Status BuildDepthwiseConv2d(OperatorBuilder& op);
absl::Status BuildFullyConnected(OperatorBuilder& op);
absl::Status BuildBatchMatMul(OperatorBuilder& op);
absl::Status BuildPool2d(OperatorBuilder& op, graph::Pool::Kind kind);
absl::Status BuildSoftmax(OperatorBuilder& op);
absl::Status BuildLogSoftmax(OperatorBuilder& op);

// build_arithmetic.cc
absl::Status BuildAdd(OperatorBuilder& op);
absl::Status BuildSub(OperatorBuilder& op);
absl::Status BuildMul(OperatorBuilder& op);
absl::Status BuildDiv(OperatorBuilder& op);
absl::Status BuildBinary(OperatorBuilder& op, graph::Binary::Operation operation);
absl::Status BuildSquare(OperatorBuilder& op);
absl::Status BuildSquaredDifference(OperatorBuilder& op);
absl::Status BuildEltwise(OperatorBuilder& op, graph::Eltwise::Function function);
absl::Status BuildRsqrt(OperatorBuilder& op);
absl::Status BuildActivation(OperatorBuilder& op, kernels::Activation activation);
absl::Status BuildLeakyRelu(OperatorBuilder& op);
absl::Status BuildPRelu(OperatorBuilder& op);
absl::Status BuildReduce(OperatorBuilder& op, graph::Reduce::Operation operation);
absl::Status BuildCast(OperatorBuilder& op);
absl::Status BuildRequantize(OperatorBuilder& op);  // QUANTIZE and DEQUANTIZE

// build_movement.cc
absl::Status BuildReshape(OperatorBuilder& op);
absl::Status BuildSqueeze(OperatorBuilder& op);
absl::Status BuildExpandDims(OperatorBuilder& op);
absl::Status BuildTranspose(OperatorBuilder& op);
absl::Status BuildPad(OperatorBuilder& op);  // PAD and PADV2
absl::Status BuildMirrorPad(OperatorBuilder& op);
absl::Status BuildConcatenation(OperatorBuilder& op);
absl::Status BuildPack(OperatorBuilder& op);
absl::Status BuildResizeBilinear(OperatorBuilder& op);
absl::Status BuildResizeNearest(OperatorBuilder& op);
absl::Status BuildBroadcastTo(OperatorBuilder& op);
absl::Status BuildTile(OperatorBuilder& op);
absl::Status BuildDepthToSpace(OperatorBuilder& op);
absl::Status BuildSpaceToDepth(OperatorBuilder& op);

// build_indexing.cc
absl::Status BuildSplit(OperatorBuilder& op);
absl::Status BuildSplitV(OperatorBuilder& op);
absl::Status BuildSlice(OperatorBuilder& op);
absl::Status BuildStridedSlice(OperatorBuilder& op);
absl::Status BuildUnpack(OperatorBuilder& op);
absl::Status BuildGather(OperatorBuilder& op);
absl::Status BuildShape(OperatorBuilder& op);
absl::Status BuildFill(OperatorBuilder& op);

// build_recurrent.cc
absl::Status BuildUnidirectionalLstm(OperatorBuilder& op);

}  // namespace fourfold::tflite
