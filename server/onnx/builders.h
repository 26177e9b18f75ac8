#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/onnx/node_builder.h"

// What the operators' table refers to: each turns one ONNX node into nodes of the graph, under the
// contract of OperatorForm::build. A form that changed between opsets has a builder per form.
namespace fourfold::onnx {

// build_layers.cc
absl::StatusOr<graph::Conv> ReadConv(NodeBuilder& node);  // the attributes
absl::StatusOr<graph::Pool> ReadPool(NodeBuilder& node, graph::Pool::Kind kind);
absl::Status BuildConv(NodeBuilder& node);
absl::Status BuildGemm(NodeBuilder& node);
absl::Status BuildMatMul(NodeBuilder& node);
absl::Status BuildPool(NodeBuilder& node, graph::Pool::Kind kind);
absl::Status BuildGlobalPool(NodeBuilder& node, graph::Pool::Kind kind);
absl::Status BuildDropout(NodeBuilder& node);

// build_image.cc
absl::Status BuildAffineGrid(NodeBuilder& node);
absl::Status BuildConvTranspose(NodeBuilder& node);
absl::Status BuildGridSample(NodeBuilder& node);
absl::Status BuildMaxRoiPool(NodeBuilder& node);
absl::Status BuildMaxUnpool(NodeBuilder& node);
absl::Status BuildNonMaxSuppression(NodeBuilder& node);
absl::Status BuildResize(NodeBuilder& node);
absl::Status BuildResize10(NodeBuilder& node);
absl::Status BuildRoiAlign(NodeBuilder& node);
absl::Status BuildUpsampleAttributes(NodeBuilder& node);
absl::Status BuildUpsampleInputs(NodeBuilder& node);

// build_normalization.cc
absl::Status BuildBatchNormalization(NodeBuilder& node);
absl::Status BuildGroupNormalization(NodeBuilder& node);
absl::Status BuildInstanceNormalization(NodeBuilder& node);
absl::Status BuildLayerNormalization(NodeBuilder& node);
absl::Status BuildLocalResponseNorm(NodeBuilder& node);
absl::Status BuildLpNormalization(NodeBuilder& node);

// build_arithmetic.cc
struct FunctionAttribute {
  const char* name = nullptr;  // null: the function has none
  float fallback = 0.0f;
};
absl::Status BuildEltwise(NodeBuilder& node, graph::Eltwise::Function function);
absl::Status BuildFunction(NodeBuilder& node, graph::Eltwise::Function function,
                           const FunctionAttribute& alpha, const FunctionAttribute& beta);
absl::Status BuildActivation(NodeBuilder& node, kernels::Activation::Kind kind);
absl::Status BuildActivation(NodeBuilder& node, kernels::Activation::Kind kind,
                             float default_alpha);
absl::Status BuildArgReduce(NodeBuilder& node, bool minimum);
absl::Status BuildBinary(NodeBuilder& node, graph::Binary::Operation operation);  // 1 input or more
absl::Status BuildBitShift(NodeBuilder& node);
absl::Status BuildClipAttributes(NodeBuilder& node);
absl::Status BuildClipInputs(NodeBuilder& node);
absl::Status BuildCompare(NodeBuilder& node, graph::Compare::Operation operation);
absl::Status BuildCumSum(NodeBuilder& node);
absl::Status BuildGelu(NodeBuilder& node);
absl::Status BuildHardmax(NodeBuilder& node);
absl::Status BuildIsInf(NodeBuilder& node);
absl::Status BuildMod(NodeBuilder& node);
absl::Status BuildPow(NodeBuilder& node);
absl::Status BuildPRelu(NodeBuilder& node);
absl::Status BuildReduce(NodeBuilder& node, graph::Reduce::Operation operation);  // axes attribute
absl::Status BuildReduceInput(NodeBuilder& node, graph::Reduce::Operation operation);
absl::Status BuildSoftmax(NodeBuilder& node, bool logarithm);
absl::Status BuildWhere(NodeBuilder& node);

// build_movement.cc
absl::Status BuildConcat(NodeBuilder& node);
absl::Status BuildPadAttributes(NodeBuilder& node);
absl::Status BuildPadInputs(NodeBuilder& node);
absl::Status BuildTranspose(NodeBuilder& node);
absl::Status BuildReshape(NodeBuilder& node);
absl::Status BuildFlatten(NodeBuilder& node);
absl::Status BuildSqueezeAttributes(NodeBuilder& node);
absl::Status BuildSqueezeInputs(NodeBuilder& node);
absl::Status BuildUnsqueezeAttributes(NodeBuilder& node);
absl::Status BuildUnsqueezeInputs(NodeBuilder& node);
absl::Status BuildSliceAttributes(NodeBuilder& node);
absl::Status BuildSliceInputs(NodeBuilder& node);
absl::Status BuildSplitAttributes(NodeBuilder& node);
absl::Status BuildSplitInputs(NodeBuilder& node);
absl::Status BuildExpand(NodeBuilder& node);
absl::Status BuildIdentity(NodeBuilder& node);

// build_arrangement.cc
absl::Status BuildCenterCropPad(NodeBuilder& node);
absl::Status BuildCol2Im(NodeBuilder& node);
absl::Status BuildDepthToSpace(NodeBuilder& node);
absl::Status BuildReverseSequence(NodeBuilder& node);
absl::Status BuildSize(NodeBuilder& node);
absl::Status BuildSpaceToDepth(NodeBuilder& node);
absl::Status BuildTile(NodeBuilder& node);
absl::Status BuildTrilu(NodeBuilder& node);

// build_selection.cc
absl::Status BuildCompress(NodeBuilder& node);
absl::Status BuildGather(NodeBuilder& node);
absl::Status BuildGatherElements(NodeBuilder& node);
absl::Status BuildGatherNd(NodeBuilder& node);
absl::Status BuildNonZero(NodeBuilder& node);
absl::Status BuildOneHot(NodeBuilder& node);
absl::Status BuildScatterElements(NodeBuilder& node);
absl::Status BuildScatterNd(NodeBuilder& node);
absl::Status BuildTopKAttributes(NodeBuilder& node);
absl::Status BuildTopKInputs(NodeBuilder& node);
absl::Status BuildUnique(NodeBuilder& node);
// build_control.cc
absl::Status BuildIf(NodeBuilder& node);
absl::Status BuildLoop(NodeBuilder& node);
absl::Status BuildScan8(NodeBuilder& node);
absl::Status BuildScan(NodeBuilder& node);

// build_sequence.cc
absl::Status BuildConcatFromSequence(NodeBuilder& node);
absl::Status BuildSequenceAt(NodeBuilder& node);
absl::Status BuildSequenceConstruct(NodeBuilder& node);
absl::Status BuildSequenceEmpty(NodeBuilder& node);
absl::Status BuildSequenceErase(NodeBuilder& node);
absl::Status BuildSequenceInsert(NodeBuilder& node);
absl::Status BuildSequenceLength(NodeBuilder& node);
absl::Status BuildSplitToSequence(NodeBuilder& node);

// build_constants.cc
absl::Status BuildConstant(NodeBuilder& node);
absl::Status BuildConstantOfShape(NodeBuilder& node);
absl::Status BuildShape(NodeBuilder& node);
absl::Status BuildCast(NodeBuilder& node);
absl::Status BuildCastLike(NodeBuilder& node);
absl::Status BuildEyeLike(NodeBuilder& node);
absl::Status BuildRange(NodeBuilder& node);
// The element type that an attribute names; `fallback`, if there is one, where it is absent.
absl::StatusOr<graph::DataType> TypeAttribute(NodeBuilder& node, const char* name,
                                              std::optional<graph::DataType> fallback);

// build_composites.cc: of several nodes each
absl::Status BuildCrossEntropyLoss(NodeBuilder& node);
absl::Status BuildLikelihoodLoss(NodeBuilder& node);
absl::Status BuildMean(NodeBuilder& node);
absl::Status BuildMeanVarianceNormalization(NodeBuilder& node);

// build_signal.cc
absl::Status BuildDet(NodeBuilder& node);
absl::Status BuildDftAttributes(NodeBuilder& node);
absl::Status BuildDftInputs(NodeBuilder& node);
absl::Status BuildEinsum(NodeBuilder& node);
absl::Status BuildMelWeights(NodeBuilder& node);
absl::Status BuildStft(NodeBuilder& node);
absl::Status BuildWindow(NodeBuilder& node, graph::WindowFunction::Kind kind);

// build_recurrent.cc
absl::Status BuildRecurrent(NodeBuilder& node, graph::Recurrent::Kind kind);

// build_quantization.cc
absl::Status BuildQuantizeLinear(NodeBuilder& node);
absl::Status BuildDequantizeLinear(NodeBuilder& node);
absl::Status BuildDynamicQuantizeLinear(NodeBuilder& node);

// build_quantized.cc
absl::Status BuildConvInteger(NodeBuilder& node);
absl::Status BuildMatMulInteger(NodeBuilder& node);
absl::Status BuildQLinearConv(NodeBuilder& node);
absl::Status BuildQLinearMatMul(NodeBuilder& node);

// build_microsoft.cc
absl::Status BuildDynamicQuantizeMatMul(NodeBuilder& node);
absl::Status BuildMatMulIntegerToFloat(NodeBuilder& node);
absl::Status BuildQGemm(NodeBuilder& node);
absl::Status BuildQLinearAveragePool(NodeBuilder& node);
absl::Status BuildQLinearBinary(NodeBuilder& node, graph::Binary::Operation operation);
absl::Status BuildQLinearConcat(NodeBuilder& node);
absl::Status BuildQLinearGlobalAveragePool(NodeBuilder& node);
absl::Status BuildQLinearLeakyRelu(NodeBuilder& node);
absl::Status BuildQLinearReduceMean(NodeBuilder& node);
absl::Status BuildQLinearSigmoid(NodeBuilder& node);
absl::Status BuildQLinearSoftmax(NodeBuilder& node);

}  // namespace fourfold::onnx
