#include "server/onnx/operators.h"

#include <algorithm>

#include "server/onnx/builders.h"

namespace fourfold::onnx {
namespace {

using Act = kernels::Activation::Kind;
using Bin = graph::Binary::Operation;
using Cmp = graph::Compare::Operation;
using Fun = graph::Eltwise::Function;
using Kind = graph::Pool::Kind;
using Red = graph::Reduce::Operation;
using Win = graph::WindowFunction::Kind;
using Builder = absl::Status (*)(NodeBuilder&);

constexpr int64_t kOld = 7;
constexpr int64_t kNew = kNewestOpset;
constexpr int kMany = 1 << 20;

// Builders with their parameter bound.
template <Fun function>
absl::Status Function(NodeBuilder& node) {
  return BuildEltwise(node, function);
}
template <Act kind>
absl::Status Activate(NodeBuilder& node) {
  return BuildActivation(node, kind);
}
template <Bin operation>
absl::Status Arithmetic(NodeBuilder& node) {
  return BuildBinary(node, operation);
}
template <Red operation>
absl::Status Reduce(NodeBuilder& node) {
  return BuildReduce(node, operation);
}
template <Red operation>
absl::Status ReduceInput(NodeBuilder& node) {
  return BuildReduceInput(node, operation);
}
template <Kind kind>
absl::Status Pool(NodeBuilder& node) {
  return BuildPool(node, kind);
}
template <Kind kind>
absl::Status GlobalPool(NodeBuilder& node) {
  return BuildGlobalPool(node, kind);
}
template <Bin operation>
absl::Status QLinear(NodeBuilder& node) {
  return BuildQLinearBinary(node, operation);
}
template <bool logarithm>
absl::Status Softmax(NodeBuilder& node) {
  return BuildSoftmax(node, logarithm);
}
template <graph::Recurrent::Kind kind>
absl::Status Recurrent(NodeBuilder& node) {
  return BuildRecurrent(node, kind);
}
template <Cmp operation>
absl::Status Comparison(NodeBuilder& node) {
  return BuildCompare(node, operation);
}
template <bool minimum>
absl::Status ArgReduce(NodeBuilder& node) {
  return BuildArgReduce(node, minimum);
}
template <Win kind>
absl::Status Window(NodeBuilder& node) {
  return BuildWindow(node, kind);
}
absl::Status Celu(NodeBuilder& node) {
  return BuildFunction(node, Fun::kCelu, {"alpha", 1.0f}, {});
}
absl::Status HardSigmoid(NodeBuilder& node) {
  return BuildFunction(node, Fun::kHardSigmoid, {"alpha", 0.2f}, {"beta", 0.5f});
}
absl::Status Selu(NodeBuilder& node) {
  return BuildFunction(node, Fun::kSelu, {"alpha", 1.67326319217681884765625f},
                       {"gamma", 1.05070102214813232421875f});
}
absl::Status Shrink(NodeBuilder& node) {
  return BuildFunction(node, Fun::kShrink, {"bias", 0.0f}, {"lambd", 0.5f});
}
absl::Status ThresholdedRelu(NodeBuilder& node) {
  return BuildFunction(node, Fun::kThresholdedRelu, {"alpha", 1.0f}, {});
}
absl::Status LeakyRelu(NodeBuilder& node) { return BuildActivation(node, Act::kLeakyRelu, 0.01f); }
absl::Status Elu(NodeBuilder& node) { return BuildActivation(node, Act::kElu, 1.0f); }

// All that is supported, by name. Ranges of opsets in which an operator only gained element types
// are one form. Rows of other domains than the default one name theirs last.
constexpr OperatorForm kOperators[] = {
    {"Abs", 6, kNew, 1, 1, 1, Function<Fun::kAbs>},
    {"Acos", kOld, kNew, 1, 1, 1, Function<Fun::kAcos>},
    {"Acosh", 9, kNew, 1, 1, 1, Function<Fun::kAcosh>},
    {"Add", kOld, kNew, 2, 2, 1, Arithmetic<Bin::kAdd>},
    {"AffineGrid", 20, kNew, 2, 2, 1, BuildAffineGrid},
    {"And", kOld, kNew, 2, 2, 1, Comparison<Cmp::kAnd>},
    {"ArgMax", 1, kNew, 1, 1, 1, ArgReduce<false>},
    {"ArgMin", 1, kNew, 1, 1, 1, ArgReduce<true>},
    {"Asin", kOld, kNew, 1, 1, 1, Function<Fun::kAsin>},
    {"Asinh", 9, kNew, 1, 1, 1, Function<Fun::kAsinh>},
    {"Atan", kOld, kNew, 1, 1, 1, Function<Fun::kAtan>},
    {"Atanh", 9, kNew, 1, 1, 1, Function<Fun::kAtanh>},
    {"AveragePool", 1, kNew, 1, 1, 1, Pool<Kind::kAverage>},
    {"BatchNormalization", kOld, 13, 5, 5, 1, BuildBatchNormalization},
    {"BatchNormalization", 14, kNew, 5, 5, 3, BuildBatchNormalization},
    {"BitShift", 11, kNew, 2, 2, 1, BuildBitShift},
    {"BitwiseAnd", 18, kNew, 2, 2, 1, Arithmetic<Bin::kBitwiseAnd>},
    {"BitwiseNot", 18, kNew, 1, 1, 1, Function<Fun::kBitwiseNot>},
    {"BitwiseOr", 18, kNew, 2, 2, 1, Arithmetic<Bin::kBitwiseOr>},
    {"BitwiseXor", 18, kNew, 2, 2, 1, Arithmetic<Bin::kBitwiseXor>},
    {"BlackmanWindow", 17, kNew, 1, 1, 1, Window<Win::kBlackman>},
    {"Cast", 6, kNew, 1, 1, 1, BuildCast},
    {"CastLike", 15, kNew, 2, 2, 1, BuildCastLike},
    {"Ceil", 6, kNew, 1, 1, 1, Function<Fun::kCeil>},
    {"Celu", 12, kNew, 1, 1, 1, Celu},
    {"CenterCropPad", 18, kNew, 2, 2, 1, BuildCenterCropPad},
    {"Clip", 6, 10, 1, 1, 1, BuildClipAttributes},
    {"Clip", 11, kNew, 1, 3, 1, BuildClipInputs},
    {"Col2Im", 18, kNew, 3, 3, 1, BuildCol2Im},
    {"Compress", 9, kNew, 2, 2, 1, BuildCompress},
    {"Concat", 4, kNew, 1, kMany, 1, BuildConcat},
    {"ConcatFromSequence", 11, kNew, 1, 1, 1, BuildConcatFromSequence, "", true},
    {"Constant", 1, kNew, 0, 0, 1, BuildConstant},
    {"ConstantOfShape", 9, kNew, 1, 1, 1, BuildConstantOfShape},
    {"Conv", 1, kNew, 2, 3, 1, BuildConv},
    {"ConvInteger", 10, kNew, 2, 4, 1, BuildConvInteger},
    {"ConvTranspose", 1, kNew, 2, 3, 1, BuildConvTranspose},
    {"Cos", kOld, kNew, 1, 1, 1, Function<Fun::kCos>},
    {"Cosh", 9, kNew, 1, 1, 1, Function<Fun::kCosh>},
    {"CumSum", 11, kNew, 2, 2, 1, BuildCumSum},
    {"DFT", 17, 19, 1, 2, 1, BuildDftAttributes},
    {"DFT", 20, kNew, 1, 3, 1, BuildDftInputs},
    {"DepthToSpace", 1, kNew, 1, 1, 1, BuildDepthToSpace},
    {"DequantizeLinear", 10, kNew, 2, 3, 1, BuildDequantizeLinear},
    {"DequantizeLinear", 1, 1, 2, 3, 1, BuildDequantizeLinear, kMicrosoftDomain},
    {"Det", 11, kNew, 1, 1, 1, BuildDet},
    {"Div", kOld, kNew, 2, 2, 1, Arithmetic<Bin::kDiv>},
    {"Dropout", kOld, 11, 1, 1, 2, BuildDropout},
    {"Dropout", 12, kNew, 1, 3, 2, BuildDropout},
    {"DynamicQuantizeLinear", 11, kNew, 1, 1, 3, BuildDynamicQuantizeLinear},
    {"DynamicQuantizeMatMul", 1, 1, 3, 5, 1, BuildDynamicQuantizeMatMul, kMicrosoftDomain},
    {"Einsum", 12, kNew, 1, kMany, 1, BuildEinsum},
    {"Elu", 6, kNew, 1, 1, 1, Elu},
    {"Equal", kOld, kNew, 2, 2, 1, Comparison<Cmp::kEqual>},
    {"Erf", 9, kNew, 1, 1, 1, Function<Fun::kErf>},
    {"Exp", 6, kNew, 1, 1, 1, Function<Fun::kExp>},
    {"Expand", 8, kNew, 2, 2, 1, BuildExpand},
    {"EyeLike", 9, kNew, 1, 1, 1, BuildEyeLike},
    {"Flatten", 1, kNew, 1, 1, 1, BuildFlatten},
    {"Floor", 6, kNew, 1, 1, 1, Function<Fun::kFloor>},
    {"GRU", kOld, kNew, 3, 6, 2, Recurrent<graph::Recurrent::Kind::kGru>},
    {"Gather", 1, kNew, 2, 2, 1, BuildGather},
    {"GatherElements", 11, kNew, 2, 2, 1, BuildGatherElements},
    {"GatherND", 11, kNew, 2, 2, 1, BuildGatherNd},
    {"Gelu", 20, kNew, 1, 1, 1, BuildGelu},
    {"Gemm", kOld, 10, 3, 3, 1, BuildGemm},
    {"Gemm", 11, kNew, 2, 3, 1, BuildGemm},
    {"GlobalAveragePool", 1, kNew, 1, 1, 1, GlobalPool<Kind::kAverage>},
    {"GlobalLpPool", 2, kNew, 1, 1, 1, GlobalPool<Kind::kLp>},
    {"GlobalMaxPool", 1, kNew, 1, 1, 1, GlobalPool<Kind::kMax>},
    {"Greater", kOld, kNew, 2, 2, 1, Comparison<Cmp::kGreater>},
    {"GreaterOrEqual", 12, kNew, 2, 2, 1, Comparison<Cmp::kGreaterOrEqual>},
    {"GridSample", 16, kNew, 2, 2, 1, BuildGridSample},
    {"GroupNormalization", 18, kNew, 3, 3, 1, BuildGroupNormalization},
    {"HammingWindow", 17, kNew, 1, 1, 1, Window<Win::kHamming>},
    {"HannWindow", 17, kNew, 1, 1, 1, Window<Win::kHann>},
    {"HardSigmoid", 6, kNew, 1, 1, 1, HardSigmoid},
    {"HardSwish", 14, kNew, 1, 1, 1, Activate<Act::kHardSwish>},
    {"Hardmax", 1, kNew, 1, 1, 1, BuildHardmax},
    {"Identity", 1, kNew, 1, 1, 1, BuildIdentity, "", true},
    {"If", kOld, kNew, 1, 1, kMany, BuildIf},
    {"InstanceNormalization", 6, kNew, 3, 3, 1, BuildInstanceNormalization},
    {"IsInf", 10, kNew, 1, 1, 1, BuildIsInf},
    {"IsNaN", 9, kNew, 1, 1, 1, Function<Fun::kIsNan>},
    {"LRN", 1, kNew, 1, 1, 1, BuildLocalResponseNorm},
    {"LSTM", kOld, kNew, 3, 8, 3, Recurrent<graph::Recurrent::Kind::kLstm>},
    {"LayerNormalization", 17, kNew, 2, 3, 3, BuildLayerNormalization},
    {"LeakyRelu", 6, kNew, 1, 1, 1, LeakyRelu},
    {"Less", kOld, kNew, 2, 2, 1, Comparison<Cmp::kLess>},
    {"LessOrEqual", 12, kNew, 2, 2, 1, Comparison<Cmp::kLessOrEqual>},
    {"Log", 6, kNew, 1, 1, 1, Function<Fun::kLog>},
    {"LogSoftmax", 1, kNew, 1, 1, 1, Softmax<true>},
    {"Loop", kOld, kNew, 0, kMany, kMany, BuildLoop},
    {"LpNormalization", 1, kNew, 1, 1, 1, BuildLpNormalization},
    {"LpPool", 2, kNew, 1, 1, 1, Pool<Kind::kLp>},
    {"MatMul", 1, kNew, 2, 2, 1, BuildMatMul},
    {"MatMulInteger", 10, kNew, 2, 4, 1, BuildMatMulInteger},
    {"MatMulIntegerToFloat", 1, 1, 4, 7, 1, BuildMatMulIntegerToFloat, kMicrosoftDomain},
    {"Max", 6, kNew, 1, kMany, 1, Arithmetic<Bin::kMax>},
    {"MaxPool", 1, kNew, 1, 1, 2, Pool<Kind::kMax>},
    {"MaxRoiPool", kOld, kNew, 2, 2, 1, BuildMaxRoiPool},
    {"MaxUnpool", 9, kNew, 2, 3, 1, BuildMaxUnpool},
    {"Mean", 6, kNew, 1, kMany, 1, BuildMean},
    {"MeanVarianceNormalization", 9, kNew, 1, 1, 1, BuildMeanVarianceNormalization},
    {"MelWeightMatrix", 17, kNew, 5, 5, 1, BuildMelWeights},
    {"Min", 6, kNew, 1, kMany, 1, Arithmetic<Bin::kMin>},
    {"Mish", 18, kNew, 1, 1, 1, Function<Fun::kMish>},
    {"Mod", 10, kNew, 2, 2, 1, BuildMod},
    {"Mul", kOld, kNew, 2, 2, 1, Arithmetic<Bin::kMul>},
    {"Neg", 6, kNew, 1, 1, 1, Function<Fun::kNeg>},
    {"NegativeLogLikelihoodLoss", 12, kNew, 2, 3, 1, BuildLikelihoodLoss},
    {"NonMaxSuppression", 10, kNew, 2, 5, 1, BuildNonMaxSuppression},
    {"NonZero", 9, kNew, 1, 1, 1, BuildNonZero},
    {"Not", 1, kNew, 1, 1, 1, Function<Fun::kNot>},
    {"OneHot", 9, kNew, 3, 3, 1, BuildOneHot},
    {"Or", kOld, kNew, 2, 2, 1, Comparison<Cmp::kOr>},
    {"PRelu", kOld, kNew, 2, 2, 1, BuildPRelu},
    {"Pad", 2, 10, 1, 1, 1, BuildPadAttributes},
    {"Pad", 11, 17, 2, 3, 1, BuildPadInputs},
    {"Pad", 18, kNew, 2, 4, 1, BuildPadInputs},
    {"Pow", kOld, kNew, 2, 2, 1, BuildPow},
    {"QGemm", 1, 1, 6, 9, 1, BuildQGemm, kMicrosoftDomain},
    {"QLinearAdd", 1, 1, 7, 8, 1, QLinear<Bin::kAdd>, kMicrosoftDomain},
    {"QLinearAveragePool", 1, 1, 4, 5, 1, BuildQLinearAveragePool, kMicrosoftDomain},
    {"QLinearConcat", 1, 1, 5, kMany, 1, BuildQLinearConcat, kMicrosoftDomain},
    {"QLinearConv", 10, kNew, 8, 9, 1, BuildQLinearConv},
    {"QLinearGlobalAveragePool", 1, 1, 5, 5, 1, BuildQLinearGlobalAveragePool, kMicrosoftDomain},
    {"QLinearLeakyRelu", 1, 1, 4, 5, 1, BuildQLinearLeakyRelu, kMicrosoftDomain},
    {"QLinearMatMul", 10, kNew, 8, 8, 1, BuildQLinearMatMul},
    {"QLinearMul", 1, 1, 7, 8, 1, QLinear<Bin::kMul>, kMicrosoftDomain},
    {"QLinearReduceMean", 1, 1, 4, 5, 1, BuildQLinearReduceMean, kMicrosoftDomain},
    {"QLinearSigmoid", 1, 1, 4, 5, 1, BuildQLinearSigmoid, kMicrosoftDomain},
    {"QLinearSoftmax", 1, 1, 5, 5, 1, BuildQLinearSoftmax, kMicrosoftDomain},
    {"QuantizeLinear", 10, kNew, 2, 3, 1, BuildQuantizeLinear},
    {"QuantizeLinear", 1, 1, 2, 3, 1, BuildQuantizeLinear, kMicrosoftDomain},
    {"RNN", kOld, kNew, 3, 6, 2, Recurrent<graph::Recurrent::Kind::kRnn>},
    {"Range", 11, kNew, 3, 3, 1, BuildRange},
    {"Reciprocal", 6, kNew, 1, 1, 1, Function<Fun::kReciprocal>},
    {"ReduceL1", 1, 17, 1, 1, 1, Reduce<Red::kL1>},
    {"ReduceL1", 18, kNew, 1, 2, 1, ReduceInput<Red::kL1>},
    {"ReduceL2", 1, 17, 1, 1, 1, Reduce<Red::kL2>},
    {"ReduceL2", 18, kNew, 1, 2, 1, ReduceInput<Red::kL2>},
    {"ReduceLogSum", 1, 17, 1, 1, 1, Reduce<Red::kLogSum>},
    {"ReduceLogSum", 18, kNew, 1, 2, 1, ReduceInput<Red::kLogSum>},
    {"ReduceLogSumExp", 1, 17, 1, 1, 1, Reduce<Red::kLogSumExp>},
    {"ReduceLogSumExp", 18, kNew, 1, 2, 1, ReduceInput<Red::kLogSumExp>},
    {"ReduceMax", 1, 17, 1, 1, 1, Reduce<Red::kMax>},
    {"ReduceMax", 18, kNew, 1, 2, 1, ReduceInput<Red::kMax>},
    {"ReduceMean", 1, 17, 1, 1, 1, Reduce<Red::kMean>},
    {"ReduceMean", 18, kNew, 1, 2, 1, ReduceInput<Red::kMean>},
    {"ReduceMin", 1, 17, 1, 1, 1, Reduce<Red::kMin>},
    {"ReduceMin", 18, kNew, 1, 2, 1, ReduceInput<Red::kMin>},
    {"ReduceProd", 1, 17, 1, 1, 1, Reduce<Red::kProd>},
    {"ReduceProd", 18, kNew, 1, 2, 1, ReduceInput<Red::kProd>},
    {"ReduceSum", 1, 12, 1, 1, 1, Reduce<Red::kSum>},
    {"ReduceSum", 13, kNew, 1, 2, 1, ReduceInput<Red::kSum>},
    {"ReduceSumSquare", 1, 17, 1, 1, 1, Reduce<Red::kSumSquare>},
    {"ReduceSumSquare", 18, kNew, 1, 2, 1, ReduceInput<Red::kSumSquare>},
    {"Relu", 6, kNew, 1, 1, 1, Activate<Act::kRelu>},
    {"Reshape", 5, kNew, 2, 2, 1, BuildReshape},
    {"Resize", 10, 10, 2, 2, 1, BuildResize10},
    {"Resize", 11, kNew, 1, 4, 1, BuildResize},
    {"ReverseSequence", 10, kNew, 2, 2, 1, BuildReverseSequence},
    {"RoiAlign", 10, kNew, 3, 3, 1, BuildRoiAlign},
    {"Round", 11, kNew, 1, 1, 1, Function<Fun::kRound>},
    {"STFT", 17, kNew, 2, 4, 1, BuildStft},
    {"Scan", 8, 8, 0, kMany, kMany, BuildScan8},
    {"Scan", 9, kNew, 1, kMany, kMany, BuildScan},
    {"Scatter", 9, 10, 3, 3, 1, BuildScatterElements},
    {"ScatterElements", 11, kNew, 3, 3, 1, BuildScatterElements},
    {"ScatterND", 11, kNew, 3, 3, 1, BuildScatterNd},
    {"Selu", 6, kNew, 1, 1, 1, Selu},
    {"SequenceAt", 11, kNew, 2, 2, 1, BuildSequenceAt, "", true},
    {"SequenceConstruct", 11, kNew, 1, kMany, 1, BuildSequenceConstruct},
    {"SequenceEmpty", 11, kNew, 0, 0, 1, BuildSequenceEmpty},
    {"SequenceErase", 11, kNew, 1, 2, 1, BuildSequenceErase, "", true},
    {"SequenceInsert", 11, kNew, 2, 3, 1, BuildSequenceInsert, "", true},
    {"SequenceLength", 11, kNew, 1, 1, 1, BuildSequenceLength, "", true},
    {"Shape", 1, kNew, 1, 1, 1, BuildShape},
    {"Shrink", 9, kNew, 1, 1, 1, Shrink},
    {"Sigmoid", 6, kNew, 1, 1, 1, Activate<Act::kSigmoid>},
    {"Sign", 9, kNew, 1, 1, 1, Function<Fun::kSign>},
    {"Sin", kOld, kNew, 1, 1, 1, Function<Fun::kSin>},
    {"Sinh", 9, kNew, 1, 1, 1, Function<Fun::kSinh>},
    {"Size", 1, kNew, 1, 1, 1, BuildSize},
    {"Slice", 1, 9, 1, 1, 1, BuildSliceAttributes},
    {"Slice", 10, kNew, 3, 5, 1, BuildSliceInputs},
    {"Softmax", 1, kNew, 1, 1, 1, Softmax<false>},
    {"SoftmaxCrossEntropyLoss", 12, kNew, 2, 3, 2, BuildCrossEntropyLoss},
    {"Softplus", 1, kNew, 1, 1, 1, Function<Fun::kSoftplus>},
    {"Softsign", 1, kNew, 1, 1, 1, Function<Fun::kSoftsign>},
    {"SpaceToDepth", 1, kNew, 1, 1, 1, BuildSpaceToDepth},
    {"Split", 2, 12, 1, 1, kMany, BuildSplitAttributes},
    {"Split", 13, kNew, 1, 2, kMany, BuildSplitInputs},
    {"SplitToSequence", 11, kNew, 1, 2, 1, BuildSplitToSequence},
    {"Sqrt", 6, kNew, 1, 1, 1, Function<Fun::kSqrt>},
    {"Squeeze", 1, 12, 1, 1, 1, BuildSqueezeAttributes},
    {"Squeeze", 13, kNew, 1, 2, 1, BuildSqueezeInputs},
    {"Sub", kOld, kNew, 2, 2, 1, Arithmetic<Bin::kSub>},
    {"Sum", 6, kNew, 1, kMany, 1, Arithmetic<Bin::kAdd>},
    {"Tan", kOld, kNew, 1, 1, 1, Function<Fun::kTan>},
    {"Tanh", 6, kNew, 1, 1, 1, Activate<Act::kTanh>},
    {"ThresholdedRelu", 10, kNew, 1, 1, 1, ThresholdedRelu},
    {"Tile", 6, kNew, 2, 2, 1, BuildTile},
    {"TopK", kOld, 9, 1, 1, 2, BuildTopKAttributes},
    {"TopK", 10, kNew, 2, 2, 2, BuildTopKInputs},
    {"Transpose", 1, kNew, 1, 1, 1, BuildTranspose},
    {"Trilu", 14, kNew, 1, 2, 1, BuildTrilu},
    {"Unique", 11, kNew, 1, 1, 4, BuildUnique},
    {"Unsqueeze", 1, 12, 1, 1, 1, BuildUnsqueezeAttributes},
    {"Unsqueeze", 13, kNew, 2, 2, 1, BuildUnsqueezeInputs},
    {"Upsample", kOld, 8, 1, 1, 1, BuildUpsampleAttributes},
    {"Upsample", 9, 9, 2, 2, 1, BuildUpsampleInputs},
    {"Where", 9, kNew, 3, 3, 1, BuildWhere},
    {"Xor", kOld, kNew, 2, 2, 1, Comparison<Cmp::kXor>},
};

}  // namespace

std::span<const OperatorForm> Operators() { return kOperators; }

const OperatorForm* FindOperator(absl::string_view domain, absl::string_view op_type,
                                 int64_t opset) {
  const auto* form =
      std::find_if(std::begin(kOperators), std::end(kOperators), [&](const auto& row) {
        return row.op_type == op_type && row.domain == domain && row.since <= opset &&
               opset <= row.until;
      });
  return form == std::end(kOperators) ? nullptr : form;
}

}  // namespace fourfold::onnx
