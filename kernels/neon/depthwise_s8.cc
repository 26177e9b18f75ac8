#include <arm_neon.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "kernels/neon/bytes.h"
#include "kernels/neon/finish_s8.h"
#include "kernels/neon/indirection_s8.h"
#include "kernels/neon/neon.h"
#include "kernels/neon/parts.h"
#include "kernels/neon/product_s8.h"
#include "kernels/neon/weights_s8.h"

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kLanes = 16;            // channels in a register
constexpr int64_t kStretchChannels = 64;  // summed before they are finished
constexpr int64_t kAlignment = 64;

constexpr int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

struct SixteenSums {
  int32x4_t quad[4];
};

FOURFOLD_LOCAL void Widen(int16x8_t low, int16x8_t high, SixteenSums& sums) {
  sums.quad[0] = vaddw_s16(sums.quad[0], vget_low_s16(low));
  sums.quad[1] = vaddw_high_s16(sums.quad[1], low);
  sums.quad[2] = vaddw_s16(sums.quad[2], vget_low_s16(high));
  sums.quad[3] = vaddw_high_s16(sums.quad[3], high);
}

// Sums of 16 channels over all taps. load(tap) gives their source bytes, made signed; weights are
// [taps][16]. Products of two taps are added in 16 bits (SMULL, SMLAL), then widened (SADDW).
template <typename Load>
FOURFOLD_LOCAL void SumSixteen(int64_t taps, const int8_t* weights, const Load& load, int32_t* to) {
  SixteenSums sums;
  for (int32x4_t& quad : sums.quad) quad = vdupq_n_s32(0);
  int64_t tap = 0;
  for (; tap + 2 <= taps; tap += 2, weights += 2 * kLanes) {
    const int8x16_t s0 = load(tap), w0 = vld1q_s8(weights);
    const int8x16_t s1 = load(tap + 1), w1 = vld1q_s8(weights + kLanes);
    const int16x8_t low = vmull_s8(vget_low_s8(s0), vget_low_s8(w0));
    const int16x8_t high = vmull_high_s8(s0, w0);
    Widen(vmlal_s8(low, vget_low_s8(s1), vget_low_s8(w1)), vmlal_high_s8(high, s1, w1), sums);
  }
  if (tap < taps) {
    const int8x16_t s = load(tap), w = vld1q_s8(weights);
    Widen(vmull_s8(vget_low_s8(s), vget_low_s8(w)), vmull_high_s8(s, w), sums);
  }
  for (int64_t q = 0; q < 4; ++q) vst1q_s32(to + 4 * q, sums.quad[q]);
}

// sums[c] = sum over taps t of signed(rows[t][first + c]) * weights, for channels [first, end).
// `Taps` is their number, or 0 for any: constant numbers let the compiler unroll.
template <int64_t Taps>
void SumChannels(const uint8_t* const* rows, int64_t any_taps, int64_t first, int64_t end,
                 const int8_t* weights, uint8_t flip_byte, int32_t* sums) {
  const int64_t taps = Taps == 0 ? any_taps : Taps;
  const uint8x16_t flip = vdupq_n_u8(flip_byte);
  for (int64_t c = first; c < end; c += kLanes, sums += kLanes) {
    const int8_t* const of_channels = weights + c * taps;
    if (end - c >= kLanes) {
      SumSixteen(
          taps, of_channels,
          [&](int64_t tap)
              __attribute__((always_inline)) { return Signed(vld1q_u8(rows[tap] + c), flip); },
          sums);
    } else {
      SumSixteen(
          taps, of_channels,
          [&](int64_t tap) __attribute__((always_inline)) {
            return Signed(LoadPart(rows[tap] + c, end - c), flip);
          },
          sums);
    }
  }
}

class DepthwiseS8 final : public PreparedKernel {
 public:
  DepthwiseS8(const ConvolutionSpec& spec, const Window& window, DepthwiseWeightsS8 weights,
              int threads)
      : window_(window),
        indirection_(window),
        weights_(std::move(weights)),
        finish_(spec.sum, spec.src.type, spec.dst.type, window.channels_out),
        threads_(threads),
        dst_size_(ElementSize(spec.dst.type)),
        dynamic_(spec.sum.arithmetic == Arithmetic::kDynamicInt8),
        residual_(spec.sum.residual),
        src_zero_point_(spec.sum.src_zero_point),
        sum_(window.taps() == 9    ? &SumChannels<9>
             : window.taps() == 25 ? &SumChannels<25>
                                   : &SumChannels<0>) {}

  std::string_view implementation() const override { return "neon/depthwise_s8"; }
  size_t packed_bytes() const override { return weights_.bytes; }
  size_t scratch_bytes() const override { return static_cast<size_t>(threads_ * slice_bytes()); }

  void Run(const RunArgs& args) const override {
    ForParts(*args.parallel, threads_, window_.batch * window_.out_positions(),
             window_.channels_out * window_.taps(), [&](int64_t part, int64_t begin, int64_t end) {
               auto* const slice = static_cast<std::byte*>(args.scratch) + part * slice_bytes();
               for (int64_t position = begin; position < end; ++position) {
                 RunPosition(args, position, slice);
               }
             });
  }

 private:
  // One thread's scratch: pointers of a position, then a pixel of padding.
  int64_t pointer_bytes() const {
    return RoundUp(window_.taps() * static_cast<int64_t>(sizeof(const uint8_t*)), kAlignment);
  }
  int64_t slice_bytes() const { return pointer_bytes() + RoundUp(window_.channels_in, kAlignment); }

  // `position` counts through all images.
  void RunPosition(const RunArgs& args, int64_t position, std::byte* slice) const {
    const int64_t image = position / window_.out_positions();
    const int64_t channels = window_.channels_out;
    const QuantParams params = dynamic_ ? static_cast<const QuantParams*>(args.inputs[1])[image]
                                        : QuantParams{1.0f, src_zero_point_};
    auto** const rows = reinterpret_cast<const uint8_t**>(slice);
    auto* const padding = reinterpret_cast<uint8_t*>(slice + pointer_bytes());
    std::memset(padding, static_cast<uint8_t>(params.zero_point), static_cast<size_t>(channels));
    const auto* const src =
        static_cast<const uint8_t*>(args.inputs[0]) + image * window_.in_positions() * channels;
    indirection_.Point(src, padding, position % window_.out_positions(), 1, rows);
    const float* residual = nullptr;
    if (residual_) {
      residual = static_cast<const float*>(args.inputs[dynamic_ ? 2 : 1]) + position * channels;
    }
    auto* const dst = static_cast<std::byte*>(args.outputs[0]) +
                      static_cast<size_t>(position * channels) * dst_size_;
    alignas(64) int32_t sums[kStretchChannels];
    for (int64_t first = 0; first < channels; first += kStretchChannels) {
      const int64_t end = std::min(first + kStretchChannels, channels);
      sum_(rows, window_.taps(), first, end, weights_.values(), finish_.flip(), sums);
      finish_.Store({.sums = sums,
                     .weight_sums = weights_.sums() + first,
                     .channel = first,
                     .count = end - first,
                     .src = params,
                     .residual = residual == nullptr ? nullptr : residual + first,
                     .dst = dst + static_cast<size_t>(first) * dst_size_});
    }
  }

  const Window window_;
  const IndirectionS8 indirection_;
  const DepthwiseWeightsS8 weights_;
  const FinishS8 finish_;
  const int threads_;
  const size_t dst_size_;
  const bool dynamic_;
  const bool residual_;
  const int32_t src_zero_point_;
  decltype(&SumChannels<0>) const sum_;
};

}  // namespace

PreparedPtr PrepareDepthwiseS8(const ConvolutionSpec& spec, const PrepareContext& context) {
  if (!IsChannelsLast(spec)) return nullptr;
  const Window window = Window::Of(spec);
  if (!window.depthwise() ||
      !IsServedS8(spec.sum, spec.src.type, spec.dst.type, window.channels_out, window.taps())) {
    return nullptr;
  }
  DepthwiseWeightsS8 weights =
      PackDepthwiseS8(spec.sum, window.channels_out, window.taps(), context);
  if (weights.buffer == nullptr) return nullptr;
  return std::make_unique<DepthwiseS8>(spec, window, std::move(weights), context.threads);
}

}  // namespace fourfold::kernels::neon
