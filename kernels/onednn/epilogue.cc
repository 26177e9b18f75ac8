#include "kernels/onednn/epilogue.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace fourfold::kernels::onednn {
namespace {

// Whether saturation to dst's type does what the activation would.
bool ImpliedBySaturation(const Accumulation& sum, ElementType dst_type) {
  const bool is_unsigned = dst_type == ElementType::kUint8;
  const float low = is_unsigned ? 0.0f : -128.0f;
  const float high = is_unsigned ? 255.0f : 127.0f;
  const auto zero = static_cast<float>(sum.dst_zero_point);
  switch (sum.activation.kind) {
    case Activation::Kind::kNone: return true;
    case Activation::Kind::kRelu: return zero <= low;
    case Activation::Kind::kClip:
      return sum.activation.alpha * sum.dst_scale_inverse + zero <= low &&
             sum.activation.beta * sum.dst_scale_inverse + zero >= high;
    default: return false;
  }
}

}  // namespace

dnnl::memory::desc DescribeChannels(int64_t channels, int rank, int channel_dim) {
  Dims dims(rank, 1);
  dims[channel_dim] = channels;
  return Describe(dims, ElementType::kFloat32);
}

Epilogue MakeEpilogue(const EpilogueRequest& request, const int32_t* src_zero_point,
                      const int32_t* dst_zero_point) {
  using dnnl::algorithm;
  const Accumulation& sum = request.sum;
  Epilogue epilogue;
  epilogue.attributes = NewAttributes();
  dnnl::post_ops post_ops;
  const bool integer_dst = request.dst_type != ElementType::kFloat32;
  const dnnl::memory::desc one_float = Describe({1}, ElementType::kFloat32);
  const dnnl::memory::desc one_integer = Describe({1}, ElementType::kInt32);
  const int64_t channels = request.dst.get_dims()[request.channel_dim];

  if (sum.arithmetic == Arithmetic::kStaticInt8) {
    if (sum.src_zero_point != 0) {
      epilogue.attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
      epilogue.operands.push_back(
          {DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, one_integer, src_zero_point});
    }
    const dnnl::memory::desc multiplier =
        DescribeChannels(channels, request.dst.get_ndims(), request.channel_dim);
    epilogue.operands.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_ops.len()) | DNNL_ARG_SRC_1,
                                 multiplier, sum.multiplier.data()});
    post_ops.append_binary(algorithm::binary_mul, multiplier);
  } else if (sum.arithmetic == Arithmetic::kDynamicInt8) {
    epilogue.attributes.set_scales_mask(DNNL_ARG_WEIGHTS, request.weights_scale_mask);
    epilogue.operands.push_back({DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS,
                                 Describe({channels}, ElementType::kFloat32),
                                 sum.multiplier.data()});
    epilogue.attributes.set_scales_mask(DNNL_ARG_SRC, 0);
    epilogue.operands.push_back({DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, one_float, nullptr});
    epilogue.attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
    epilogue.operands.push_back({DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, one_integer, nullptr});
  }

  if (sum.residual && sum.arithmetic == Arithmetic::kFloat) {
    // Float kernels may gather partial sums in dst, so a residual there has to be known to them.
    epilogue.residual = Epilogue::Residual::kInDst;
    post_ops.append_sum();
  } else if (sum.residual) {
    epilogue.residual = Epilogue::Residual::kOperand;
    epilogue.operands.push_back(
        {DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_ops.len()) | DNNL_ARG_SRC_1, request.dst, nullptr});
    post_ops.append_binary(algorithm::binary_add, request.dst);
  }

  if (!integer_dst || !ImpliedBySaturation(sum, request.dst_type)) {
    AppendActivation(sum.activation, post_ops);
  }
  if (integer_dst) {
    if (sum.dst_scale_inverse != 1.0f) {
      post_ops.append_eltwise(algorithm::eltwise_linear, sum.dst_scale_inverse, 0.0f);
    }
    if (sum.dst_zero_point != 0) {
      post_ops.append_eltwise(algorithm::eltwise_round, 0.0f, 0.0f);
      epilogue.attributes.set_zero_points_mask(DNNL_ARG_DST, 0);
      epilogue.operands.push_back(
          {DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, one_integer, dst_zero_point});
    }
  }
  epilogue.attributes.set_post_ops(post_ops);
  return epilogue;
}

bool PairSumsFit(const int8_t* row, int64_t count, int64_t stride, bool aligned) {
  constexpr int kHigh = std::numeric_limits<int16_t>::max() / 255;  // 128
  constexpr int kLow = std::numeric_limits<int16_t>::min() / 255;   // -128
  for (int64_t first = 0; first < count; first += aligned ? 4 : 1) {
    const int64_t end = std::min(first + 4, count);
    for (int64_t i = first; i < end; ++i) {
      for (int64_t j = i + 1; j < end; ++j) {
        const int pair = row[i * stride] + row[j * stride];
        if (pair > kHigh || pair < kLow) return false;
      }
    }
  }
  return true;
}

}  // namespace fourfold::kernels::onednn
