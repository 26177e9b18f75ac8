#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kernels/arithmetic.h"
#include "server/graph/tensor.h"

namespace fourfold::graph {

class Graph;

// What a node computes: one struct per operation, with typed attributes. Beside each stand its
// inputs by position ("?": may be absent, kNoValue or a short list) and, where there are several,
// its outputs. Names and meanings are ONNX's where nothing else is said.

enum class AutoPad : uint8_t { kExplicit, kSameUpper, kSameLower, kValid };

// Spatial parameters shared by convolution and pooling; empty means the ONNX default.
struct Window {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;  // begins, then ends
  AutoPad auto_pad = AutoPad::kExplicit;
};

// ---- Products

// x, weights [O, I/groups, ...], bias [O]?, residual?, dynamic quantization parameters of x?
struct Conv {
  Window window;
  int64_t groups = 1;
  kernels::Activation activation;  // after bias and residual
};

// lhs, rhs, bias [n] or broadcastable to the result?, residual?, dynamic parameters of lhs?
// numpy.matmul; transposes swap the last two dimensions first.
struct MatMul {
  bool transpose_lhs = false;
  bool transpose_rhs = false;
  kernels::Activation activation;
};

// x, weights [I, O/groups, ...], bias [O]?
struct ConvTranspose {
  Window window;
  int64_t groups = 1;
  std::vector<int64_t> output_padding;
  std::vector<int64_t> output_shape;  // spatial; empty: what the window gives
  kernels::Activation activation;
};

// 8-bit integers to their exact int32 sums: x, weights, zero point of x?, zero point of weights?
struct IntegerConv {
  Window window;
  int64_t groups = 1;
};
struct IntegerMatMul {};

struct Einsum {  // any number
  std::string equation;
};

// One direction of a recurrent layer, time first:
//   x [T, N, I], weights [G H, I], recurrence [G H, H], bias [2 G H]? (of both products),
//   lengths [N] int32?, initial hidden state [N, H]?, initial cell state [N, H]?, peepholes [3 H]?
//   -> all hidden states [T, N, H], the last hidden state [N, H], the last cell state [N, H] (LSTM)
// with G gates in ONNX's order: 4 of an LSTM (i o f c), 3 of a GRU (z r h), 1 of an RNN.
struct Recurrent {
  enum class Kind : uint8_t { kRnn, kLstm, kGru };
  enum class Function : uint8_t {
    kSigmoid,
    kTanh,
    kRelu,
    kAffine,
    kLeakyRelu,
    kThresholdedRelu,
    kScaledTanh,
    kHardSigmoid,
    kElu,
    kSoftsign,
    kSoftplus,
  };
  struct GateFunction {
    Function function = Function::kSigmoid;
    float alpha = 0.0f;
    float beta = 0.0f;
  };
  Kind kind = Kind::kLstm;
  int64_t hidden_size = 0;
  bool reverse = false;                 // from the last step to the first
  std::vector<GateFunction> functions;  // RNN: f; GRU: f, g; LSTM: f, g, h
  std::optional<float> clip;            // of what goes into the functions
  bool linear_before_reset = false;     // GRU
  bool input_forget = false;            // LSTM: the forget gate is 1 - the input gate
};

// ---- Windows and images

struct Pool {  // x -> y, indices (int64, kMax)?
  enum class Kind : uint8_t { kMax, kAverage, kLp };
  Kind kind = Kind::kMax;
  int64_t p = 2;              // kLp
  bool column_major = false;  // of the indices
  Window window;
  bool ceil_mode = false;
  bool count_include_pad = false;
  bool global = false;  // the window is the whole image, whatever `window` says
};

struct MaxUnpool {  // x, indices (int64), output shape (int64)?
  Window window;
};

struct MaxRoiPool {  // x, rois [R, 5]
  std::vector<int64_t> pooled;
  float spatial_scale = 1.0f;
};

struct RoiAlign {  // x, rois [R, 4], batch indices [R] (int64)
  bool maximum = false;
  bool half_pixel = true;
  int64_t output_height = 1;
  int64_t output_width = 1;
  int64_t sampling_ratio = 0;
  float spatial_scale = 1.0f;
};

struct GridSample {  // x, grid [N, (D,) H, W, 2 or 3]
  enum class Mode : uint8_t { kLinear, kNearest, kCubic };
  enum class Padding : uint8_t { kZeros, kBorder, kReflection };
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};

// boxes [N, B, 4], scores [N, C, B], most boxes (int64)?, IoU threshold?, score threshold?
// -> selected [K, 3] (int64), K known only when it has run
struct NonMaxSuppression {
  bool center_point_box = false;
};

struct DepthToSpace {  // x
  int64_t block = 1;
  bool column_row_depth = false;  // mode "CRD"
};
struct SpaceToDepth {  // x
  int64_t block = 1;
};

struct Col2Im {  // x, image shape (int64), block shape (int64)
  Window window;
};

// ---- Normalization

struct BatchNorm {  // x, scale, bias, mean, variance
  float epsilon = 1e-5f;
};

// (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance over
//   kLayer     the dimensions from axis on; scale and bias broadcast to them
//   kInstance  space, per sample and channel; scale and bias [C]
//   kGroup     space and the channels of a group; scale and bias [C]
//   kRms       as kLayer without the mean (RMSNormalization)
// x, scale?, bias? -> y, mean?, 1 / standard deviation? (kLayer)
struct Normalization {
  enum class Kind : uint8_t { kLayer, kInstance, kGroup, kRms };
  Kind kind = Kind::kLayer;
  int64_t axis = -1;
  int64_t groups = 1;
  float epsilon = 1e-5f;
};

struct LpNormalization {  // x
  int64_t axis = -1;
  int64_t p = 2;
};

struct LocalResponseNorm {  // x
  float alpha = 1e-4f;
  float beta = 0.75f;
  float bias = 1.0f;
  int64_t size = 1;
};

// ---- Element by element

struct Eltwise {  // x
  enum class Function : uint8_t {
    kActivation,
    kAbs,
    kAcos,
    kAcosh,
    kAsin,
    kAsinh,
    kAtan,
    kAtanh,
    kBitwiseNot,  // integers
    kCeil,
    kCelu,  // max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)
    kCos,
    kCosh,
    kErf,
    kExp,
    kFloor,
    kGelu,
    kGeluTanh,  // its approximation by tanh
    kHardSigmoid,
    kIsInf,  // -> bool; alpha != 0: negative ones count, beta != 0: positive ones
    kIsNan,  // -> bool
    kLog,
    kMish,
    kNeg,
    kNot,  // bool
    kReciprocal,
    kRound,
    kSelu,    // beta (x > 0 ? x : alpha (exp(x) - 1))
    kShrink,  // x < -beta ? x + alpha : x > beta ? x - alpha : 0
    kSign,
    kSin,
    kSinh,
    kSoftplus,
    kSoftsign,
    kSqrt,
    kTan,
    kThresholdedRelu,  // x > alpha ? x : 0
  };
  Function function = Function::kActivation;
  kernels::Activation activation;  // kActivation; alpha and beta also of other functions
};

struct PRelu {};  // x, slope (broadcasts to x)

struct Binary {  // a, b: numpy broadcasting; kPow: b may have another type
  enum class Operation : uint8_t {
    kAdd,
    kSub,
    kMul,
    kDiv,
    kMax,
    kMin,
    kPow,
    kMod,         // the sign of b (Python's %)
    kRemainder,   // the sign of a (C's fmod)
    kShiftLeft,   // unsigned integers
    kShiftRight,  // unsigned integers
    kBitwiseAnd,
    kBitwiseOr,
    kBitwiseXor,
  };
  Operation operation = Operation::kAdd;
  kernels::Activation activation;
};

struct Compare {  // a, b: numpy broadcasting -> bool
  enum class Operation : uint8_t {
    kEqual,
    kGreater,
    kGreaterOrEqual,
    kLess,
    kLessOrEqual,
    kAnd,  // of booleans
    kOr,
    kXor,
  };
  Operation operation = Operation::kEqual;
};

struct Where {};  // condition (bool), a, b: numpy broadcasting of all three

// ---- Along an axis

struct Softmax {  // x
  int64_t axis = -1;
  bool flatten = false;  // opset below 13: over all dimensions from axis on
  bool logarithm = false;
};

struct Hardmax {  // x
  int64_t axis = -1;
  bool flatten = false;  // as Softmax
};

struct CumSum {  // x, axis (int64 or int32 scalar)
  bool exclusive = false;
  bool reverse = false;
};

struct ArgReduce {  // x -> int64
  bool minimum = false;
  int64_t axis = 0;
  bool keep_dims = true;
  bool select_last = false;  // of equal ones
};

struct TopK {  // x, k (int64 [1]) -> values, indices (int64)
  int64_t axis = -1;
  bool largest = true;
  bool sorted = true;
};

struct Det {};  // x [..., n, n]

// x [N, C, d...], target [N, d...], weights [C]? -> loss
struct NegativeLogLikelihood {
  enum class Reduction : uint8_t { kNone, kMean, kSum };
  Reduction reduction = Reduction::kMean;
  std::optional<int64_t> ignore_index;
};

struct Concat {  // any number
  int64_t axis = 0;
};

struct Reduce {  // x, axes (int64)?
  enum class Operation : uint8_t {
    kMean,
    kSum,
    kMax,
    kMin,
    kProd,
    kSumSquare,
    kL1,
    kL2,
    kLogSum,
    kLogSumExp,
  };
  Operation operation = Operation::kMean;
  std::vector<int64_t> axes;  // of the attribute form
  bool keep_dims = true;
  bool noop_with_empty_axes = false;
};

// ---- Movement

struct Pad {  // x, pads (int64), value?, axes (int64)?
  enum class Mode : uint8_t { kConstant, kReflect, kEdge, kWrap };
  Mode mode = Mode::kConstant;
};

struct Resize {  // x, scales (float32)?, sizes (int64)?, region of interest (float32)?
  enum class Mode : uint8_t { kNearest, kLinear, kCubic };
  enum class Coordinates : uint8_t {
    kHalfPixel,
    kPytorchHalfPixel,
    kAlignCorners,
    kAsymmetric,
    kHalfPixelSymmetric,
    kTfCropAndResize,
    kTfHalfPixelForNearest,
  };
  enum class Aspect : uint8_t { kStretch, kNotLarger, kNotSmaller };
  enum class Nearest : uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };
  Mode mode = Mode::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Nearest nearest = Nearest::kRoundPreferFloor;
  Aspect aspect = Aspect::kStretch;
  std::vector<int64_t> axes;  // that scales, sizes and region speak of; empty: all
  float cubic_coefficient = -0.75f;
  float extrapolation_value = 0.0f;
  bool exclude_outside = false;
  bool antialias = false;
};

struct Transpose {                   // x
  std::vector<int64_t> permutation;  // empty: reversed
};

struct Reshape {  // x, shape (int64)
  bool allow_zero = false;
};

struct Flatten {  // x
  int64_t axis = 1;
};

struct Squeeze {};    // x, axes (int64)?
struct Unsqueeze {};  // x, axes (int64)

struct Slice {};  // x, starts, ends, axes?, steps? (int64)

struct Gather {  // x, indices (int64 or int32)
  int64_t axis = 0;
};

struct GatherElements {  // x, indices (int64 or int32)
  int64_t axis = 0;
};
struct GatherNd {  // x, indices (int64)
  int64_t batch_dims = 0;
};

enum class ScatterReduction : uint8_t { kNone, kAdd, kMul, kMax, kMin };
struct ScatterElements {  // x, indices (int64 or int32), updates
  int64_t axis = 0;
  ScatterReduction reduction = ScatterReduction::kNone;
};
struct ScatterNd {  // x, indices (int64), updates
  ScatterReduction reduction = ScatterReduction::kNone;
};

struct Expand {};  // x, shape (int64)
struct Tile {};    // x, repeats (int64)

struct Trilu {  // x, k (int64 scalar)?
  bool upper = true;
};

struct ReverseSequence {  // x, lengths [N] (int64)
  int64_t batch_axis = 1;
  int64_t time_axis = 0;
};

struct OneHot {  // indices, depth (scalar), values [off, on]
  int64_t axis = -1;
};

// Their outputs' shapes are known only when they have run.
struct NonZero {};              // x -> [rank, K] (int64)
struct Compress {               // x, condition [n] (bool)
  std::optional<int64_t> axis;  // nothing: of the flattened x
};
struct Unique {  // x -> values, first indices?, inverse indices?, counts? (int64)
  std::optional<int64_t> axis;
  bool sorted = true;
};

// ---- Made of shapes and numbers

struct SizeOf {};  // x: its number of elements as int64

struct Range {};  // start, limit, delta (scalars)

struct EyeLike {  // x
  DataType to = DataType::kFloat32;
  int64_t k = 0;  // the diagonal
};

// ---- Signals

struct WindowFunction {  // size (integer scalar)
  enum class Kind : uint8_t { kHann, kHamming, kBlackman };
  Kind kind = Kind::kHann;
  DataType to = DataType::kFloat32;
  bool periodic = true;
};

struct MelWeights {  // mel bins, DFT length, sample rate, lower edge, upper edge (scalars)
  DataType to = DataType::kFloat32;
};

struct Dft {  // x [..., n, 1 or 2], DFT length (int64 scalar)?, axis (int64 scalar)?
  bool inverse = false;
  bool onesided = false;
  int64_t axis = 1;  // of the attribute form
};

struct Stft {  // signal [N, L, 1 or 2], frame step, window [F]?, frame length?
  bool onesided = true;
};

// ---- Control flow. The bodies read values of the graph around them through further inputs of the
// node, which the bodies list as further inputs of their own.

struct If {                                  // condition (bool), captured...
  std::shared_ptr<const Graph> then_branch;  // captured... -> outputs
  std::shared_ptr<const Graph> else_branch;
};

// trip count (int64)?, condition (bool)?, carried..., captured...
// -> carried..., scanned...
struct Loop {  // body: iteration, condition, carried..., captured... -> condition, carried...,
               // scanned
  std::shared_ptr<const Graph> body;
  int64_t carried = 0;
};

// states..., sequences..., captured... -> states..., scanned...
struct Scan {  // body: states..., elements..., captured... -> states..., scanned elements...
  std::shared_ptr<const Graph> body;
  int64_t states = 0;
  int64_t sequences = 0;
  std::vector<int64_t> input_axes;   // one per sequence
  std::vector<int64_t> output_axes;  // one per scanned output
  std::vector<bool> input_reversed;
  std::vector<bool> output_reversed;
};

struct ShapeOf {  // x: its dimensions as int64
  int64_t start = 0;
  std::optional<int64_t> end;
};

struct ConstantOfShape {  // shape (int64)
  TensorPtr value;        // one element
};

struct Cast {  // x
  DataType to = DataType::kFloat32;
};

struct Identity {};  // x: also Dropout in inference

// x, scale, zero point?: the ONNX forms as imported; passes/absorb_quantization turns those with
// constant parameters into Value::quantization. Without parameters (inputs.size() == 1) they
// convert between a real value and the quantized one whose Value::quantization says how.
struct Quantize {
  int64_t axis = 1;
};
struct Dequantize {
  int64_t axis = 1;
};

// x float32 -> y uint8, scale, zero point (as ONNX, whole tensor) as imported. After absorption:
// x -> y uint8, dynamic parameters: one kernels::QuantParams per sample (first dimension of x),
// opaque, as a value of kDynamicParametersType and shape [samples].
inline constexpr DataType kDynamicParametersType = DataType::kInt64;
static_assert(sizeof(kernels::QuantParams) == sizeof(int64_t));
struct DynamicQuantize {
  bool per_sample = false;  // true after absorption
};

using Operation = std::variant<
    Conv, MatMul, ConvTranspose, IntegerConv, IntegerMatMul, Einsum, Recurrent, Pool, MaxUnpool,
    MaxRoiPool, RoiAlign, GridSample, NonMaxSuppression, DepthToSpace, SpaceToDepth, Col2Im,
    BatchNorm, Normalization, LpNormalization, LocalResponseNorm, Eltwise, PRelu, Binary, Compare,
    Where, Softmax, Hardmax, CumSum, ArgReduce, TopK, Det, NegativeLogLikelihood, Concat, Reduce,
    Pad, Resize, Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Slice, Gather, GatherElements,
    GatherNd, ScatterElements, ScatterNd, Expand, Tile, Trilu, ReverseSequence, OneHot, NonZero,
    Compress, Unique, ShapeOf, SizeOf, ConstantOfShape, Range, EyeLike, WindowFunction, MelWeights,
    Dft, Stft, Cast, Identity, If, Loop, Scan, Quantize, Dequantize, DynamicQuantize>;

// "Conv", "MatMul", ...: the alternative's name.
absl::string_view OperationName(const Operation& operation);

}  // namespace fourfold::graph
