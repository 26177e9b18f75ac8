#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kernels/arithmetic.h"
#include "server/graph/tensor.h"

namespace fourfold::graph {

// The intermediate representation: a list of values and a list of nodes in an order in which they
// can run. Values carry what is known of them (type, shape, constant, quantization); nodes carry
// one operation with typed attributes. Graph is a value type; passes take and return it.

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input that is absent

// How the elements of a value are stored as integers: real = scale * (stored - zero_point), per
// tensor, or per slice along `axis`.
struct Quantization {
  std::vector<float> scale;         // one, or one per slice along axis
  std::vector<int32_t> zero_point;  // as many
  int axis = -1;                    // -1: per tensor

  bool per_tensor() const { return axis < 0; }
  kernels::QuantParams params() const { return {scale[0], zero_point[0]}; }  // of a per-tensor one

  friend bool operator==(const Quantization&, const Quantization&) = default;
};

struct Value {
  std::string name;
  DataType type = DataType::kFloat32;  // as stored: kUint8 where quantization is set
  std::optional<Shape> shape;          // nothing: not even the rank is known
  TensorPtr constant;                  // null: computed or fed
  // Set where the stored integers stand for real numbers. Nodes then mean the real numbers.
  std::optional<Quantization> quantization;
};

// ---- Operations. Inputs by position; kNoValue or a short list where one is absent.

enum class AutoPad : uint8_t { kExplicit, kSameUpper, kSameLower, kValid };

// Spatial parameters shared by convolution and pooling; empty means the ONNX default.
struct Window {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;  // begins, then ends
  AutoPad auto_pad = AutoPad::kExplicit;
};

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

struct Pool {  // x
  enum class Kind : uint8_t { kMax, kAverage };
  Kind kind = Kind::kMax;
  Window window;
  bool ceil_mode = false;
  bool count_include_pad = false;
  bool global = false;  // the window is the whole image, whatever `window` says
};

struct BatchNorm {  // x, scale, bias, mean, variance
  float epsilon = 1e-5f;
};

struct Eltwise {  // x
  enum class Function : uint8_t {
    kActivation,
    kAbs,
    kCeil,
    kErf,
    kExp,
    kFloor,
    kGelu,
    kHardSigmoid,
    kLog,
    kMish,
    kNeg,
    kReciprocal,
    kRound,
    kSign,
    kSoftplus,
    kSoftsign,
    kSqrt,
  };
  Function function = Function::kActivation;
  kernels::Activation activation;  // kActivation; alpha and beta also of kHardSigmoid
};

struct Binary {  // a, b: numpy broadcasting; float32, or int64 where folded
  enum class Operation : uint8_t { kAdd, kSub, kMul, kDiv, kMax, kMin, kPow };
  Operation operation = Operation::kAdd;
  kernels::Activation activation;
};

struct Softmax {  // x
  int64_t axis = -1;
  bool flatten = false;  // opset below 13: over all dimensions from axis on
  bool logarithm = false;
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

struct Pad {  // x, pads (int64), value?
  enum class Mode : uint8_t { kConstant, kReflect, kEdge, kWrap };
  Mode mode = Mode::kConstant;
};

struct Resize {  // x, scales (float32)?, sizes (int64)?
  enum class Mode : uint8_t { kNearest, kLinear };
  enum class Coordinates : uint8_t { kHalfPixel, kPytorchHalfPixel, kAlignCorners, kAsymmetric };
  enum class Nearest : uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };
  Mode mode = Mode::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Nearest nearest = Nearest::kRoundPreferFloor;
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

struct Expand {};  // x, shape (int64)

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

using Operation =
    std::variant<Conv, MatMul, Pool, BatchNorm, Eltwise, Binary, Softmax, Concat, Reduce, Pad,
                 Resize, Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Slice, Gather, Expand,
                 ShapeOf, ConstantOfShape, Cast, Identity, Quantize, Dequantize, DynamicQuantize>;

// "Conv", "MatMul", ...: the alternative's name.
absl::string_view OperationName(const Operation& operation);

struct Node {
  std::string name;  // unique in a graph, for messages and reports
  Operation operation;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;

  ValueId input(size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }
  template <typename T>
  const T* as() const {
    return std::get_if<T>(&operation);
  }
  template <typename T>
  T* as() {
    return std::get_if<T>(&operation);
  }
};

class Graph {
 public:
  std::string name;
  std::vector<Node> nodes;      // producers before consumers
  std::vector<ValueId> inputs;  // fed by the caller
  std::vector<ValueId> outputs;
  std::map<std::string, std::string> metadata;  // free text that travels with the file

  // Names of input dimensions that vary ("N", "batch"), by input and dimension; "" for fixed ones.
  std::vector<std::vector<std::string>> input_dim_names;

  ValueId AddValue(Value value);
  ValueId AddConstant(std::string name, TensorPtr tensor);

  Value& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  size_t value_count() const { return values_.size(); }

  // The constant behind an input of a node; null if it is absent or not constant.
  const Tensor* ConstantInput(const Node& node, size_t i) const;

  // A name that no value (node) has yet: `base`, or base_1, base_2, ...
  std::string UniqueValueName(const std::string& base) const;
  std::string UniqueNodeName(const std::string& base) const;

 private:
  std::vector<Value> values_;
};

// Who makes and who uses each value. Of one state of a graph: edits make it stale.
class Uses {
 public:
  explicit Uses(const Graph& graph);

  // Index of the producing node, -1 for inputs and constants.
  int producer(ValueId id) const { return producer_[static_cast<size_t>(id)]; }
  // Indices of consuming nodes, one entry per use.
  const std::vector<int>& consumers(ValueId id) const {
    return consumers_[static_cast<size_t>(id)];
  }
  bool is_output(ValueId id) const { return is_output_[static_cast<size_t>(id)]; }
  // Exactly one node reads it and the caller does not.
  bool has_single_use(ValueId id) const { return consumers(id).size() == 1 && !is_output(id); }

 private:
  std::vector<int> producer_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> is_output_;
};

}  // namespace fourfold::graph
