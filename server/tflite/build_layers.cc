#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/tflite/builders.h"

namespace fourfold::tflite {
namespace {

using graph::DataType;
using graph::kNoValue;
using graph::Tensor;
using graph::ValueId;

constexpr int kInput = 0, kWeights = 1, kBias = 2;

absl::Status CheckAtLeastOne(int64_t number, const char* what) {
  if (number >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("has the ", what, " ", number, ", at least 1 is wanted"));
}

absl::StatusOr<graph::AutoPad> PaddingOf(schema::Padding padding) {
  switch (padding) {
    case schema::Padding::SAME: return graph::AutoPad::kSameUpper;
    case schema::Padding::VALID: return graph::AutoPad::kValid;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("has the padding ", static_cast<int>(padding), ", wanted SAME or VALID"));
}

// Stride, and dilation or kernel, of options that have them as _h and _w.
template <typename Options>
absl::StatusOr<graph::Window> StridesOf(const Options& options) {
  graph::Window window;
  ASSIGN_OR_RETURN(window.auto_pad, PaddingOf(options.padding()));
  RETURN_IF_ERROR(CheckAtLeastOne(options.stride_h(), "stride"));
  RETURN_IF_ERROR(CheckAtLeastOne(options.stride_w(), "stride"));
  window.strides = {options.stride_h(), options.stride_w()};
  return window;
}

template <typename Options>
absl::StatusOr<graph::Window> ConvWindowOf(const Options& options) {
  ASSIGN_OR_RETURN(graph::Window window, StridesOf(options));
  RETURN_IF_ERROR(CheckAtLeastOne(options.dilation_h_factor(), "dilation"));
  RETURN_IF_ERROR(CheckAtLeastOne(options.dilation_w_factor(), "dilation"));
  window.dilations = {options.dilation_h_factor(), options.dilation_w_factor()};
  return window;
}

// The four dimensions of a filter.
absl::StatusOr<graph::Shape> FilterShape(const OperatorBuilder& op) {
  const TensorInfo& weights = op.input(kWeights);
  if (weights.rank() != 4) {
    return absl::InvalidArgumentError("input 1, the weights, has not 4 dimensions");
  }
  for (int64_t dim : *weights.shape) RETURN_IF_ERROR(CheckAtLeastOne(dim, "weights' dimension"));
  return *weights.shape;
}

// Integer weights that meet float numbers: the dynamic-range form.
bool IsDynamic(const OperatorBuilder& op) {
  const TensorInfo& weights = op.input(kWeights);
  if (!weights.is_constant || weights.type != DataType::kInt8 || !weights.quantization)
    return false;
  for (int32_t zero : weights.quantization->zero_point) {
    if (zero != 0) return false;
  }
  return op.input(kInput).type == DataType::kFloat32;
}

ValueId DynamicallyQuantized(OperatorBuilder& op, ValueId x) {
  const ValueId integers = op.Emit(graph::DynamicQuantize{}, {x}, "input_quantized", 3);
  return op.Emit(graph::Dequantize{}, {integers, integers + 1, integers + 2}, "input_dequantized");
}

// 32-bit integers count in input scale * weight scale of their channel. Other biases are numbers.
absl::StatusOr<ValueId> Bias(OperatorBuilder& op, int64_t channels) {
  if (!op.has_input(kBias)) return kNoValue;
  const TensorInfo& bias = op.input(kBias);
  if (!bias.is_constant) return op.Real(kBias);
  if (graph::ElementCount(*bias.shape) != channels) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has a bias of shape ", graph::ShapeText(*bias.shape), " for ", channels, " channels"));
  }
  if (bias.type == DataType::kFloat32 || bias.type == DataType::kFloat16) {
    return op.NewConstant("bias",
                          Tensor::Of(DataType::kFloat32, {channels}, bias.Constant()->ToFloat()));
  }
  const TensorInfo& input = op.input(kInput);
  const TensorInfo& weights = op.input(kWeights);
  if (bias.type != DataType::kInt32 || !input.quantized() || !weights.quantized()) {
    return absl::UnimplementedError(absl::StrCat(
        "a bias of ", graph::TypeText(bias.type), " with an input of ", graph::TypeText(input.type),
        " and weights of ", graph::TypeText(weights.type)));
  }
  const std::vector<float>& scales = weights.quantization->scale;
  if (scales.size() != 1 && static_cast<int64_t>(scales.size()) != channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", scales.size(), " weight scales for ", channels, " channels"));
  }
  std::vector<float> unit;
  for (float scale : scales) unit.push_back(input.quantization->scale[0] * scale);
  const graph::Shape dims =
      unit.size() == 1 ? graph::Shape{} : graph::Shape{static_cast<int64_t>(unit.size())};
  return op.Emit(graph::Dequantize{.axis = 0},
                 {op.NewConstant("bias", Tensor::Copy(DataType::kInt32, {channels}, bias.data)),
                  op.NewConstant("bias_scale", Tensor::Of(DataType::kFloat32, dims, unit))},
                 "bias_dequantized");
}

absl::Status EmitConv(OperatorBuilder& op, const graph::Conv& conv,
                      const std::vector<int64_t>& permutation, int64_t channels,
                      schema::ActivationFunctionType function) {
  ASSIGN_OR_RETURN(ValueId x, op.ChannelsFirst(kInput));
  const ValueId weights = op.values().Permuted(op.tensor(kWeights), permutation);
  ASSIGN_OR_RETURN(const ValueId bias, Bias(op, channels));
  if (IsDynamic(op)) x = DynamicallyQuantized(op, x);
  return op.ReturnChannelsFirst(op.Emit(conv, {x, weights, bias}), function);
}

}  // namespace

absl::Status BuildConv2d(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::Conv2DOptions>());
  graph::Conv conv;
  ASSIGN_OR_RETURN(conv.window, ConvWindowOf(*options));
  ASSIGN_OR_RETURN(const graph::Shape filter, FilterShape(op));  // O, H, W, I / groups
  const auto& image = op.input(kInput).shape;
  if (image && image->size() == 4 && image->back() > 0) {
    if (image->back() % filter[3] != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "has weights for ", filter[3], " input channels, the input has ", image->back()));
    }
    conv.groups = image->back() / filter[3];
  }
  return EmitConv(op, conv, {0, 3, 1, 2}, filter[0], options->fused_activation_function());
}

absl::Status BuildDepthwiseConv2d(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::DepthwiseConv2DOptions>());
  graph::Conv conv;
  ASSIGN_OR_RETURN(conv.window, ConvWindowOf(*options));
  ASSIGN_OR_RETURN(const graph::Shape filter, FilterShape(op));  // 1, H, W, C * multiplier
  if (filter[0] != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("has weights of shape ", graph::ShapeText(filter), ", wanted [1, H, W, C]"));
  }
  // The multiplier in the options is out of use: the shapes decide.
  const auto& image = op.input(kInput).shape;
  if (image && image->size() == 4 && image->back() > 0) {
    conv.groups = image->back();
  } else {
    RETURN_IF_ERROR(CheckAtLeastOne(options->depth_multiplier(), "depth multiplier"));
    conv.groups = filter[3] / options->depth_multiplier();
  }
  if (conv.groups == 0 || filter[3] % conv.groups != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", filter[3], " filters for ", conv.groups, " input channels"));
  }
  return EmitConv(op, conv, {3, 0, 1, 2}, filter[3], options->fused_activation_function());
}

absl::Status BuildFullyConnected(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::FullyConnectedOptions>());
  if (options->weights_format() != schema::WeightsFormat::DEFAULT) {
    return absl::UnimplementedError("shuffled weights");
  }
  const TensorInfo& weights = op.input(kWeights);
  if (weights.rank() != 2) {
    return absl::InvalidArgumentError("input 1, the weights, has not 2 dimensions");
  }
  const int64_t outputs = (*weights.shape)[0], inputs = (*weights.shape)[1];
  ValueId x = op.Real(kInput);
  const auto& shape = op.input(kInput).shape;
  const bool rows = shape && !shape->empty() && shape->back() == inputs &&
                    (shape->size() == 2 || options->keep_num_dims());
  if (!rows) {
    x = op.Emit(graph::Reshape{}, {x, op.NewInt64s("rows", {-1, inputs})}, "reshape");
    x = op.values().Requantized(x, op.tensor(kInput));
  }
  ASSIGN_OR_RETURN(const ValueId bias, Bias(op, outputs));
  if (IsDynamic(op)) x = DynamicallyQuantized(op, x);
  graph::MatMul matmul;
  matmul.transpose_rhs = true;
  return op.Return(op.Emit(matmul, {x, op.Real(kWeights), bias}),
                   options->fused_activation_function());
}

absl::Status BuildBatchMatMul(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::BatchMatMulOptions>());
  graph::MatMul matmul;
  matmul.transpose_lhs = options->adj_x();
  matmul.transpose_rhs = options->adj_y();
  return op.Return(op.Emit(matmul, {op.Real(0), op.Real(1)}));
}

absl::Status BuildPool2d(OperatorBuilder& op, graph::Pool::Kind kind) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::Pool2DOptions>());
  graph::Pool pool;
  pool.kind = kind;
  ASSIGN_OR_RETURN(pool.window, StridesOf(*options));
  RETURN_IF_ERROR(CheckAtLeastOne(options->filter_height(), "filter height"));
  RETURN_IF_ERROR(CheckAtLeastOne(options->filter_width(), "filter width"));
  pool.window.kernel = {options->filter_height(), options->filter_width()};
  ASSIGN_OR_RETURN(const ValueId x, op.ChannelsFirst(0));
  return op.ReturnChannelsFirst(op.Emit(pool, {x}), options->fused_activation_function());
}

absl::Status BuildSoftmax(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::SoftmaxOptions>());
  ValueId x = op.Real(0);
  if (options->beta() != 1.0f) {
    x = op.Emit(graph::Binary{.operation = graph::Binary::Operation::kMul, .activation = {}},
                {x, op.NewScalar("beta", options->beta())}, "scaled");
  }
  return op.Return(op.Emit(graph::Softmax{}, {x}));
}

absl::Status BuildLogSoftmax(OperatorBuilder& op) {
  graph::Softmax softmax;
  softmax.logarithm = true;
  return op.Return(op.Emit(softmax, {op.Real(0)}));
}

}  // namespace fourfold::tflite
