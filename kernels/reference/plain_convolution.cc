#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

constexpr size_t kSpace = 3;  // spatial dimensions, missing ones have length 1

using Space = std::array<int64_t, kSpace>;

Space FromBack(const Dims& dims, size_t skip, int64_t missing) {
  Space space;
  space.fill(missing);
  const size_t count = dims.size() - skip;
  for (size_t d = 0; d < count; ++d) space[kSpace - count + d] = dims[skip + d];
  return space;
}

// The pairs of a source and a destination index that one tap joins: count of them, from a first one
// on, a step apart.
struct Pairs {
  int64_t count = 0;
  int64_t src = 0, src_step = 1;
  int64_t dst = 0, dst_step = 1;
};

// All pairs with other = index * stride + offset, index in [0, indices), other in [0, others).
Pairs Join(int64_t indices, int64_t others, int64_t stride, int64_t offset, bool transposed) {
  const int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const int64_t past = offset >= others ? 0 : (others - offset + stride - 1) / stride;
  Pairs pairs;
  pairs.count = std::max<int64_t>(0, std::min(past, indices) - first);
  pairs.dst = first;
  pairs.src = first * stride + offset;
  pairs.src_step = stride;
  if (transposed) {
    std::swap(pairs.src, pairs.dst);
    std::swap(pairs.src_step, pairs.dst_step);
  }
  return pairs;
}

FOURFOLD_CLONES void AddScaled(const Pairs& x, float weight, const float* src, float* dst) {
  src += x.src;
  dst += x.dst;
  if (x.src_step == 1 && x.dst_step == 1) {
    for (int64_t i = 0; i < x.count; ++i) dst[i] += weight * src[i];
    return;
  }
  for (int64_t i = 0; i < x.count; ++i) dst[i * x.dst_step] += weight * src[i * x.src_step];
}

struct Plain {
  bool transposed;
  int64_t batch, groups, group_in, group_out;
  Space in, out, kernel;
  Activation activation;
  std::array<std::vector<Pairs>, kSpace> pairs;  // by dimension and index of the tap in it

  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }

  // Adds one channel of the source under one channel's weights, [taps].
  void AddChannel(const float* src, const float* weights, float* dst) const {
    for (const Pairs& z : pairs[0]) {
      for (const Pairs& y : pairs[1]) {
        for (const Pairs& x : pairs[2]) {
          const float weight = *weights++;
          for (int64_t i = 0; i < z.count; ++i) {
            const int64_t src_plane = (z.src + i * z.src_step) * in[1];
            const int64_t dst_plane = (z.dst + i * z.dst_step) * out[1];
            for (int64_t j = 0; j < y.count; ++j) {
              AddScaled(x, weight, src + (src_plane + y.src + j * y.src_step) * in[2],
                        dst + (dst_plane + y.dst + j * y.dst_step) * out[2]);
            }
          }
        }
      }
    }
  }

  void Finish(const float* residual, int64_t count, float* dst) const {
    for (int64_t i = 0; residual != nullptr && i < count; ++i) dst[i] += residual[i];
    if (activation.kind == Activation::Kind::kNone) return;
    for (int64_t i = 0; i < count; ++i) dst[i] = Activate(activation, dst[i]);
  }

  void operator()(const RunArgs& args) const {
    const float* src = Input<float>(args, 0);
    const float* weights = Input<float>(args, 1);
    const float* bias = args.inputs.size() > 2 ? Input<float>(args, 2) : nullptr;
    const float* residual = args.inputs.size() > 3 ? Input<float>(args, 3) : nullptr;
    float* dst = Output<float>(args);
    const int64_t in_size = in[0] * in[1] * in[2], out_size = out[0] * out[1] * out[2];
    const int64_t channels = groups * group_out;
    const int64_t work = group_in * taps() * (transposed ? in_size : out_size) / 8;
    ForRange(*args.parallel, batch * channels, work, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t o = unit % channels, group = o / group_out;
        float* to = dst + unit * out_size;
        std::fill_n(to, out_size, bias == nullptr ? 0.0f : bias[o]);
        for (int64_t c = 0; c < group_in; ++c) {
          const int64_t channel = group * group_in + c;
          const int64_t row = transposed ? channel * group_out + o % group_out : o * group_in + c;
          AddChannel(src + (unit / channels * groups * group_in + channel) * in_size,
                     weights + row * taps(), to);
        }
        Finish(residual == nullptr ? nullptr : residual + unit * out_size, out_size, to);
      }
    });
  }
};

bool IsConsistent(const PlainConvolutionSpec& spec) {
  const size_t rank = spec.src.dims.size();
  if (rank < 3 || rank > kSpace + 2 || spec.dst.dims.size() != rank ||
      spec.weights.dims.size() != rank || spec.groups < 1 || spec.strides.size() != rank - 2 ||
      spec.dilations.size() != rank - 2 || spec.pads_begin.size() != rank - 2) {
    return false;
  }
  for (const TensorSpec* tensor : {&spec.src, &spec.weights, &spec.dst}) {
    if (tensor->type != ElementType::kFloat32 || tensor->layout != Layout::kRowMajor) return false;
  }
  const Dims& weights = spec.weights.dims;
  const int64_t in = spec.transposed ? weights[0] : weights[1] * spec.groups;
  const int64_t out = spec.transposed ? weights[1] * spec.groups : weights[0];
  return spec.src.dims[0] == spec.dst.dims[0] && spec.src.dims[1] == in &&
         spec.dst.dims[1] == out && in % spec.groups == 0 && out % spec.groups == 0;
}

}  // namespace

PreparedPtr PreparePlainConvolution(const PlainConvolutionSpec& spec, const PrepareContext&) {
  if (!IsConsistent(spec)) return nullptr;
  Plain plain{.transposed = spec.transposed,
              .batch = spec.src.dims[0],
              .groups = spec.groups,
              .group_in = spec.src.dims[1] / spec.groups,
              .group_out = spec.dst.dims[1] / spec.groups,
              .in = FromBack(spec.src.dims, 2, 1),
              .out = FromBack(spec.dst.dims, 2, 1),
              .kernel = FromBack(spec.weights.dims, 2, 1),
              .activation = spec.activation,
              .pairs = {}};
  const Space stride = FromBack(spec.strides, 0, 1), dilation = FromBack(spec.dilations, 0, 1),
              pad = FromBack(spec.pads_begin, 0, 0);
  for (size_t d = 0; d < kSpace; ++d) {
    const int64_t indices = spec.transposed ? plain.in[d] : plain.out[d];
    const int64_t others = spec.transposed ? plain.out[d] : plain.in[d];
    for (int64_t k = 0; k < plain.kernel[d]; ++k) {
      plain.pairs[d].push_back(
          Join(indices, others, stride[d], k * dilation[d] - pad[d], spec.transposed));
    }
  }
  return MakeKernel(spec.transposed ? "reference/transposed" : "reference/plain", std::move(plain));
}

}  // namespace fourfold::kernels::reference
