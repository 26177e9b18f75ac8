#include "kernels/reference/integer.h"

#include "kernels/reference/geometry.h"

namespace fourfold::kernels::reference {
namespace {

constexpr int64_t kLanes = 64;

// Zero point i of an operand; 0 without any.
template <typename T>
int32_t ZeroPoint(const RunArgs& args, size_t input, int64_t count, int64_t i) {
  if (count == 0 || args.inputs.size() <= input || args.inputs[input] == nullptr) return 0;
  return Input<T>(args, input)[count == 1 ? 0 : i];
}

// Products are added as unsigned numbers, whose overflow is defined.
FOURFOLD_INLINE uint32_t Times(int32_t a, int32_t b) {
  return static_cast<uint32_t>(a) * static_cast<uint32_t>(b);
}

template <typename S, typename W>
PreparedPtr MakeConvolution(const IntegerConvolutionSpec& spec) {
  ConvolutionSpec shape;
  shape.src = spec.src;
  shape.dst = spec.dst;
  shape.weights = spec.weights.dims;
  shape.groups = spec.groups;
  shape.strides = spec.strides;
  shape.dilations = spec.dilations;
  shape.pads_begin = spec.pads_begin;
  const Geometry g = MakeGeometry(shape);
  return MakeKernel("reference/direct", [g, zeros = spec.weights_zero_points](const RunArgs& args) {
    const int64_t positions = g.out_positions(), taps = g.taps();
    const auto src_zero = ZeroPoint<S>(args, 2, 1, 0);
    ForRange(*args.parallel, g.batch * g.channels_out * positions, taps * g.group_in,
             [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t o = unit / positions % g.channels_out;
                 const int64_t image = unit / positions / g.channels_out;
                 const auto zero = ZeroPoint<W>(args, 3, zeros, o);
                 const S* src = Input<S>(args, 0) + image * g.src_image +
                                o / g.group_out * g.group_in * g.src_channel;
                 const W* weights = Input<W>(args, 1) + o * g.group_in * taps;
                 uint32_t sum = 0;
                 ForTaps(g, unit % positions, [&](int64_t tap, int64_t at) {
                   for (int64_t c = 0; c < g.group_in; ++c) {
                     sum += Times(src[c * g.src_channel + at] - src_zero,
                                  weights[c * taps + tap] - zero);
                   }
                 });
                 Output<int32_t>(args)[unit] = static_cast<int32_t>(sum);
               }
             });
  });
}

struct Product {
  int64_t m, n, k;
  int64_t lhs_zeros, rhs_zeros;
  Dims batch;
  std::vector<int64_t> lhs_strides, rhs_strides;  // of the batch dimensions, in matrices
};

template <typename L, typename R>
PreparedPtr MakeMatMul(const Product& p) {
  return MakeKernel("reference/direct", [p](const RunArgs& args) {
    const int64_t blocks = (p.n + kLanes - 1) / kLanes;
    ForRange(*args.parallel, ElementCount(p.batch) * p.m * blocks, p.k * std::min(p.n, kLanes) / 4,
             [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t column = unit % blocks * kLanes;
                 const int64_t row = unit / blocks % p.m;
                 const int64_t matrix = unit / blocks / p.m;
                 const Odometer<2> at(p.batch.data(), p.batch.size(),
                                      {p.lhs_strides.data(), p.rhs_strides.data()}, matrix);
                 const L* lhs = Input<L>(args, 0) + (at.offset(0) * p.m + row) * p.k;
                 const R* rhs = Input<R>(args, 1) + at.offset(1) * p.k * p.n + column;
                 const int64_t lanes = std::min(kLanes, p.n - column);
                 const int32_t lhs_zero = ZeroPoint<L>(args, 2, p.lhs_zeros, row);
                 int32_t rhs_zero[kLanes];
                 for (int64_t i = 0; i < lanes; ++i)
                   rhs_zero[i] = ZeroPoint<R>(args, 3, p.rhs_zeros, column + i);
                 uint32_t sums[kLanes] = {};
                 for (int64_t k = 0; k < p.k; ++k, rhs += p.n) {
                   const int32_t left = lhs[k] - lhs_zero;
                   for (int64_t i = 0; i < lanes; ++i) sums[i] += Times(left, rhs[i] - rhs_zero[i]);
                 }
                 int32_t* dst = Output<int32_t>(args) + (matrix * p.m + row) * p.n + column;
                 for (int64_t i = 0; i < lanes; ++i) dst[i] = static_cast<int32_t>(sums[i]);
               }
             });
  });
}

// Distances between matrices along the dimensions of `batch`; 0 where `own` is broadcast.
std::vector<int64_t> BatchStrides(const Dims& own, const Dims& batch) {
  std::vector<int64_t> strides = Strides(own, Layout::kRowMajor);
  for (size_t d = 0; d < own.size(); ++d) {
    if (own[d] == 1 && batch[d] != 1) strides[d] = 0;
  }
  return strides;
}

}  // namespace

PreparedPtr PrepareIntegerConvolution(const IntegerConvolutionSpec& spec, const PrepareContext&) {
  const size_t rank = spec.src.dims.size();
  const Dims& filter = spec.weights.dims;
  if (rank < 3 || rank > kSpace + 2 || filter.size() != rank || spec.dst.dims.size() != rank ||
      spec.groups < 1 || spec.dst.type != ElementType::kInt32 || !IsInteger8(spec.src.type) ||
      !IsInteger8(spec.weights.type) || spec.src.layout != Layout::kRowMajor ||
      spec.dst.layout != Layout::kRowMajor || filter[0] % spec.groups != 0 ||
      filter[0] != spec.dst.dims[1] || filter[1] * spec.groups != spec.src.dims[1] ||
      (spec.weights_zero_points > 1 && spec.weights_zero_points != filter[0])) {
    return nullptr;
  }
  const bool u8 = spec.src.type == ElementType::kUint8;
  if (spec.weights.type == ElementType::kUint8) {
    return u8 ? MakeConvolution<uint8_t, uint8_t>(spec) : MakeConvolution<int8_t, uint8_t>(spec);
  }
  return u8 ? MakeConvolution<uint8_t, int8_t>(spec) : MakeConvolution<int8_t, int8_t>(spec);
}

PreparedPtr PrepareIntegerMatMul(const IntegerMatMulSpec& spec, const PrepareContext&) {
  const size_t rank = spec.lhs_batch.size();
  if (spec.rhs_batch.size() != rank || rank > kMaxRank || !IsInteger8(spec.lhs_type) ||
      !IsInteger8(spec.rhs_type) || (spec.lhs_zero_points > 1 && spec.lhs_zero_points != spec.m) ||
      (spec.rhs_zero_points > 1 && spec.rhs_zero_points != spec.n)) {
    return nullptr;
  }
  Product p{spec.m, spec.n, spec.k, spec.lhs_zero_points, spec.rhs_zero_points, {}, {}, {}};
  for (size_t d = 0; d < rank; ++d) {
    const int64_t lhs = spec.lhs_batch[d], rhs = spec.rhs_batch[d];
    if (lhs != rhs && lhs != 1 && rhs != 1) return nullptr;
    p.batch.push_back(lhs == 1 ? rhs : lhs);
  }
  p.lhs_strides = BatchStrides(spec.lhs_batch, p.batch);
  p.rhs_strides = BatchStrides(spec.rhs_batch, p.batch);
  const bool u8 = spec.lhs_type == ElementType::kUint8;
  if (spec.rhs_type == ElementType::kUint8) {
    return u8 ? MakeMatMul<uint8_t, uint8_t>(p) : MakeMatMul<int8_t, uint8_t>(p);
  }
  return u8 ? MakeMatMul<uint8_t, int8_t>(p) : MakeMatMul<int8_t, int8_t>(p);
}

}  // namespace fourfold::kernels::reference
