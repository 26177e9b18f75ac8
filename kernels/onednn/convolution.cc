#include <algorithm>
#include <memory>

#include "kernels/onednn/accumulate_kernel.h"
#include "kernels/onednn/onednn.h"

namespace fourfold::kernels::onednn {
namespace {

// The spec with one spatial dimension written as two, which more of oneDNN's kernels take.
struct Shape {
  Dims src, dst, weights, strides, dilates, pads_begin, pads_end;
};

Shape MakeShape(const ConvolutionSpec& spec) {
  Shape shape{spec.src.dims,   spec.dst.dims, spec.weights, spec.strides, {},
              spec.pads_begin, spec.pads_end};
  const size_t space = spec.src.dims.size() - 2;
  shape.strides.resize(space, 1);
  shape.pads_begin.resize(space, 0);
  shape.pads_end.resize(space, 0);
  for (size_t i = 0; i < space; ++i) {  // oneDNN counts the skipped elements
    shape.dilates.push_back(spec.dilations.empty() ? 0 : spec.dilations[i] - 1);
  }
  if (space == 1) {
    for (Dims* dims : {&shape.src, &shape.dst, &shape.weights}) dims->insert(dims->begin() + 2, 1);
    shape.strides.insert(shape.strides.begin(), 1);
    for (Dims* dims : {&shape.dilates, &shape.pads_begin, &shape.pads_end}) {
      dims->insert(dims->begin(), 0);
    }
  }
  if (spec.groups > 1) {
    shape.weights[0] /= spec.groups;
    shape.weights.insert(shape.weights.begin(), spec.groups);
  }
  return shape;
}

// Whether some window covers nothing but padding. Integer kernels then skip the residual and
// miscount the zero point.
bool HasEmptyWindow(const Shape& shape) {
  const size_t space = shape.strides.size();
  for (size_t i = 0; i < space; ++i) {
    const int64_t kernel = shape.weights[shape.weights.size() - space + i];
    for (int64_t window = 0; window < shape.dst[i + 2]; ++window) {
      const int64_t begin = window * shape.strides[i] - shape.pads_begin[i];
      bool empty = true;
      for (int64_t j = 0; j < kernel && empty; ++j) {
        const int64_t at = begin + j * (shape.dilates[i] + 1);
        empty = at < 0 || at >= shape.src[i + 2];
      }
      if (empty) return true;
    }
  }
  return false;
}

// Shapes for which kernels of oneDNN 3.7.2 give wrong results (found by comparison with the
// reference).
bool IsMiscomputed(const ConvolutionSpec& spec, const Shape& shape) {
  // One channel per group but several outputs, and strides.
  const bool depthwise = spec.weights[1] == 1 && spec.weights[0] == spec.groups;
  const bool strided = *std::max_element(shape.strides.begin(), shape.strides.end()) > 1;
  if (spec.weights[1] == 1 && !depthwise && strided) return true;
  // Padding in front, and elements behind the last window that no window covers.
  const size_t space = shape.strides.size();
  for (size_t i = 0; i < space; ++i) {
    const int64_t kernel = shape.weights[shape.weights.size() - space + i];
    const int64_t end = (shape.dst[i + 2] - 1) * shape.strides[i] - shape.pads_begin[i] +
                        (kernel - 1) * (shape.dilates[i] + 1) + 1;
    if (shape.pads_begin[i] > 0 && end < shape.src[i + 2]) return true;
  }
  const bool volumetric = space == 3;
  return HasEmptyWindow(shape) || (volumetric && spec.sum.arithmetic != Arithmetic::kFloat);
}

// Square windows of odd size that reach no further over an edge than to their centre: the only
// padding for which AVX2's depthwise kernels were found to account for the source's zero point.
bool HasPlainPadding(const Shape& shape) {
  const size_t space = shape.strides.size();
  const int64_t kernel = shape.weights.back();
  for (size_t i = 0; i < space; ++i) {
    if (shape.weights[shape.weights.size() - space + i] != kernel || kernel % 2 == 0) return false;
    if (std::max(shape.pads_begin[i], shape.pads_end[i]) > kernel / 2) return false;
  }
  return true;
}

// The order in which pairs are added is that of the channels at one kernel position, or, where they
// do not fill groups of four, possibly across positions.
bool WeightsCannotSaturate(const ConvolutionSpec& spec) {
  const auto* weights = static_cast<const int8_t*>(spec.sum.weights);
  const int64_t channels = spec.weights[1];
  const int64_t row = ElementCount(spec.weights) / spec.weights[0];
  const int64_t positions = row / channels;
  std::vector<int8_t> ordered(row);
  for (int64_t o = 0; o < spec.weights[0]; ++o, weights += row) {
    for (int64_t p = 0; p < positions; ++p) {
      for (int64_t c = 0; c < channels; ++c) ordered[p * channels + c] = weights[c * positions + p];
    }
    if (!PairSumsFit(ordered.data(), row, 1, channels % 4 == 0)) return false;
  }
  return true;
}

PreparedPtr Prepare(const ConvolutionSpec& spec, const PrepareContext& context) {
  const size_t rank = spec.src.dims.size();
  if (rank < 3 || rank > 5 || spec.sum.weights == nullptr || spec.groups < 1) return nullptr;
  if (spec.src.layout != spec.dst.layout) return nullptr;
  if (ElementCount(spec.src.dims) == 0 || ElementCount(spec.dst.dims) == 0) return nullptr;
  const Accumulation& sum = spec.sum;
  const int64_t channels = spec.weights[0];
  if (!Acceptable(sum, spec.src.type, spec.dst.type, channels,
                  ElementCount(spec.weights) / channels)) {
    return nullptr;
  }
  const bool is_float = sum.arithmetic == Arithmetic::kFloat;
  // With one element in space the two layouts look alike to oneDNN, which then takes the other one.
  if (!is_float && spec.dst.layout != Layout::kChannelsLast) return nullptr;
  const bool exact = is_float || CpuIsExact(context.features);
  if (!exact && spec.src.type != ElementType::kUint8) return nullptr;

  AccumulateKernel::Parts parts;
  parts.dynamic = sum.arithmetic == Arithmetic::kDynamicInt8;
  Shape shape = MakeShape(spec);
  if (IsMiscomputed(spec, shape)) return nullptr;
  if (parts.dynamic) {
    parts.samples = shape.src[0];
    shape.src[0] = shape.dst[0] = 1;
  }
  parts.zero_points =
      std::make_unique<ZeroPoints>(ZeroPoints{sum.src_zero_point, sum.dst_zero_point});

  using Desc = dnnl::memory::desc;
  const ElementType weights_type = is_float ? ElementType::kFloat32 : ElementType::kInt8;
  const Desc src = Describe(shape.src, spec.src.type, spec.src.layout);
  const Desc dst = Describe(shape.dst, spec.dst.type, spec.dst.layout);
  const Desc weights(shape.weights, *DataType(weights_type), dnnl::memory::format_tag::any);
  const Desc bias = sum.bias.empty() ? Desc() : Describe({channels}, ElementType::kFloat32);
  parts.src_bytes = src.get_size();
  parts.dst_bytes = dst.get_size();
  Epilogue epilogue = MakeEpilogue({.sum = sum,
                                    .dst_type = spec.dst.type,
                                    .dst = dst,
                                    .channel_dim = 1,
                                    .weights_scale_mask = spec.groups > 1 ? 3 : 1},
                                   &parts.zero_points->src, &parts.zero_points->dst);
  parts.residual = epilogue.residual;

  const ConcurrencyScope concurrency(context.threads);
  const dnnl::convolution_forward::primitive_desc primitive(
      Engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src,
      weights, bias, dst, shape.strides, shape.dilates, shape.pads_begin, shape.pads_end,
      epilogue.attributes, /*allow_empty=*/true);
  if (!primitive) return nullptr;
  const std::string_view implementation = primitive.impl_info_str();
  if (IsReference(implementation)) return nullptr;
  if (!exact) {
    // Depthwise kernels widen their operands: nothing is paired.
    const bool widens =
        spec.weights[1] == 1 && channels == spec.groups && implementation.find("jit") == 0;
    if (!widens && !WeightsCannotSaturate(spec)) return nullptr;
    const bool shifted = parts.dynamic || sum.src_zero_point != 0;
    if (widens && shifted && !HasPlainPadding(shape)) return nullptr;
  }

  parts.weights =
      Pack({.source = sum.weights,
            .source_type = sum.weights_type,
            .from = Describe(shape.weights, weights_type),
            .to = primitive.weights_desc(),
            .id = sum.weights_id,
            .variation = is_float ? "f"
                         : spec.src.type == ElementType::kInt8
                             ? (sum.src_zero_point != 0 ? "s8z" : "s8")
                             : (parts.dynamic || sum.src_zero_point != 0 ? "u8z" : "u8")},
           context.packed);
  std::vector<Operand> operands = {
      {DNNL_ARG_SRC, src, nullptr},
      {DNNL_ARG_WEIGHTS, primitive.weights_desc(), parts.weights.data.get()},
      {DNNL_ARG_DST, dst, nullptr}};
  if (!sum.bias.empty()) operands.push_back({DNNL_ARG_BIAS, bias, sum.bias.data()});
  operands.insert(operands.end(), epilogue.operands.begin(), epilogue.operands.end());
  parts.primitive = std::make_unique<CompiledPrimitive>(
      primitive, dnnl::convolution_forward(primitive), std::move(operands));
  return std::make_unique<AccumulateKernel>(std::move(parts));
}

}  // namespace

PreparedPtr PrepareConvolution(const ConvolutionSpec& spec, const PrepareContext& context) try {
  return Prepare(spec, context);
} catch (const dnnl::error&) {
  return nullptr;
}

}  // namespace fourfold::kernels::onednn
