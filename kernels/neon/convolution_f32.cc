#include <memory>

#include "kernels/neon/neon.h"
#include "kernels/neon/product_f32.h"

namespace fourfold::kernels::neon {
namespace {

// Below this many products per result, rounding the source to float16 costs more than it saves.
constexpr int64_t kHalfProductsMin = 16;

enum class Sums { kFloat32, kFloat16 };

bool AreFloats(const Accumulation& sum, ElementType src, ElementType dst, int64_t channels) {
  return sum.arithmetic == Arithmetic::kFloat && sum.weights != nullptr &&
         (sum.weights_type == ElementType::kFloat32 || sum.weights_type == ElementType::kFloat16) &&
         src == ElementType::kFloat32 && dst == ElementType::kFloat32 &&
         (sum.bias.empty() || static_cast<int64_t>(sum.bias.size()) == channels);
}

bool IsConsistent(const ConvolutionSpec& spec) {
  const size_t rank = spec.src.dims.size();
  if (rank < 3 || rank > Window::kSpace + 2 || spec.dst.dims.size() != rank ||
      spec.weights.size() != rank || spec.groups < 1) {
    return false;
  }
  return spec.src.layout == Layout::kChannelsLast && spec.dst.layout == Layout::kChannelsLast &&
         spec.weights[0] == spec.dst.dims[1] && spec.weights[0] % spec.groups == 0 &&
         spec.weights[1] * spec.groups == spec.src.dims[1] &&
         spec.src.dims[0] == spec.dst.dims[0] && ElementCount(spec.weights) > 0 &&
         ElementCount(spec.src.dims) > 0 && ElementCount(spec.dst.dims) > 0;
}

std::string_view ConvolutionName(const Window& window, bool half_weights, Sums sums) {
  if (window.depthwise()) {
    return half_weights ? "neon/depthwise_f32:f16_weights" : "neon/depthwise_f32";
  }
  if (sums == Sums::kFloat16) return "neon/convolution_f16";
  return half_weights ? "neon/convolution_f32:f16_weights" : "neon/convolution_f32";
}

std::string_view MatMulName(bool half_weights, Sums sums) {
  if (sums == Sums::kFloat16) return "neon/matmul_f16";
  return half_weights ? "neon/matmul_f32:f16_weights" : "neon/matmul_f32";
}

PreparedPtr Prepare(const ConvolutionSpec& spec, const PrepareContext& context, Sums sums) {
  if (!IsConsistent(spec) || !AreFloats(spec.sum, spec.src.type, spec.dst.type, spec.dst.dims[1])) {
    return nullptr;
  }
  const Window window = Window::Of(spec);
  const bool half = spec.sum.weights_type == ElementType::kFloat16;
  if (sums == Sums::kFloat16 &&
      (!half || window.group_in() < 8 || window.taps() * window.group_in() < kHalfProductsMin)) {
    return nullptr;
  }
  // Stored [O][C / groups][tap]. A depthwise one is packed as a single group with one channel.
  const int64_t taps = window.taps(), channels = window.group_in();
  WeightsShape shape{.groups = window.groups,
                     .columns = window.group_out(),
                     .taps = taps,
                     .channels = channels,
                     .group_step = window.group_out() * channels * taps,
                     .column_step = channels * taps,
                     .tap_step = 1,
                     .channel_step = taps};
  if (window.depthwise()) {
    shape.groups = 1;
    shape.columns = window.channels_out;
  }
  return std::make_unique<ProductF32>(
      ProductF32::Parts{.window = window,
                        .name = ConvolutionName(window, half, sums),
                        .threads = context.threads,
                        .rows_are_samples = false,
                        .half_arithmetic = sums == Sums::kFloat16,
                        .weights = PackedWeightsF32(spec.sum, shape, "convolution", context),
                        .finish = FinishF32(spec.sum, window.channels_out)});
}

PreparedPtr Prepare(const MatMulSpec& spec, const PrepareContext& context, Sums sums) {
  if (!AreFloats(spec.sum, spec.src_type, spec.dst_type, spec.n) || spec.rhs_batch != 1 ||
      spec.transpose_lhs || spec.m < 1 || spec.n < 1 || spec.k < 1 || spec.lhs_batch < 1) {
    return nullptr;
  }
  const bool half = spec.sum.weights_type == ElementType::kFloat16;
  if (sums == Sums::kFloat16 && (!half || spec.k < kHalfProductsMin)) return nullptr;
  const int64_t rows = spec.lhs_batch * spec.m;
  const bool transposed = spec.transpose_rhs;
  const WeightsShape shape{.columns = spec.n,
                           .channels = spec.k,
                           .column_step = transposed ? spec.k : 1,
                           .channel_step = transposed ? 1 : spec.n};
  Window window;
  window.channels_in = spec.k;
  window.channels_out = spec.n;
  window.in = window.out = {1, 1, rows};
  return std::make_unique<ProductF32>(ProductF32::Parts{
      .window = std::move(window),
      .name = MatMulName(half, sums),
      .threads = context.threads,
      .rows_are_samples = true,
      .half_arithmetic = sums == Sums::kFloat16,
      .weights = PackedWeightsF32(spec.sum, shape, transposed ? "matmul_t" : "matmul", context),
      .finish = FinishF32(spec.sum, spec.n)});
}

}  // namespace

PreparedPtr PrepareConvolutionF32(const ConvolutionSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, Sums::kFloat32);
}
PreparedPtr PrepareConvolutionF16(const ConvolutionSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, Sums::kFloat16);
}
PreparedPtr PrepareMatMulF32(const MatMulSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, Sums::kFloat32);
}
PreparedPtr PrepareMatMulF16(const MatMulSpec& spec, const PrepareContext& context) {
  return Prepare(spec, context, Sums::kFloat16);
}

}  // namespace fourfold::kernels::neon
