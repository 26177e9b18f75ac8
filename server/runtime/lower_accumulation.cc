// Convolution and matrix multiplication: the choice of arithmetic and what is fused behind the sum.

#include <algorithm>
#include <cmath>

#include "kernels/binary.h"
#include "kernels/convolution.h"
#include "kernels/eltwise.h"
#include "kernels/matmul.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/saturation.h"
#include "server/runtime/lowering.h"

namespace fourfold::runtime {
namespace {

using graph::Node;
using graph::Quantization;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;
using kernels::Accumulation;
using kernels::Activation;
using kernels::Arithmetic;
using kernels::ElementType;

// Inputs of a node beside data and weights, by position.
constexpr size_t kBias = 2;
constexpr size_t kResidual = 3;
constexpr size_t kDynamic = 4;

// 8-bit weights with the scale of each output channel. Zero points only where the numbers that the
// weights stand for leave int8.
struct IntegerWeights {
  TensorPtr tensor;
  std::vector<float> scale;         // [channels]
  std::vector<int32_t> zero_point;  // [channels], or empty: the tensor is int8, all are 0
};

// Weights quantized with uint8 or a zero point are the same integers moved, if they then fit int8.
// Nothing for weights that are not quantized per tensor or along `channel_axis`.
std::optional<IntegerWeights> AsIntegerWeights(const graph::Value& weights, size_t channel_axis) {
  if (weights.constant == nullptr || !weights.quantization.has_value()) return std::nullopt;
  if (weights.type != ElementType::kInt8 && weights.type != ElementType::kUint8)
    return std::nullopt;
  const Quantization& quantization = *weights.quantization;
  if (!quantization.per_tensor() && static_cast<size_t>(quantization.axis) != channel_axis) {
    return std::nullopt;
  }
  const graph::Shape& dims = weights.constant->shape();
  const auto channels = static_cast<size_t>(dims[channel_axis]);
  IntegerWeights result{weights.constant, {}, {}};
  bool moved = weights.type == ElementType::kUint8;
  for (size_t i = 0; i < channels; ++i) {
    const size_t from = quantization.per_tensor() ? 0 : i;
    result.scale.push_back(quantization.scale[from]);
    result.zero_point.push_back(quantization.zero_point[from]);
    moved = moved || quantization.zero_point[from] != 0;
  }
  if (!moved) {
    result.zero_point.clear();
    return result;
  }
  int64_t inner = 1;
  for (size_t i = channel_axis + 1; i < dims.size(); ++i) inner *= dims[i];
  std::vector<int8_t> values(static_cast<size_t>(weights.constant->count()));
  for (size_t i = 0; i < values.size(); ++i) {
    const int32_t zero = result.zero_point[i / static_cast<size_t>(inner) % channels];
    const int32_t stored = weights.type == ElementType::kUint8 ? weights.constant->as<uint8_t>()[i]
                                                               : weights.constant->as<int8_t>()[i];
    const int32_t value = stored - zero;
    if (value < -128 || value > 127) return result;
    values[i] = static_cast<int8_t>(value);
  }
  result.tensor = Tensor::Of(ElementType::kInt8, dims, values);
  result.zero_point.clear();
  return result;
}

// The constant as float32 numbers.
std::vector<float> RealConstant(const graph::Value& constant) {
  const Tensor& tensor = *constant.constant;
  if (!constant.quantization.has_value()) return tensor.ToFloat();
  const Quantization& quantization = *constant.quantization;
  const std::vector<int64_t> stored = tensor.ToInt64();
  int64_t inner = 1;
  size_t channels = 1;
  if (!quantization.per_tensor()) {
    const auto axis = static_cast<size_t>(quantization.axis);
    channels = static_cast<size_t>(tensor.shape()[axis]);
    for (size_t i = axis + 1; i < tensor.shape().size(); ++i) inner *= tensor.shape()[i];
  }
  std::vector<float> real(stored.size());
  for (size_t i = 0; i < real.size(); ++i) {
    const size_t channel = i / static_cast<size_t>(inner) % channels;
    real[i] = static_cast<float>(stored[i] - quantization.zero_point[channel]) *
              quantization.scale[channel];
  }
  return real;
}

// The bias in units of the sum, one per channel, as integer-valued floats. 32-bit integers whose
// scale is that of the sum are those units.
std::vector<float> BiasInUnits(const graph::Value& bias, const std::vector<float>& unit) {
  constexpr float kSameScale = 1e-6f;  // the product of two scales may have been rounded otherwise
  const Tensor& tensor = *bias.constant;
  const bool integers = bias.quantization.has_value() && bias.type == ElementType::kInt32;
  const std::vector<int64_t> stored = integers ? tensor.ToInt64() : std::vector<int64_t>();
  const std::vector<float> real = integers ? std::vector<float>() : RealConstant(bias);
  std::vector<float> result(unit.size());
  for (size_t i = 0; i < result.size(); ++i) {
    if (!integers) {
      result[i] = kernels::RoundHalfToEven(real[i] / unit[i]);
      continue;
    }
    const Quantization& how = *bias.quantization;
    const float scale = how.scale[how.per_tensor() ? 0 : i];
    const bool same = std::fabs(scale - unit[i]) <= kSameScale * unit[i];
    result[i] = same ? static_cast<float>(stored[i])
                     : static_cast<float>(std::nearbyint(static_cast<double>(stored[i]) *
                                                         static_cast<double>(scale) /
                                                         static_cast<double>(unit[i])));
  }
  return result;
}

// Vectors that a spec borrows.
struct Parameters {
  std::vector<float> bias;
  std::vector<float> multiplier;
  std::vector<int32_t> weights_zero_point;
};

// What both operations have in common, filled in from the node.
struct Common {
  Accumulation sum;
  std::shared_ptr<Parameters> parameters = std::make_shared<Parameters>();
  TensorPtr weights;  // keeps sum.weights alive
  View src;
  std::vector<View> more_inputs;  // dynamic parameters, residual
  ElementType dst_type = ElementType::kFloat32;
  std::string arithmetic;
};

struct Shape {
  size_t channel_axis;  // of the weights
  int64_t channels;
  int64_t sum_length;  // products per result
  LayoutWish layout;
};

absl::StatusOr<Common> Prepare(Lowering& lowering, const Node& node, const Activation& activation,
                               const Shape& shape) {
  Common common;
  Accumulation& sum = common.sum;
  const ValueId src = node.inputs[0];
  const ValueId out = node.outputs[0];
  const graph::Value& weights = lowering.value(node.inputs[1]);
  const graph::Value& result = lowering.value(out);
  const bool residual = node.input(kResidual) != graph::kNoValue;
  std::optional<IntegerWeights> integer = AsIntegerWeights(weights, shape.channel_axis);
  if (integer && shape.sum_length > (integer->zero_point.empty() ? kernels::kMaxExactSum
                                                                 : kernels::kMaxExactWideSum)) {
    integer.reset();
  }

  const bool dynamic = node.input(kDynamic) != graph::kNoValue;
  if (dynamic && !integer) {
    return absl::UnimplementedError(
        absl::StrCat("node \"", node.name, "\": dynamic quantization needs constant int8 weights"));
  }
  if (dynamic) {
    sum.arithmetic = Arithmetic::kDynamicInt8;
    common.arithmetic = "dynamic int8";
  } else if (integer && lowering.integer_activation(src)) {
    sum.arithmetic = Arithmetic::kStaticInt8;
    common.arithmetic = "int8";
  } else {
    common.arithmetic = "float32";
  }

  const graph::Value* const bias =
      node.input(kBias) == graph::kNoValue ? nullptr : &lowering.value(node.inputs[kBias]);
  if (bias != nullptr && sum.arithmetic != Arithmetic::kStaticInt8)
    common.parameters->bias = RealConstant(*bias);
  sum.activation = activation;
  sum.residual = residual;

  if (sum.arithmetic == Arithmetic::kFloat) {
    ASSIGN_OR_RETURN(common.src, lowering.Real(src, shape.layout));
    if (weights.quantization.has_value()) {
      common.weights =
          Tensor::Of(ElementType::kFloat32, weights.constant->shape(), RealConstant(weights));
      lowering.KeepAlive(common.weights, common.weights->bytes());
    } else {
      common.weights = weights.constant;
      lowering.KeepAlive(common.weights);
    }
  } else {
    ASSIGN_OR_RETURN(common.src, lowering.Stored(src, shape.layout));
    common.weights = integer->tensor;
    lowering.KeepAlive(common.weights,
                       integer->tensor == weights.constant ? 0 : common.weights->bytes());
    common.parameters->multiplier = std::move(integer->scale);
    common.parameters->weights_zero_point = std::move(integer->zero_point);
  }
  sum.weights = common.weights->data();
  sum.weights_type = common.weights->type();
  sum.weights_id = static_cast<uint64_t>(node.inputs[1]) + 1;

  std::vector<float>& multiplier = common.parameters->multiplier;
  if (sum.arithmetic == Arithmetic::kDynamicInt8) {
    ASSIGN_OR_RETURN(View params, lowering.Stored(node.inputs[kDynamic], LayoutWish::kAny));
    common.more_inputs.push_back(params);
  } else if (sum.arithmetic == Arithmetic::kStaticInt8) {
    const kernels::QuantParams from = lowering.value(src).quantization->params();
    sum.src_zero_point = from.zero_point;
    for (float& m : multiplier) m = from.scale * m;
    if (bias != nullptr) {
      common.parameters->bias = BiasInUnits(*bias, multiplier);
      for (size_t i = 0; i < multiplier.size(); ++i) {
        if (std::isfinite(common.parameters->bias[i])) continue;
        return absl::InvalidArgumentError(absl::StrCat("node \"", node.name,
                                                       "\": the bias of channel ", i,
                                                       " is too large for scale ", multiplier[i]));
      }
    }
    // Integers come straight out of the kernel where everything behind the sum fits it.
    if (lowering.integer_activation(out) && !residual) {
      const kernels::QuantParams to = result.quantization->params();
      common.dst_type = result.type;
      sum.dst_zero_point = to.zero_point;
      const bool scales = activation.kind == Activation::Kind::kNone ||
                          activation.kind == Activation::Kind::kRelu ||
                          activation.kind == Activation::Kind::kClip ||
                          activation.kind == Activation::Kind::kLeakyRelu;
      if (graph::ImpliedBySaturation(activation, result.type, to)) sum.activation = {};
      if (scales) {
        for (float& m : multiplier) m = m / to.scale;
        if (sum.activation.kind == Activation::Kind::kClip) {
          sum.activation.alpha = sum.activation.alpha / to.scale;
          sum.activation.beta = sum.activation.beta / to.scale;
        }
      } else {
        sum.dst_scale_inverse = 1.0f / to.scale;
      }
    }
  }
  if (residual) {
    ASSIGN_OR_RETURN(View view, lowering.Real(node.inputs[kResidual], shape.layout));
    common.more_inputs.push_back(view);
  }
  sum.bias = common.parameters->bias;
  sum.multiplier = common.parameters->multiplier;
  sum.weights_zero_point = common.parameters->weights_zero_point;
  constexpr size_t kWord = sizeof(float);
  lowering.KeepAlive(common.parameters, kWord * (sum.bias.size() + sum.multiplier.size() +
                                                 sum.weights_zero_point.size()));
  return common;
}

absl::Status DefineResult(Lowering& lowering, ValueId id, const View& view) {
  return view.spec.type == ElementType::kFloat32 ? lowering.DefineReal(id, view)
                                                 : lowering.DefineStored(id, view);
}

// One position in and out, one group: a product of the batch with the weights as a matrix.
bool IsMatrixProduct(const graph::Conv& conv, const graph::Shape& image, const graph::Shape& filter,
                     const graph::Window& window) {
  const auto is_one = [](int64_t x) { return x == 1; };
  return conv.groups == 1 && std::all_of(image.begin() + 2, image.end(), is_one) &&
         std::all_of(filter.begin() + 2, filter.end(), is_one) &&
         std::all_of(window.pads.begin(), window.pads.end(), [](int64_t x) { return x == 0; });
}

absl::Status AddConv(Lowering& lowering, const graph::Conv& conv, const graph::Shape& image,
                     const graph::Shape& filter, const graph::Window& window, const Common& common,
                     const std::vector<View>& inputs, const View& dst, StepInfo info) {
  if (IsMatrixProduct(conv, image, filter, window)) {
    kernels::MatMulSpec spec;
    spec.src_type = common.src.spec.type;
    spec.dst_type = common.dst_type;
    spec.m = spec.samples = image[0];
    spec.n = filter[0];
    spec.k = filter[1];
    spec.transpose_rhs = true;
    spec.sum = common.sum;
    return lowering.Add(kernels::MatMulKernels(), spec, inputs, {dst}, std::move(info));
  }
  kernels::ConvolutionSpec spec;
  spec.src = common.src.spec;
  spec.dst = dst.spec;
  spec.weights = filter;
  spec.groups = conv.groups;
  spec.strides = window.strides;
  spec.dilations = window.dilations;
  const auto space = static_cast<ptrdiff_t>(filter.size()) - 2;
  spec.pads_begin.assign(window.pads.begin(), window.pads.begin() + space);
  spec.pads_end.assign(window.pads.begin() + space, window.pads.end());
  spec.sum = common.sum;
  return lowering.Add(kernels::ConvolutionKernels(), spec, inputs, {dst}, std::move(info));
}

absl::Status LowerConv(Lowering& lowering, const Node& node, const graph::Conv& conv) {
  const graph::Value& weights = lowering.value(node.inputs[1]);
  const ValueId bias = node.input(kBias);
  const bool computed_bias = bias != graph::kNoValue && lowering.value(bias).constant == nullptr;
  if (weights.constant == nullptr || computed_bias) return LowerPlain(lowering, node);
  const graph::Shape& image = lowering.shape(node.inputs[0]);
  const graph::Shape& filter = weights.constant->shape();
  const std::vector<int64_t> kernel(filter.begin() + 2, filter.end());
  ASSIGN_OR_RETURN(const graph::Window window,
                   graph::ResolveWindow(conv.window, {image.begin() + 2, image.end()}, kernel));
  int64_t sum_length = 1;
  for (size_t i = 1; i < filter.size(); ++i) sum_length *= filter[i];

  ASSIGN_OR_RETURN(Common common, Prepare(lowering, node, conv.activation,
                                          {0, filter[0], sum_length, LayoutWish::kChannelsLast}));
  const View dst = lowering.NewView(common.dst_type, lowering.shape(node.outputs[0]),
                                    LayoutOf(LayoutWish::kChannelsLast, image.size()));
  StepInfo info = lowering.Info("Conv", dst);
  info.arithmetic = common.arithmetic;
  info.macs = kernels::ElementCount(dst.spec.dims) * sum_length;
  std::vector<View> inputs = {common.src};
  inputs.insert(inputs.end(), common.more_inputs.begin(), common.more_inputs.end());
  RETURN_IF_ERROR(
      AddConv(lowering, conv, image, filter, window, common, inputs, dst, std::move(info)));
  return DefineResult(lowering, node.outputs[0], dst);
}

// Copies the view into one with the batch dimensions repeated to `batch`.
absl::StatusOr<View> BroadcastBatch(Lowering& lowering, const View& view,
                                    const kernels::Dims& batch) {
  const size_t rank = batch.size() + 2;
  kernels::Dims dims = batch;
  dims.push_back(view.spec.dims[view.spec.dims.size() - 2]);
  dims.push_back(view.spec.dims.back());
  const std::vector<int64_t> own = kernels::Strides(view.spec.dims, kernels::Layout::kRowMajor);
  std::vector<int64_t> strides(rank, 0);
  const size_t missing = rank - view.spec.dims.size();
  for (size_t i = missing; i < rank; ++i) {
    if (view.spec.dims[i - missing] != 1 || dims[i] == 1) strides[i] = own[i - missing];
  }
  const View wide = lowering.NewView(view.spec.type, dims);
  RETURN_IF_ERROR(lowering.AddCopy(view, wide, dims, strides,
                                   kernels::Strides(dims, kernels::Layout::kRowMajor), 0, 0,
                                   "Expand"));
  return wide;
}

int64_t BatchOf(const kernels::Dims& dims) {
  int64_t batch = 1;
  for (size_t i = 0; i + 2 < dims.size(); ++i) batch *= dims[i];
  return batch;
}

// Adds whatever the kernel could not fuse: bias or residual of any shape, activation.
absl::Status AddRest(Lowering& lowering, const Node& node, View result,
                     const std::vector<ValueId>& addends, const Activation& activation) {
  for (size_t i = 0; i < addends.size(); ++i) {
    ASSIGN_OR_RETURN(const View addend, lowering.Real(addends[i], LayoutWish::kRowMajor));
    kernels::BinarySpec spec;
    spec.operation = kernels::BinarySpec::Operation::kAdd;
    spec.a = result.spec;
    spec.b = addend.spec;
    spec.b.dims.insert(spec.b.dims.begin(), spec.a.dims.size() - spec.b.dims.size(), 1);
    if (i + 1 == addends.size()) spec.activation = activation;
    const View sum = lowering.NewView(ElementType::kFloat32, result.spec.dims);
    spec.dst = sum.spec;
    RETURN_IF_ERROR(lowering.Add(kernels::BinaryKernels(), spec, {result, addend}, {sum},
                                 lowering.Info("Binary", sum)));
    result = sum;
  }
  return lowering.DefineReal(node.outputs[0], result);
}

// Both operands computed (or a constant of more than two dimensions): float32.
absl::Status LowerMatMulOfValues(Lowering& lowering, const Node& node,
                                 const graph::MatMul& matmul) {
  if (node.input(kDynamic) != graph::kNoValue) {
    return absl::UnimplementedError(
        absl::StrCat("node \"", node.name,
                     "\": dynamic quantization needs constant weights and one bias per column"));
  }
  ASSIGN_OR_RETURN(View lhs, lowering.Real(node.inputs[0], LayoutWish::kRowMajor));
  ASSIGN_OR_RETURN(View rhs, lowering.Real(node.inputs[1], LayoutWish::kRowMajor));
  if (lhs.spec.dims.size() == 1) lhs.spec.dims.insert(lhs.spec.dims.begin(), 1);
  if (rhs.spec.dims.size() == 1) rhs.spec.dims.push_back(1);
  const size_t rank = std::max(lhs.spec.dims.size(), rhs.spec.dims.size());
  kernels::Dims batch(rank - 2, 1);
  for (const View* view : {&lhs, &rhs}) {
    const size_t missing = rank - view->spec.dims.size();
    for (size_t i = missing; i + 2 < rank; ++i)
      batch[i] = std::max(batch[i], view->spec.dims[i - missing]);
  }
  const int64_t batches = kernels::ElementCount(batch);
  if (BatchOf(lhs.spec.dims) != batches && BatchOf(lhs.spec.dims) != 1) {
    ASSIGN_OR_RETURN(lhs, BroadcastBatch(lowering, lhs, batch));
  }
  if (BatchOf(rhs.spec.dims) != batches && BatchOf(rhs.spec.dims) != 1) {
    ASSIGN_OR_RETURN(rhs, BroadcastBatch(lowering, rhs, batch));
  }
  kernels::MatMulSpec spec;
  spec.lhs_batch = BatchOf(lhs.spec.dims);
  spec.rhs_batch = BatchOf(rhs.spec.dims);
  const kernels::Dims& l = lhs.spec.dims;
  const kernels::Dims& r = rhs.spec.dims;
  spec.m = matmul.transpose_lhs ? l.back() : l[l.size() - 2];
  spec.k = matmul.transpose_lhs ? l[l.size() - 2] : l.back();
  spec.n = matmul.transpose_rhs ? r[r.size() - 2] : r.back();
  spec.transpose_lhs = matmul.transpose_lhs;
  spec.transpose_rhs = matmul.transpose_rhs;

  std::vector<ValueId> addends;
  for (size_t i : {kBias, kResidual}) {
    if (node.input(i) != graph::kNoValue) addends.push_back(node.inputs[i]);
  }
  if (addends.empty()) spec.sum.activation = matmul.activation;
  const View dst = lowering.NewView(ElementType::kFloat32, lowering.shape(node.outputs[0]));
  StepInfo info = lowering.Info("MatMul", dst);
  info.arithmetic = "float32";
  info.macs = batches * spec.m * spec.n * spec.k;
  RETURN_IF_ERROR(lowering.Add(kernels::MatMulKernels(), spec, {lhs, rhs}, {dst}, std::move(info)));
  return AddRest(lowering, node, dst, addends, matmul.activation);
}

absl::Status LowerMatMul(Lowering& lowering, const Node& node, const graph::MatMul& matmul) {
  const graph::Value& weights = lowering.value(node.inputs[1]);
  const graph::Shape& lhs = lowering.shape(node.inputs[0]);
  const ValueId bias = node.input(kBias);
  if (weights.constant == nullptr || weights.constant->shape().size() != 2 ||
      (lhs.size() != 2 && matmul.transpose_lhs)) {
    return LowerMatMulOfValues(lowering, node, matmul);
  }
  const graph::Shape& filter = weights.constant->shape();
  const int64_t k = filter[matmul.transpose_rhs ? 1 : 0];
  const int64_t n = filter[matmul.transpose_rhs ? 0 : 1];
  if (bias != graph::kNoValue &&
      (lowering.value(bias).constant == nullptr || lowering.value(bias).constant->count() != n ||
       lowering.shape(bias).empty() || lowering.shape(bias).back() != n)) {
    return LowerMatMulOfValues(lowering, node, matmul);
  }
  ASSIGN_OR_RETURN(Common common,
                   Prepare(lowering, node, matmul.activation,
                           {matmul.transpose_rhs ? 0u : 1u, n, k, LayoutWish::kRowMajor}));
  const View dst = lowering.NewView(common.dst_type, lowering.shape(node.outputs[0]));
  kernels::MatMulSpec spec;
  spec.src_type = common.src.spec.type;
  spec.dst_type = common.dst_type;
  spec.m = kernels::ElementCount(lhs) / k;
  spec.n = n;
  spec.k = k;
  spec.transpose_lhs = matmul.transpose_lhs;
  spec.transpose_rhs = matmul.transpose_rhs;
  spec.samples = lhs.size() < 2 || matmul.transpose_lhs ? 1 : lhs[0];
  spec.sum = common.sum;

  StepInfo info = lowering.Info("MatMul", dst);
  info.arithmetic = common.arithmetic;
  info.macs = spec.m * n * k;
  std::vector<View> inputs = {common.src};
  inputs.insert(inputs.end(), common.more_inputs.begin(), common.more_inputs.end());
  RETURN_IF_ERROR(lowering.Add(kernels::MatMulKernels(), spec, inputs, {dst}, std::move(info)));
  return DefineResult(lowering, node.outputs[0], dst);
}

}  // namespace

absl::Status LowerAccumulation(Lowering& lowering, const Node& node) {
  for (size_t i : {0u, 1u}) {
    const graph::Shape& shape = lowering.shape(node.inputs[i]);
    if (graph::ElementCount(shape) != 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("node \"", node.name, "\": its input ",
                                                   lowering.value(node.inputs[i]).name, " ",
                                                   graph::ShapeText(shape), " is empty"));
  }
  if (const auto* conv = node.as<graph::Conv>()) return LowerConv(lowering, node, *conv);
  return LowerMatMul(lowering, node, *node.as<graph::MatMul>());
}

}  // namespace fourfold::runtime
