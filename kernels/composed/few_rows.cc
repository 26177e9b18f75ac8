#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/composed/composed.h"
#include "kernels/composed/dot_vnni.h"
#include "kernels/reference/loops.h"

namespace fourfold::kernels::composed {
namespace {

using reference::ForRange;

constexpr int64_t kLanes = 16;
constexpr int64_t kColumns = 64;  // of a block: its sums stay in registers

// Sixteen floats: one register, or several narrower ones.
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(64)));

// Columns are packed in blocks of 64, the last one of what remains in whole lanes.
constexpr int64_t RoundUp(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }
constexpr int64_t Width(int64_t n, int64_t block) {
  return std::min(kColumns, RoundUp(n, kLanes) - block * kColumns);
}

// sum = src * weights, of `kGroups` lanes of columns: weights[j][group].
template <int kGroups>
FOURFOLD_INLINE void SumGroups(const float* src, const Lanes* weights, int64_t k, float* sum) {
  Lanes total[kGroups] = {};
  for (int64_t j = 0; j < k; ++j) {
    const Lanes value = Lanes{} + src[j];
    for (int g = 0; g < kGroups; ++g) total[g] += value * weights[j * kGroups + g];
  }
  std::memcpy(sum, total, sizeof(total));
}

FOURFOLD_CLONES void SumBlock(const float* src, const float* packed, int64_t k, int64_t width,
                              float* sum) {
  const auto* weights = reinterpret_cast<const Lanes*>(packed);
  switch (width / kLanes) {
    case 1: return SumGroups<1>(src, weights, k, sum);
    case 2: return SumGroups<2>(src, weights, k, sum);
    case 3: return SumGroups<3>(src, weights, k, sum);
    default: return SumGroups<4>(src, weights, k, sum);
  }
}

float WeightAt(const Accumulation& sum, int64_t i) {
  return sum.weights_type == ElementType::kFloat16
             ? HalfToFloat(static_cast<const uint16_t*>(sum.weights)[i])
             : static_cast<const float*>(sum.weights)[i];
}

PackedWeights::Buffer Share(const MatMulSpec& spec, const PrepareContext& context,
                            const char* format, size_t bytes,
                            const std::function<PackedWeights::Buffer()>& pack) {
  if (context.packed == nullptr || spec.sum.weights_id == 0) return pack();
  return context.packed->GetOrPack(
      "composed/" + std::string(format) + "/" + std::to_string(spec.sum.weights_id), bytes, pack);
}

PreparedPtr PrepareFloat(const MatMulSpec& spec, const PrepareContext& context) {
  const int64_t n = spec.n, k = spec.k;
  const size_t bytes = static_cast<size_t>(RoundUp(n, kLanes) * k) * sizeof(float);
  PackedWeights::Buffer packed = Share(spec, context, "float", bytes, [&] {
    std::shared_ptr<void> buffer = AllocateAligned(bytes);
    auto* const to = static_cast<float*>(buffer.get());
    std::fill_n(to, RoundUp(n, kLanes) * k, 0.0f);
    for (int64_t column = 0; column < n; ++column) {
      const int64_t block = column / kColumns;
      float* const first = to + block * kColumns * k + column % kColumns;
      for (int64_t j = 0; j < k; ++j)
        first[j * Width(n, block)] = WeightAt(spec.sum, column * k + j);
    }
    return PackedWeights::Buffer(buffer);
  });
  return reference::MakeKernel(
      "composed/few_rows",
      [packed = std::move(packed), n, k, m = spec.m](const RunArgs& args) {
        const auto* src = reference::Input<float>(args, 0);
        auto* dst = reference::Output<float>(args);
        const auto* weights = static_cast<const float*>(packed.get());
        const auto blocks = [=](int64_t begin, int64_t end) {
          for (int64_t block = begin; block < end; ++block) {
            const int64_t column = block * kColumns;
            alignas(64) float sum[kColumns];
            for (int64_t row = 0; row < m; ++row) {
              SumBlock(src + row * k, weights + column * k, k, Width(n, block), sum);
              std::copy_n(sum, std::min(kColumns, n - column), dst + row * n + column);
            }
          }
        };
        ForRange(*args.parallel, (n + kColumns - 1) / kColumns, m * k * kColumns / kLanes, blocks);
      },
      0, bytes);
}

// What both kinds of 8-bit arithmetic need beside the packed weights.
struct IntegerRows {
  int64_t m, n, k;
  bool dynamic;
  int32_t zero_point;  // static
  bool is_signed;      // src
  std::vector<float> multiplier;
  std::vector<int32_t> column_sums;
  PackedWeights::Buffer packed;

  void Run(const RunArgs& args) const {
    const auto* src = reference::Input<uint8_t>(args, 0);
    const auto* params = dynamic ? reference::Input<QuantParams>(args, 1) : nullptr;
    auto* dst = reference::Output<float>(args);
    const auto blocks = [=, this](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t column = block * kColumns;
        const auto* weights = static_cast<const int8_t*>(packed.get()) + column * RoundUp(k, 4);
        alignas(64) int32_t sum[kColumns];
        for (int64_t row = 0; row < m; ++row) {
          DotVnni(src + row * k, is_signed, weights, k, Width(n, block) / kLanes, sum);
          const QuantParams own = dynamic ? params[row] : QuantParams{1.0f, zero_point};
          Finish(sum, column, own, dst + row * n + column);
        }
      }
    };
    ForRange(*args.parallel, (n + kColumns - 1) / kColumns, m * k * kColumns / (4 * kLanes),
             blocks);
  }

  void Finish(const int32_t* sum, int64_t column, QuantParams params, float* dst) const {
    const int64_t count = std::min(kColumns, n - column);
    const int32_t zero = params.zero_point + (is_signed ? 128 : 0);
    for (int64_t i = 0; i < count; ++i) {
      // Wraps around as the sum does; the difference fits.
      const auto exact = static_cast<int32_t>(static_cast<uint32_t>(sum[i]) -
                                              static_cast<uint32_t>(zero) *
                                                  static_cast<uint32_t>(column_sums[column + i]));
      dst[i] = static_cast<float>(exact) * (params.scale * multiplier[column + i]);
    }
  }
};

PreparedPtr PrepareInteger(const MatMulSpec& spec, const PrepareContext& context) {
  IntegerRows rows;
  rows.m = spec.m;
  rows.n = spec.n;
  rows.k = spec.k;
  rows.dynamic = spec.sum.arithmetic == Arithmetic::kDynamicInt8;
  rows.zero_point = spec.sum.src_zero_point;
  rows.is_signed = spec.src_type == ElementType::kInt8;
  rows.multiplier.assign(spec.sum.multiplier.begin(), spec.sum.multiplier.end());
  rows.column_sums.assign(spec.n, 0);
  const auto* from = static_cast<const int8_t*>(spec.sum.weights);
  for (int64_t column = 0; column < spec.n; ++column) {
    for (int64_t j = 0; j < spec.k; ++j) rows.column_sums[column] += from[column * spec.k + j];
  }
  const int64_t depth = RoundUp(spec.k, 4);
  const auto bytes = static_cast<size_t>(RoundUp(spec.n, kLanes) * depth);
  rows.packed = Share(spec, context, "vnni", bytes, [&] {
    std::shared_ptr<void> buffer = AllocateAligned(bytes);
    auto* const to = static_cast<int8_t*>(buffer.get());
    std::fill_n(to, bytes, int8_t{0});
    for (int64_t column = 0; column < spec.n; ++column) {
      const int64_t block = column / kColumns, width = Width(spec.n, block);
      int8_t* const first = to + block * kColumns * depth + column % kColumns * 4;
      for (int64_t j = 0; j < spec.k; ++j)
        first[j / 4 * width * 4 + j % 4] = from[column * spec.k + j];
    }
    return PackedWeights::Buffer(buffer);
  });
  return reference::MakeKernel(
      "composed/few_rows_vnni", [rows = std::move(rows)](const RunArgs& args) { rows.Run(args); },
      0, bytes);
}

}  // namespace

PreparedPtr PrepareFewRows(const MatMulSpec& spec, const PrepareContext& context) {
  const Accumulation& sum = spec.sum;
  if (sum.weights == nullptr || !spec.transpose_rhs || spec.transpose_lhs || spec.lhs_batch != 1 ||
      spec.rhs_batch != 1 || spec.m < 1 || spec.m > kFewRows || spec.n < 1 || spec.k < 1 ||
      !sum.bias.empty() || sum.residual || sum.activation.kind != Activation::Kind::kNone ||
      spec.dst_type != ElementType::kFloat32) {
    return nullptr;
  }
  if (sum.arithmetic == Arithmetic::kFloat) {
    if (spec.src_type != ElementType::kFloat32) return nullptr;
    if (sum.weights_type != ElementType::kFloat32 && sum.weights_type != ElementType::kFloat16)
      return nullptr;
    return PrepareFloat(spec, context);
  }
  if (!HasDotVnni(context.features) || sum.weights_type != ElementType::kInt8 ||
      !reference::IsInteger8(spec.src_type) || spec.k > kMaxExactSum ||
      static_cast<int64_t>(sum.multiplier.size()) != spec.n) {
    return nullptr;
  }
  if (sum.arithmetic == Arithmetic::kDynamicInt8 && spec.samples != spec.m) return nullptr;
  return PrepareInteger(spec, context);
}

}  // namespace fourfold::kernels::composed
