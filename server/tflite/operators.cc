#include "server/tflite/operators.h"

#include <algorithm>
#include <iterator>

#include "server/tflite/builders.h"

namespace fourfold::tflite {
namespace {

using Code = schema::BuiltinOperator;
using graph::Eltwise;
using graph::Pool;
using graph::Reduce;
using kernels::Activation;
using BinaryOperation = graph::Binary::Operation;

constexpr int kAny = 1 << 20;

template <Eltwise::Function function>
absl::Status Function(OperatorBuilder& op) {
  return BuildEltwise(op, function);
}
template <BinaryOperation operation>
absl::Status Binary(OperatorBuilder& op) {
  return BuildBinary(op, operation);
}
template <Reduce::Operation operation>
absl::Status Reduction(OperatorBuilder& op) {
  return BuildReduce(op, operation);
}
template <Activation::Kind kind>
absl::Status Activate(OperatorBuilder& op) {
  return BuildActivation(op, {.kind = kind, .alpha = 1.0f});
}
template <int low, int high>
absl::Status Clip(OperatorBuilder& op) {
  return BuildActivation(op, {.kind = Activation::Kind::kClip, .alpha = low, .beta = high});
}
template <Pool::Kind kind>
absl::Status PoolOf(OperatorBuilder& op) {
  return BuildPool2d(op, kind);
}

constexpr OperatorForm kOperators[] = {
    // layers
    {Code::AVERAGE_POOL_2D, 1, 1, 1, PoolOf<Pool::Kind::kAverage>},
    {Code::BATCH_MATMUL, 2, 2, 1, BuildBatchMatMul},
    {Code::CONV_2D, 2, 3, 1, BuildConv2d},
    {Code::DEPTHWISE_CONV_2D, 2, 3, 1, BuildDepthwiseConv2d},
    {Code::FULLY_CONNECTED, 2, 3, 1, BuildFullyConnected},
    {Code::LOG_SOFTMAX, 1, 1, 1, BuildLogSoftmax},
    {Code::MAX_POOL_2D, 1, 1, 1, PoolOf<Pool::Kind::kMax>},
    {Code::SOFTMAX, 1, 1, 1, BuildSoftmax},
    {Code::UNIDIRECTIONAL_SEQUENCE_LSTM, 1, 24, 1, BuildUnidirectionalLstm, true},
    // arithmetic
    {Code::ABS, 1, 1, 1, Function<Eltwise::Function::kAbs>},
    {Code::ADD, 2, 2, 1, BuildAdd},
    {Code::CAST, 1, 1, 1, BuildCast},
    {Code::CEIL, 1, 1, 1, Function<Eltwise::Function::kCeil>},
    {Code::DEQUANTIZE, 1, 1, 1, BuildRequantize},
    {Code::DIV, 2, 2, 1, BuildDiv},
    {Code::ELU, 1, 1, 1, Activate<Activation::Kind::kElu>},
    {Code::EXP, 1, 1, 1, Function<Eltwise::Function::kExp>},
    {Code::FLOOR, 1, 1, 1, Function<Eltwise::Function::kFloor>},
    {Code::HARD_SWISH, 1, 1, 1, Activate<Activation::Kind::kHardSwish>},
    {Code::LEAKY_RELU, 1, 1, 1, BuildLeakyRelu},
    {Code::LOG, 1, 1, 1, Function<Eltwise::Function::kLog>},
    {Code::LOGISTIC, 1, 1, 1, Activate<Activation::Kind::kSigmoid>},
    {Code::MAXIMUM, 2, 2, 1, Binary<BinaryOperation::kMax>},
    {Code::MEAN, 2, 2, 1, Reduction<Reduce::Operation::kMean>},
    {Code::MINIMUM, 2, 2, 1, Binary<BinaryOperation::kMin>},
    {Code::MUL, 2, 2, 1, BuildMul},
    {Code::NEG, 1, 1, 1, Function<Eltwise::Function::kNeg>},
    {Code::POW, 2, 2, 1, Binary<BinaryOperation::kPow>},
    {Code::PRELU, 2, 2, 1, BuildPRelu},
    {Code::QUANTIZE, 1, 1, 1, BuildRequantize},
    {Code::REDUCE_MAX, 2, 2, 1, Reduction<Reduce::Operation::kMax>},
    {Code::REDUCE_MIN, 2, 2, 1, Reduction<Reduce::Operation::kMin>},
    {Code::REDUCE_PROD, 2, 2, 1, Reduction<Reduce::Operation::kProd>},
    {Code::RELU, 1, 1, 1, Activate<Activation::Kind::kRelu>},
    {Code::RELU6, 1, 1, 1, Clip<0, 6>},
    {Code::RELU_0_TO_1, 1, 1, 1, Clip<0, 1>},
    {Code::RELU_N1_TO_1, 1, 1, 1, Clip<-1, 1>},
    {Code::ROUND, 1, 1, 1, Function<Eltwise::Function::kRound>},
    {Code::RSQRT, 1, 1, 1, BuildRsqrt},
    {Code::SIGN, 1, 1, 1, Function<Eltwise::Function::kSign>},
    {Code::SQRT, 1, 1, 1, Function<Eltwise::Function::kSqrt>},
    {Code::SQUARE, 1, 1, 1, BuildSquare},
    {Code::SQUARED_DIFFERENCE, 2, 2, 1, BuildSquaredDifference},
    {Code::SUB, 2, 2, 1, BuildSub},
    {Code::SUM, 2, 2, 1, Reduction<Reduce::Operation::kSum>},
    {Code::TANH, 1, 1, 1, Activate<Activation::Kind::kTanh>},
    // movement
    {Code::BROADCAST_TO, 2, 2, 1, BuildBroadcastTo},
    {Code::CONCATENATION, 1, kAny, 1, BuildConcatenation},
    {Code::DEPTH_TO_SPACE, 1, 1, 1, BuildDepthToSpace},
    {Code::EXPAND_DIMS, 2, 2, 1, BuildExpandDims},
    {Code::FILL, 2, 2, 1, BuildFill},
    {Code::GATHER, 2, 2, 1, BuildGather},
    {Code::MIRROR_PAD, 2, 2, 1, BuildMirrorPad},
    {Code::PACK, 1, kAny, 1, BuildPack},
    {Code::PAD, 2, 2, 1, BuildPad},
    {Code::PADV2, 3, 3, 1, BuildPad},
    {Code::RESHAPE, 1, 2, 1, BuildReshape},
    {Code::RESIZE_BILINEAR, 2, 2, 1, BuildResizeBilinear},
    {Code::RESIZE_NEAREST_NEIGHBOR, 2, 2, 1, BuildResizeNearest},
    {Code::SHAPE, 1, 1, 1, BuildShape},
    {Code::SLICE, 3, 3, 1, BuildSlice},
    {Code::SPACE_TO_DEPTH, 1, 1, 1, BuildSpaceToDepth},
    {Code::SPLIT, 2, 2, kAny, BuildSplit},
    {Code::SPLIT_V, 3, 3, kAny, BuildSplitV},
    {Code::SQUEEZE, 1, 1, 1, BuildSqueeze},
    {Code::STRIDED_SLICE, 4, 4, 1, BuildStridedSlice},
    {Code::TILE, 2, 2, 1, BuildTile},
    {Code::TRANSPOSE, 2, 2, 1, BuildTranspose},
    {Code::UNPACK, 1, 1, kAny, BuildUnpack},
};

}  // namespace

const OperatorForm* FindOperator(schema::BuiltinOperator code) {
  const auto* form = std::find_if(std::begin(kOperators), std::end(kOperators),
                                  [&](const OperatorForm& entry) { return entry.code == code; });
  return form == std::end(kOperators) ? nullptr : form;
}

}  // namespace fourfold::tflite
