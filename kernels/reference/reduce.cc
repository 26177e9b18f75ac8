#include <cmath>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

constexpr int64_t kLanes = 64;

struct Dimension {
  int64_t size, src, dst;
};

// src in memory order, split into what is kept and what is summed away. `lanes` is the innermost
// dimension, either kind, worked on kLanes neighbours at a time.
struct Walk {
  std::vector<int64_t> kept, kept_src, kept_dst;
  std::vector<int64_t> reduced, reduced_src;
  Dimension lanes{1, 1, 0};
  bool lanes_reduced = false;
  int64_t outputs = 1;  // of `kept`
  int64_t rows = 1;     // of `reduced`
  int64_t count = 1;    // elements behind one output
};

Walk MakeWalk(const ReduceSpec& spec) {
  const size_t rank = spec.src.dims.size();
  const std::vector<int64_t> src = Strides(spec.src.dims, spec.src.layout);
  std::vector<int64_t> dst(rank, 0);
  int64_t step = 1;
  for (size_t d = rank; d-- > 0;) {
    if (spec.reduced[d]) continue;
    dst[d] = step;
    step *= spec.src.dims[d];
  }
  std::vector<Dimension> merged;
  std::vector<bool> is_reduced;
  for (size_t d : MemoryOrder(rank, spec.src.layout)) {
    const int64_t size = spec.src.dims[d];
    if (size == 1) continue;
    if (!merged.empty() && is_reduced.back() == spec.reduced[d] &&
        merged.back().dst == size * dst[d]) {
      merged.back() = {merged.back().size * size, src[d], dst[d]};
      continue;
    }
    merged.push_back({size, src[d], dst[d]});
    is_reduced.push_back(spec.reduced[d]);
  }
  Walk walk;
  for (size_t i = 0; i < merged.size(); ++i) {
    if (is_reduced[i]) walk.count *= merged[i].size;
    if (i + 1 == merged.size()) {
      walk.lanes = merged[i];
      walk.lanes_reduced = is_reduced[i];
    } else if (is_reduced[i]) {
      walk.reduced.push_back(merged[i].size);
      walk.reduced_src.push_back(merged[i].src);
      walk.rows *= merged[i].size;
    } else {
      walk.kept.push_back(merged[i].size);
      walk.kept_src.push_back(merged[i].src);
      walk.kept_dst.push_back(merged[i].dst);
      walk.outputs *= merged[i].size;
    }
  }
  return walk;
}

// Start, one element, and joining two partial results of each operation, in double.
struct Sum {
  static constexpr double kStart = 0.0;
  double operator()(double sum, double x) const { return sum + x; }
  static double Join(double a, double b) { return a + b; }
};
struct SumSquare : Sum {
  double operator()(double sum, double x) const { return sum + x * x; }
};
struct SumAbs : Sum {
  double operator()(double sum, double x) const { return sum + std::fabs(x); }
};
struct Product {
  static constexpr double kStart = 1.0;
  double operator()(double product, double x) const { return product * x; }
  static double Join(double a, double b) { return a * b; }
};
struct Max {
  static constexpr double kStart = -std::numeric_limits<double>::infinity();
  double operator()(double high, double x) const { return high < x || x != x ? x : high; }
  static double Join(double a, double b) { return Max{}(a, b); }
};
struct Min {
  static constexpr double kStart = std::numeric_limits<double>::infinity();
  double operator()(double low, double x) const { return x < low || x != x ? x : low; }
  static double Join(double a, double b) { return Min{}(a, b); }
};

// Folds f over the elements behind `lanes` outputs (or, if the lanes are reduced, behind one).
template <typename Fold>
void Accumulate(const Walk& walk, const float* src, int64_t lanes, const Fold& fold,
                double* total) {
  std::fill_n(total, kLanes, Fold::kStart);
  const int64_t length = walk.lanes_reduced ? walk.lanes.size : lanes;
  Odometer<1> at(walk.reduced.data(), walk.reduced.size(), {walk.reduced_src.data()}, 0);
  for (int64_t row = 0; row < walk.rows; ++row, at.Next()) {
    const float* from = src + at.offset(0);
    int64_t i = 0;
    for (; i + kLanes <= length; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k)
        total[k] = fold(total[k], static_cast<double>(from[i + k]));
    }
    for (int64_t k = 0; i < length; ++i, ++k)
      total[k] = fold(total[k], static_cast<double>(from[i]));
  }
  if (!walk.lanes_reduced) return;
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t k = 0; k < half; ++k) total[k] = Fold::Join(total[k], total[k + half]);
  }
}

// exp(x - high) summed; `high` may be infinite.
void AccumulateLogSumExp(const Walk& walk, const float* src, int64_t lanes, double* total) {
  Accumulate(walk, src, lanes, Max{}, total);
  const int64_t outputs = walk.lanes_reduced ? 1 : lanes;
  for (int64_t k = 0; k < outputs; ++k) {
    const double high = std::isfinite(total[k]) ? total[k] : 0.0;
    double sum = 0.0;
    Odometer<1> at(walk.reduced.data(), walk.reduced.size(), {walk.reduced_src.data()}, 0);
    for (int64_t row = 0; row < walk.rows; ++row, at.Next()) {
      const float* from = src + at.offset(0) + k;
      const int64_t length = walk.lanes_reduced ? walk.lanes.size : 1;
      for (int64_t i = 0; i < length; ++i) sum += std::exp(static_cast<double>(from[i]) - high);
    }
    total[k] = std::log(sum) + high;
  }
}

void Reduce(ReduceSpec::Operation operation, const Walk& walk, const float* src, int64_t lanes,
            double* total) {
  using Operation = ReduceSpec::Operation;
  const int64_t outputs = walk.lanes_reduced ? 1 : lanes;
  const auto finish = [&](auto f) {
    for (int64_t k = 0; k < outputs; ++k) total[k] = f(total[k]);
  };
  switch (operation) {
    case Operation::kMean:
      Accumulate(walk, src, lanes, Sum{}, total);
      finish([&walk](double sum) { return sum / static_cast<double>(walk.count); });
      break;
    case Operation::kSum: Accumulate(walk, src, lanes, Sum{}, total); break;
    case Operation::kMax: Accumulate(walk, src, lanes, Max{}, total); break;
    case Operation::kMin: Accumulate(walk, src, lanes, Min{}, total); break;
    case Operation::kProd: Accumulate(walk, src, lanes, Product{}, total); break;
    case Operation::kSumSquare: Accumulate(walk, src, lanes, SumSquare{}, total); break;
    case Operation::kL1: Accumulate(walk, src, lanes, SumAbs{}, total); break;
    case Operation::kL2:
      Accumulate(walk, src, lanes, SumSquare{}, total);
      finish([](double sum) { return std::sqrt(sum); });
      break;
    case Operation::kLogSum:
      Accumulate(walk, src, lanes, Sum{}, total);
      finish([](double sum) { return std::log(sum); });
      break;
    case Operation::kLogSumExp: AccumulateLogSumExp(walk, src, lanes, total); break;
  }
}

}  // namespace

PreparedPtr PrepareReduce(const ReduceSpec& spec, const PrepareContext&) {
  if (spec.src.type != ElementType::kFloat32 || spec.reduced.size() != spec.src.dims.size() ||
      spec.src.dims.size() > kMaxRank) {
    return nullptr;
  }
  return MakeKernel(
      "reference/plain", [operation = spec.operation, walk = MakeWalk(spec)](const RunArgs& args) {
        const float* src = Input<float>(args, 0);
        float* dst = Output<float>(args);
        const int64_t wide = walk.lanes_reduced ? 1 : walk.lanes.size;
        const int64_t blocks = (wide + kLanes - 1) / kLanes;
        const int64_t work =
            walk.rows * (walk.lanes_reduced ? walk.lanes.size : std::min(wide, kLanes));
        ForRange(*args.parallel, walk.outputs * blocks, work, [&](int64_t begin, int64_t end) {
          Odometer<2> at(walk.kept.data(), walk.kept.size(),
                         {walk.kept_src.data(), walk.kept_dst.data()}, begin / blocks);
          double total[kLanes];
          for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t first = unit % blocks * kLanes;
            const int64_t lanes = std::min(kLanes, wide - first);
            Reduce(operation, walk, src + at.offset(0) + first, lanes, total);
            float* to = dst + at.offset(1) + first * walk.lanes.dst;
            for (int64_t k = 0; k < lanes; ++k)
              to[k * walk.lanes.dst] = static_cast<float>(total[k]);
            if (unit % blocks + 1 == blocks) at.Next();
          }
        });
      });
}

}  // namespace fourfold::kernels::reference
