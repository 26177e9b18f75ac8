#include "kernels/reference/accumulate.h"
#include "kernels/reference/geometry.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// Sums for `lanes` output channels of one group. weights: [tap][group_in][channels_out], at the
// first of these channels; src: at the first channel of the group.
template <typename S, typename W, typename Sum>
FOURFOLD_INLINE void SumGroup(const Geometry& g, int64_t position, const S* src, S zero,
                              const W* weights, int64_t lanes, Sum* sum) {
  std::fill_n(sum, kSumLanes, Sum{0});
  ForTaps(g, position, [&](int64_t tap, int64_t at) {
    const S* from = src + at * g.src_position;
    const W* row = weights + tap * g.group_in * g.channels_out;
    for (int64_t c = 0; c < g.group_in; ++c, row += g.channels_out) {
      const auto value = static_cast<W>(from[c * g.src_channel] - zero);
      if (lanes == kSumLanes) {
        for (int64_t i = 0; i < kSumLanes; ++i)
          sum[i] += static_cast<Sum>(value) * static_cast<Sum>(row[i]);
      } else {
        for (int64_t i = 0; i < lanes; ++i)
          sum[i] += static_cast<Sum>(value) * static_cast<Sum>(row[i]);
      }
    }
  });
}

// Depthwise: channel i of dst has channel i of src to itself. weights: [tap][channels].
template <typename S, typename W, typename Sum>
FOURFOLD_INLINE void SumDepthwise(const Geometry& g, int64_t position, const S* src, S zero,
                                  const W* weights, int64_t lanes, Sum* sum) {
  std::fill_n(sum, kSumLanes, Sum{0});
  ForTaps(g, position, [&](int64_t tap, int64_t at) {
    const S* from = src + at * g.src_position;
    const W* row = weights + tap * g.channels_out;
    if (g.src_channel == 1) {
      for (int64_t i = 0; i < lanes; ++i) {
        sum[i] += static_cast<Sum>(static_cast<W>(from[i] - zero)) * static_cast<Sum>(row[i]);
      }
    } else {
      for (int64_t i = 0; i < lanes; ++i) {
        sum[i] += static_cast<Sum>(static_cast<W>(from[i * g.src_channel] - zero)) *
                  static_cast<Sum>(row[i]);
      }
    }
  });
}

struct Block {
  int64_t position;
  int64_t lanes;
  bool depthwise;
};

// One instance for each pair of types, compiled for several instruction sets. The zero point is in
// the range of the source's type; the difference is an int, at most 255 in magnitude.
#define FOURFOLD_SUM(S, W, SUM)                                                                   \
  FOURFOLD_CLONES void SumBlock(const Geometry& g, Block block, const S* src, int32_t zero,       \
                                const W* weights, SUM* sum) {                                     \
    if (block.depthwise) {                                                                        \
      SumDepthwise<S, W, SUM>(g, block.position, src, static_cast<S>(zero), weights, block.lanes, \
                              sum);                                                               \
    } else {                                                                                      \
      SumGroup<S, W, SUM>(g, block.position, src, static_cast<S>(zero), weights, block.lanes,     \
                          sum);                                                                   \
    }                                                                                             \
  }
FOURFOLD_SUM(float, float, float)
FOURFOLD_SUM(uint8_t, int16_t, int32_t)
FOURFOLD_SUM(int8_t, int16_t, int32_t)
#undef FOURFOLD_SUM

template <typename S, typename W, typename Sum>
class Convolution final : public PreparedKernel {
 public:
  Convolution(const ConvolutionSpec& spec, const Geometry& geometry, Packed packed)
      : g_(geometry),
        finish_(spec.sum, spec.dst.type, geometry.channels_out),
        packed_(std::move(packed)),
        depthwise_(g_.group_in == 1 && g_.group_out == 1),
        src_zero_point_(spec.sum.src_zero_point) {}

  std::string_view implementation() const override {
    return depthwise_ ? "reference/depthwise" : "reference/direct";
  }
  size_t packed_bytes() const override { return packed_.bytes; }

  void Run(const RunArgs& args) const override {
    const int64_t width =
        depthwise_ ? g_.channels_out : g_.group_out;  // channels that share a source
    const int64_t parts = (width + kSumLanes - 1) / kSumLanes;
    const int64_t blocks = g_.channels_out / std::max<int64_t>(width, 1) * parts;
    const int64_t work =
        g_.taps() * (depthwise_ ? 1 : g_.group_in) * std::min(width, kSumLanes) / 4;
    const int64_t positions = g_.out_positions();
    ForRange(*args.parallel, g_.batch * blocks * positions, work, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t block = unit / positions % blocks;
        const int64_t first = block % parts * kSumLanes;
        const int64_t channel = block / parts * width + first;
        const Block at{.position = unit % positions,
                       .lanes = std::min(kSumLanes, width - first),
                       .depthwise = depthwise_};
        RunBlock(args, unit / positions / blocks, channel, at);
      }
    });
  }

 private:
  void RunBlock(const RunArgs& args, int64_t image, int64_t channel, Block block) const {
    const bool dynamic = finish_.arithmetic == Arithmetic::kDynamicInt8;
    const QuantParams params =
        dynamic ? Input<QuantParams>(args, 1)[image] : QuantParams{1.0f, src_zero_point_};
    const int64_t src_channel = depthwise_ ? channel : channel / g_.group_out * g_.group_in;
    const S* src = Input<S>(args, 0) + image * g_.src_image + src_channel * g_.src_channel;
    alignas(64) Sum sum[kSumLanes];
    SumBlock(g_, block, src, finish_.arithmetic == Arithmetic::kFloat ? 0 : params.zero_point,
             packed_.as<W>() + channel, sum);
    const float* residual = finish_.residual ? Input<float>(args, dynamic ? 2 : 1) : nullptr;
    finish_.Store(
        sum, channel, block.lanes, params.scale, residual, args.outputs[0],
        image * g_.dst_image + channel * g_.dst_channel + block.position * g_.dst_position,
        g_.dst_channel);
  }

  const Geometry g_;
  const Finish finish_;
  const Packed packed_;
  const bool depthwise_;
  const int32_t src_zero_point_;
};

bool IsConsistent(const ConvolutionSpec& spec) {
  const size_t rank = spec.src.dims.size();
  if (rank < 3 || rank > kSpace + 2 || spec.dst.dims.size() != rank ||
      spec.weights.size() != rank || spec.src.layout != spec.dst.layout ||
      spec.sum.weights == nullptr || spec.groups < 1) {
    return false;
  }
  return spec.weights[0] == spec.dst.dims[1] && spec.weights[0] % spec.groups == 0 &&
         spec.weights[1] * spec.groups == spec.src.dims[1] && spec.src.dims[0] == spec.dst.dims[0];
}

}  // namespace

PreparedPtr PrepareConvolution(const ConvolutionSpec& spec, const PrepareContext& context) {
  if (!IsConsistent(spec)) return nullptr;
  const Geometry g = MakeGeometry(spec);
  const int64_t taps = g.taps();
  if (!IsServed(spec.sum, spec.src.type, spec.dst.type, g.channels_out, taps * g.group_in))
    return nullptr;
  // Stored [O][group_in][tap], packed [tap][group_in][O].
  const auto place = [&g, taps](int64_t i) {
    const int64_t tap = i % taps, c = i / taps % g.group_in, o = i / taps / g.group_in;
    return (tap * g.group_in + c) * g.channels_out + o;
  };
  Packed packed = PackWeights(spec.sum, ElementCount(spec.weights), g.channels_out, "convolution",
                              context, place);
  switch (spec.src.type) {
    case ElementType::kFloat32:
      return std::make_unique<Convolution<float, float, float>>(spec, g, std::move(packed));
    case ElementType::kUint8:
      return std::make_unique<Convolution<uint8_t, int16_t, int32_t>>(spec, g, std::move(packed));
    case ElementType::kInt8:
      return std::make_unique<Convolution<int8_t, int16_t, int32_t>>(spec, g, std::move(packed));
    default: return nullptr;
  }
}

}  // namespace fourfold::kernels::reference
