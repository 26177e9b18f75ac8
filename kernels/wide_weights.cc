#include "kernels/wide_weights.h"

#include <cstring>
#include <string>

#include "kernels/reference/accumulate.h"
#include "kernels/reference/geometry.h"

namespace fourfold::kernels::wide {
namespace {

using reference::ForRange;
using reference::Geometry;
using reference::Input;
using reference::kSumLanes;

// At most one channel in so many is computed twice.
constexpr size_t kChannelsPerRepair = 4;

// One channel to be computed again.
struct Channel {
  int64_t index;
  std::vector<int16_t> weights;  // in the order in which it is summed
  reference::Finish finish;      // for kSumLanes positions of this channel
};

struct Split {
  PackedWeights::Buffer narrow;  // int8, in the order of the original
  size_t bytes = 0;
  std::vector<int64_t> cut;  // channels with a number that int8 does not hold
};

// channel(i): the output channel of the stored element i.
template <typename ChannelOf>
Split SplitWeights(const Accumulation& sum, int64_t count, int64_t channels,
                   const PrepareContext& context, const ChannelOf& channel) {
  Split split;
  std::vector<bool> cut(static_cast<size_t>(channels), false);
  for (int64_t i = 0; i < count; ++i) {
    const int16_t number = reference::IntegerWeight(sum, i, channel(i));
    if (number < -128 || number > 127) cut[static_cast<size_t>(channel(i))] = true;
  }
  for (int64_t o = 0; o < channels; ++o) {
    if (cut[static_cast<size_t>(o)]) split.cut.push_back(o);
  }
  split.bytes = static_cast<size_t>(count);
  const auto pack = [&]() -> PackedWeights::Buffer {
    std::shared_ptr<void> buffer = AllocateAligned(split.bytes);
    for (int64_t i = 0; i < count; ++i) {
      static_cast<int8_t*>(buffer.get())[i] = static_cast<int8_t>(
          std::clamp<int16_t>(reference::IntegerWeight(sum, i, channel(i)), -128, 127));
    }
    return buffer;
  };
  split.narrow =
      context.packed == nullptr || sum.weights_id == 0
          ? pack()
          : context.packed->GetOrPack("wide/" + std::to_string(sum.weights_id), split.bytes, pack);
  return split;
}

// What follows the sum of one channel, for kSumLanes positions side by side.
reference::Finish FinishOf(const Accumulation& sum, ElementType dst_type, int64_t channel) {
  const auto at = static_cast<size_t>(channel);
  const std::vector<float> bias(kSumLanes, sum.bias.empty() ? 0.0f : sum.bias[at]);
  const std::vector<float> multiplier(kSumLanes, sum.multiplier[at]);
  Accumulation one = sum;
  one.bias = bias;
  one.multiplier = multiplier;
  return {one, dst_type, kSumLanes};
}

Accumulation Narrowed(const Accumulation& sum, const Split& split) {
  Accumulation narrow = sum;
  narrow.weights = split.narrow.get();
  narrow.weights_type = ElementType::kInt8;
  narrow.weights_zero_point = {};
  return narrow;
}

template <typename S>
FOURFOLD_INLINE int32_t Dot(const S* src, int64_t step, int32_t zero, const int16_t* weights,
                            int64_t count) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += static_cast<int16_t>(src[i * step] - zero) * static_cast<int32_t>(weights[i]);
  return sum;
}

// The taps of a window inside the image, along one dimension.
struct Taps {
  int64_t first, end;
};

FOURFOLD_INLINE Taps TapsInside(int64_t start, int64_t kernel, int64_t dilation, int64_t size) {
  if (start >= 0 && start + (kernel - 1) * dilation < size) return {0, kernel};
  const int64_t before = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const int64_t inside = size > start ? (size - start + dilation - 1) / dilation : 0;
  return {before, std::min(kernel, inside)};
}

// A row of windows of one channel. src: at the channel's group; weights: [tap][group_in].
struct Row {
  int64_t plane, line;  // where the windows begin along the first two dimensions of space
  Taps planes, lines;
};

// The sum of the window that begins at column `start`. Pixels that are neighbours along the last
// dimension and hold nothing but the group's channels are summed in one stretch.
template <typename S>
FOURFOLD_INLINE int32_t SumWindow(const Geometry& g, const Row& row, int64_t start, const S* src,
                                  int32_t zero, const int16_t* weights) {
  const bool stretch = g.src_channel == 1 && g.src_position == g.group_in && g.dilation[2] == 1;
  const Taps columns = TapsInside(start, g.kernel[2], g.dilation[2], g.in[2]);
  int32_t sum = 0;
  for (int64_t kz = row.planes.first; kz < row.planes.end; ++kz) {
    for (int64_t ky = row.lines.first; ky < row.lines.end; ++ky) {
      const int64_t at =
          ((row.plane + kz * g.dilation[0]) * g.in[1] + row.line + ky * g.dilation[1]) * g.in[2] +
          start;
      const int16_t* w = weights + (kz * g.kernel[1] + ky) * g.kernel[2] * g.group_in;
      if (stretch) {
        sum += Dot<S>(src + (at + columns.first) * g.src_position, 1, zero,
                      w + columns.first * g.group_in, (columns.end - columns.first) * g.group_in);
        continue;
      }
      for (int64_t kx = columns.first; kx < columns.end; ++kx) {
        sum += Dot<S>(src + (at + kx * g.dilation[2]) * g.src_position, g.src_channel, zero,
                      w + kx * g.group_in, g.group_in);
      }
    }
  }
  return sum;
}

// The sums of `count` windows whose columns are all inside, weight by weight: faster than window by
// window where a window holds few weights.
template <typename S>
FOURFOLD_INLINE void SumInside(const Geometry& g, const Row& row, int64_t start, const S* src,
                               int32_t zero, const int16_t* weights, int64_t count, int32_t* sums) {
  const int64_t step = g.stride[2] * g.src_position;
  std::fill_n(sums, count, 0);
  for (int64_t kz = row.planes.first; kz < row.planes.end; ++kz) {
    for (int64_t ky = row.lines.first; ky < row.lines.end; ++ky) {
      const int64_t at =
          ((row.plane + kz * g.dilation[0]) * g.in[1] + row.line + ky * g.dilation[1]) * g.in[2] +
          start;
      const int16_t* w = weights + (kz * g.kernel[1] + ky) * g.kernel[2] * g.group_in;
      for (int64_t kx = 0; kx < g.kernel[2]; ++kx) {
        for (int64_t c = 0; c < g.group_in; ++c, ++w) {
          const S* from = src + (at + kx * g.dilation[2]) * g.src_position + c * g.src_channel;
          const int32_t weight = *w;
          for (int64_t i = 0; i < count; ++i) sums[i] += (from[i * step] - zero) * weight;
        }
      }
    }
  }
}

// sums[i]: at output position first + i.
template <typename S>
FOURFOLD_INLINE void SumWindows(const Geometry& g, const S* src, int32_t zero,
                                const int16_t* weights, int64_t first, int64_t count,
                                int32_t* sums) {
  constexpr int64_t kFew = 32;  // weights of one line of a window
  const bool few = g.kernel[2] * g.group_in < kFew;
  // Outputs [begin, end) of a row have all their columns inside the image.
  const int64_t reach = (g.kernel[2] - 1) * g.dilation[2];
  const int64_t begin = (g.pad[2] + g.stride[2] - 1) / g.stride[2];
  const int64_t last = g.in[2] - 1 - reach + g.pad[2];
  const int64_t end = last < 0 ? 0 : last / g.stride[2] + 1;
  for (int64_t done = 0; done < count;) {
    const int64_t x = (first + done) % g.out[2], y = (first + done) / g.out[2];
    const int64_t n = std::min(count - done, g.out[2] - x);
    Row row{};
    row.plane = y / g.out[1] * g.stride[0] - g.pad[0];
    row.line = y % g.out[1] * g.stride[1] - g.pad[1];
    row.planes = TapsInside(row.plane, g.kernel[0], g.dilation[0], g.in[0]);
    row.lines = TapsInside(row.line, g.kernel[1], g.dilation[1], g.in[1]);
    const int64_t from = few ? std::clamp(begin, x, x + n) : x + n;
    const int64_t to = few ? std::clamp(end, from, x + n) : x + n;
    for (int64_t i = x; i < from; ++i)
      sums[done + i - x] = SumWindow<S>(g, row, i * g.stride[2] - g.pad[2], src, zero, weights);
    SumInside<S>(g, row, from * g.stride[2] - g.pad[2], src, zero, weights, to - from,
                 sums + done + from - x);
    for (int64_t i = to; i < x + n; ++i)
      sums[done + i - x] = SumWindow<S>(g, row, i * g.stride[2] - g.pad[2], src, zero, weights);
    done += n;
  }
}

#define FOURFOLD_SUM(S)                                                                       \
  FOURFOLD_CLONES void SumPositions(const Geometry& g, const S* src, int32_t zero,            \
                                    const int16_t* weights, int64_t first, int64_t count,     \
                                    int32_t* sums) {                                          \
    SumWindows<S>(g, src, zero, weights, first, count, sums);                                 \
  }                                                                                           \
  FOURFOLD_CLONES void SumRows(const S* src, int64_t k, int32_t zero, const int16_t* weights, \
                               int64_t count, int32_t* sums) {                                \
    for (int64_t i = 0; i < count; ++i) sums[i] = Dot<S>(src + i * k, 1, zero, weights, k);   \
  }
FOURFOLD_SUM(uint8_t)
FOURFOLD_SUM(int8_t)
#undef FOURFOLD_SUM

// The product of the narrow weights, then the channels that were cut.
class Repaired : public PreparedKernel {
 public:
  Repaired(Split split, PreparedPtr product, std::vector<Channel> channels, const Accumulation& sum)
      : dynamic_(sum.arithmetic == Arithmetic::kDynamicInt8),
        src_zero_point_(sum.src_zero_point),
        channels_(std::move(channels)),
        split_(std::move(split)),
        product_(std::move(product)) {}

  std::string_view implementation() const override { return product_->implementation(); }
  size_t scratch_bytes() const override { return product_->scratch_bytes(); }
  size_t packed_bytes() const override {
    size_t bytes = split_.bytes + product_->packed_bytes();
    for (const Channel& channel : channels_) bytes += channel.weights.size() * sizeof(int16_t);
    return bytes;
  }

 protected:
  QuantParams ParamsOf(const RunArgs& args, int64_t sample) const {
    return dynamic_ ? Input<QuantParams>(args, 1)[sample] : QuantParams{1.0f, src_zero_point_};
  }

  const bool dynamic_;
  const int32_t src_zero_point_;
  const std::vector<Channel> channels_;
  const Split split_;  // before product_, which borrows the weights
  const PreparedPtr product_;
};

template <typename S>
class Convolution final : public Repaired {
 public:
  Convolution(Split split, PreparedPtr product, std::vector<Channel> channels,
              const Accumulation& sum, const Geometry& geometry)
      : Repaired(std::move(split), std::move(product), std::move(channels), sum), g_(geometry) {}

  void Run(const RunArgs& args) const override {
    product_->Run(args);
    const int64_t positions = g_.out_positions();
    const int64_t blocks = (positions + kSumLanes - 1) / kSumLanes;
    const auto repairs = static_cast<int64_t>(channels_.size());
    ForRange(*args.parallel, g_.batch * repairs * blocks, g_.taps() * g_.group_in * kSumLanes,
             [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t first = unit % blocks * kSumLanes;
                 Repair(args, unit / blocks / repairs,
                        channels_[static_cast<size_t>(unit / blocks % repairs)], first,
                        std::min(kSumLanes, positions - first));
               }
             });
  }

 private:
  void Repair(const RunArgs& args, int64_t image, const Channel& channel, int64_t first,
              int64_t count) const {
    const QuantParams params = ParamsOf(args, image);
    const int64_t group = channel.index / g_.group_out;
    const S* src = Input<S>(args, 0) + image * g_.src_image + group * g_.group_in * g_.src_channel;
    alignas(64) int32_t sums[kSumLanes];
    SumPositions(g_, src, params.zero_point, channel.weights.data(), first, count, sums);
    channel.finish.Store(
        sums, 0, count, params.scale, nullptr, args.outputs[0],
        image * g_.dst_image + channel.index * g_.dst_channel + first * g_.dst_position,
        g_.dst_position);
  }

  const Geometry g_;
};

struct Rows {
  int64_t samples, rows_per_sample, n, k;
};

template <typename S>
class MatMul final : public Repaired {
 public:
  MatMul(Split split, PreparedPtr product, std::vector<Channel> channels, const Accumulation& sum,
         const Rows& rows)
      : Repaired(std::move(split), std::move(product), std::move(channels), sum), rows_(rows) {}

  void Run(const RunArgs& args) const override {
    product_->Run(args);
    const int64_t blocks = (rows_.rows_per_sample + kSumLanes - 1) / kSumLanes;
    const auto repairs = static_cast<int64_t>(channels_.size());
    ForRange(*args.parallel, rows_.samples * repairs * blocks,
             rows_.k * std::min(kSumLanes, rows_.rows_per_sample), [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t first = unit % blocks * kSumLanes;
                 Repair(args, unit / blocks / repairs,
                        channels_[static_cast<size_t>(unit / blocks % repairs)], first,
                        std::min(kSumLanes, rows_.rows_per_sample - first));
               }
             });
  }

 private:
  void Repair(const RunArgs& args, int64_t sample, const Channel& channel, int64_t first,
              int64_t count) const {
    const QuantParams params = ParamsOf(args, sample);
    const int64_t row = sample * rows_.rows_per_sample + first;
    alignas(64) int32_t sums[kSumLanes];
    SumRows(Input<S>(args, 0) + row * rows_.k, rows_.k, params.zero_point, channel.weights.data(),
            count, sums);
    channel.finish.Store(sums, 0, count, params.scale, nullptr, args.outputs[0],
                         row * rows_.n + channel.index, rows_.n);
  }

  const Rows rows_;
};

bool IsWide(const Accumulation& sum, ElementType src, ElementType dst, int64_t channels,
            int64_t length) {
  return sum.arithmetic != Arithmetic::kFloat && !sum.weights_zero_point.empty() &&
         sum.weights != nullptr && !sum.residual &&
         reference::IsServed(sum, src, dst, channels, length);
}

}  // namespace

PreparedPtr PrepareConvolution(const ConvolutionSpec& spec, const PrepareContext& context) {
  const Accumulation& sum = spec.sum;
  if (spec.weights.size() < 3 || spec.weights.size() > reference::kSpace + 2) return nullptr;
  const int64_t channels = spec.weights[0], group_in = spec.weights[1];
  const int64_t count = ElementCount(spec.weights), row = count / std::max<int64_t>(channels, 1);
  if (count == 0 || !IsWide(sum, spec.src.type, spec.dst.type, channels, row)) return nullptr;
  Split split = SplitWeights(sum, count, channels, context, [row](int64_t i) { return i / row; });
  if (split.cut.size() * kChannelsPerRepair > static_cast<size_t>(channels)) return nullptr;
  ConvolutionSpec narrow = spec;
  narrow.sum = Narrowed(sum, split);
  PreparedPtr product = PrepareFirst(ConvolutionKernels(), narrow, context);
  if (product == nullptr) return nullptr;

  const int64_t taps = row / group_in;
  std::vector<Channel> repairs;
  for (int64_t o : split.cut) {
    Channel channel{o, std::vector<int16_t>(static_cast<size_t>(row)),
                    FinishOf(sum, spec.dst.type, o)};
    for (int64_t i = 0; i < row; ++i) {  // stored [group_in][tap]
      channel.weights[static_cast<size_t>(i % taps * group_in + i / taps)] =
          reference::IntegerWeight(sum, o * row + i, o);
    }
    repairs.push_back(std::move(channel));
  }
  const Geometry g = reference::MakeGeometry(spec);
  if (spec.src.type == ElementType::kUint8) {
    return std::make_unique<Convolution<uint8_t>>(std::move(split), std::move(product),
                                                  std::move(repairs), sum, g);
  }
  return std::make_unique<Convolution<int8_t>>(std::move(split), std::move(product),
                                               std::move(repairs), sum, g);
}

PreparedPtr PrepareMatMul(const MatMulSpec& spec, const PrepareContext& context) {
  const Accumulation& sum = spec.sum;
  const int64_t n = spec.n, k = spec.k, rows = spec.lhs_batch * spec.m;
  if (n <= 0 || k <= 0 || rows <= 0 || spec.rhs_batch != 1 || spec.transpose_lhs ||
      !IsWide(sum, spec.src_type, spec.dst_type, n, k)) {
    return nullptr;
  }
  const bool dynamic = sum.arithmetic == Arithmetic::kDynamicInt8;
  const int64_t samples = dynamic ? spec.samples : 1;
  if (samples < 1 || rows % samples != 0) return nullptr;
  const bool transposed = spec.transpose_rhs;
  Split split =
      SplitWeights(sum, n * k, n, context, [=](int64_t i) { return transposed ? i / k : i % n; });
  if (split.cut.size() * kChannelsPerRepair > static_cast<size_t>(n)) return nullptr;
  MatMulSpec narrow = spec;
  narrow.sum = Narrowed(sum, split);
  PreparedPtr product = PrepareFirst(MatMulKernels(), narrow, context);
  if (product == nullptr) return nullptr;

  std::vector<Channel> repairs;
  for (int64_t o : split.cut) {
    Channel channel{o, std::vector<int16_t>(static_cast<size_t>(k)),
                    FinishOf(sum, spec.dst_type, o)};
    for (int64_t i = 0; i < k; ++i) {
      channel.weights[static_cast<size_t>(i)] =
          reference::IntegerWeight(sum, transposed ? o * k + i : i * n + o, o);
    }
    repairs.push_back(std::move(channel));
  }
  const Rows split_rows{samples, rows / samples, n, k};
  if (spec.src_type == ElementType::kUint8) {
    return std::make_unique<MatMul<uint8_t>>(std::move(split), std::move(product),
                                             std::move(repairs), sum, split_rows);
  }
  return std::make_unique<MatMul<int8_t>>(std::move(split), std::move(product), std::move(repairs),
                                          sum, split_rows);
}

}  // namespace fourfold::kernels::wide
