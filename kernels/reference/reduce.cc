#include <cmath>

#include "kernels/reference/element.h"
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

// a + b and a * b; of integers in two's complement.
template <typename A>
A Plus(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return static_cast<A>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}
template <typename A>
A Times(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return static_cast<A>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else {
    return a * b;
  }
}
template <typename A>
A Magnitude(A x) {
  if constexpr (std::is_integral_v<A>) {
    return x < 0 ? static_cast<A>(uint64_t{0} - static_cast<uint64_t>(x)) : x;
  } else {
    return std::fabs(x);
  }
}

// Start, one element, and joining two partial results of each operation. T is what the elements
// are, A (double, or 64-bit integers) what their results are collected in.
template <typename A>
struct Sum {
  static constexpr A kStart = 0;
  A operator()(A sum, A x) const { return Plus(sum, x); }
  static A Join(A a, A b) { return Plus(a, b); }
};
template <typename A>
struct SumSquare : Sum<A> {
  A operator()(A sum, A x) const { return Plus(sum, Times(x, x)); }
};
template <typename A>
struct SumAbs : Sum<A> {
  A operator()(A sum, A x) const { return Plus(sum, Magnitude(x)); }
};
template <typename A>
struct Product {
  static constexpr A kStart = 1;
  A operator()(A product, A x) const { return Times(product, x); }
  static A Join(A a, A b) { return Times(a, b); }
};
template <typename T, typename A>
struct Max {
  using Limits = std::numeric_limits<T>;
  static constexpr A kStart =
      static_cast<A>(Limits::has_infinity ? -Limits::infinity() : Limits::lowest());
  A operator()(A high, A x) const { return high < x || x != x ? x : high; }
  static A Join(A a, A b) { return Max{}(a, b); }
};
template <typename T, typename A>
struct Min {
  using Limits = std::numeric_limits<T>;
  static constexpr A kStart =
      static_cast<A>(Limits::has_infinity ? Limits::infinity() : Limits::max());
  A operator()(A low, A x) const { return x < low || x != x ? x : low; }
  static A Join(A a, A b) { return Min{}(a, b); }
};

// Folds the elements behind `lanes` outputs (or, if the lanes are reduced, behind one).
template <typename S, typename A, typename Fold>
void Accumulate(const Walk& walk, const S* src, int64_t lanes, const Fold& fold, A* total) {
  std::fill_n(total, kLanes, Fold::kStart);
  const int64_t length = walk.lanes_reduced ? walk.lanes.size : lanes;
  Odometer<1> at(walk.reduced.data(), walk.reduced.size(), {walk.reduced_src.data()}, 0);
  for (int64_t row = 0; row < walk.rows; ++row, at.Next()) {
    const S* from = src + at.offset(0);
    int64_t i = 0;
    for (; i + kLanes <= length; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k)
        total[k] = fold(total[k], static_cast<A>(Value(from[i + k])));
    }
    for (int64_t k = 0; i < length; ++i, ++k)
      total[k] = fold(total[k], static_cast<A>(Value(from[i])));
  }
  if (!walk.lanes_reduced) return;
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t k = 0; k < half; ++k) total[k] = Fold::Join(total[k], total[k + half]);
  }
}

// exp(x - high) summed; `high` may be infinite.
template <typename S>
void AccumulateLogSumExp(const Walk& walk, const S* src, int64_t lanes, double* total) {
  Accumulate(walk, src, lanes, Max<double, double>{}, total);
  const int64_t outputs = walk.lanes_reduced ? 1 : lanes;
  for (int64_t k = 0; k < outputs; ++k) {
    const double high = std::isfinite(total[k]) ? total[k] : 0.0;
    double sum = 0.0;
    Odometer<1> at(walk.reduced.data(), walk.reduced.size(), {walk.reduced_src.data()}, 0);
    for (int64_t row = 0; row < walk.rows; ++row, at.Next()) {
      const S* from = src + at.offset(0) + k;
      const int64_t length = walk.lanes_reduced ? walk.lanes.size : 1;
      for (int64_t i = 0; i < length; ++i)
        sum += std::exp(static_cast<double>(Value(from[i])) - high);
    }
    total[k] = std::log(sum) + high;
  }
}

using Operation = ReduceSpec::Operation;

// Results of real numbers, and of integers those that are real numbers before they are stored.
template <typename S>
void Reduce(Operation operation, const Walk& walk, const S* src, int64_t lanes, double* total) {
  const int64_t outputs = walk.lanes_reduced ? 1 : lanes;
  const auto finish = [&](auto f) {
    for (int64_t k = 0; k < outputs; ++k) total[k] = f(total[k]);
  };
  using D = double;
  switch (operation) {
    case Operation::kMean:
      Accumulate(walk, src, lanes, Sum<D>{}, total);
      finish([&walk](double sum) { return sum / static_cast<double>(walk.count); });
      break;
    case Operation::kSum: Accumulate(walk, src, lanes, Sum<D>{}, total); break;
    case Operation::kMax: Accumulate(walk, src, lanes, Max<D, D>{}, total); break;
    case Operation::kMin: Accumulate(walk, src, lanes, Min<D, D>{}, total); break;
    case Operation::kProd: Accumulate(walk, src, lanes, Product<D>{}, total); break;
    case Operation::kSumSquare: Accumulate(walk, src, lanes, SumSquare<D>{}, total); break;
    case Operation::kL1: Accumulate(walk, src, lanes, SumAbs<D>{}, total); break;
    case Operation::kL2:
      Accumulate(walk, src, lanes, SumSquare<D>{}, total);
      finish([](double sum) { return std::sqrt(sum); });
      break;
    case Operation::kLogSum:
      Accumulate(walk, src, lanes, Sum<D>{}, total);
      finish([](double sum) { return std::log(sum); });
      break;
    case Operation::kLogSumExp: AccumulateLogSumExp(walk, src, lanes, total); break;
  }
}

// The results of integers (and booleans, 0 and 1) that are integers, exact or in two's complement.
template <typename S, typename A>
void ReduceExactly(Operation operation, const Walk& walk, const S* src, int64_t lanes, A* total) {
  using T = Computed<S>;
  switch (operation) {
    case Operation::kMean:
      Accumulate(walk, src, lanes, Sum<A>{}, total);
      for (int64_t k = 0; k < (walk.lanes_reduced ? 1 : lanes); ++k) {
        total[k] = walk.count == 0 ? 0 : total[k] / static_cast<A>(walk.count);
      }
      break;
    case Operation::kSum: Accumulate(walk, src, lanes, Sum<A>{}, total); break;
    case Operation::kMax: Accumulate(walk, src, lanes, Max<T, A>{}, total); break;
    case Operation::kMin: Accumulate(walk, src, lanes, Min<T, A>{}, total); break;
    case Operation::kProd: Accumulate(walk, src, lanes, Product<A>{}, total); break;
    case Operation::kSumSquare: Accumulate(walk, src, lanes, SumSquare<A>{}, total); break;
    case Operation::kL1: Accumulate(walk, src, lanes, SumAbs<A>{}, total); break;
    default: break;
  }
}

// reduce(walk, src, lanes, total) for all outputs; S are the elements, A the totals.
template <typename S, typename A, typename F>
PreparedPtr Make(const ReduceSpec& spec, F reduce) {
  return MakeKernel("reference/plain", [walk = MakeWalk(spec), reduce](const RunArgs& args) {
    const S* src = Input<S>(args, 0);
    S* dst = Output<S>(args);
    const int64_t wide = walk.lanes_reduced ? 1 : walk.lanes.size;
    const int64_t blocks = (wide + kLanes - 1) / kLanes;
    const int64_t work =
        walk.rows * (walk.lanes_reduced ? walk.lanes.size : std::min(wide, kLanes));
    ForRange(*args.parallel, walk.outputs * blocks, work, [&](int64_t begin, int64_t end) {
      Odometer<2> at(walk.kept.data(), walk.kept.size(),
                     {walk.kept_src.data(), walk.kept_dst.data()}, begin / blocks);
      A total[kLanes];
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t first = unit % blocks * kLanes;
        const int64_t lanes = std::min(kLanes, wide - first);
        reduce(walk, src + at.offset(0) + first, lanes, total);
        S* to = dst + at.offset(1) + first * walk.lanes.dst;
        for (int64_t k = 0; k < lanes; ++k) to[k * walk.lanes.dst] = Store<S>(total[k]);
        if (unit % blocks + 1 == blocks) at.Next();
      }
    });
  });
}

template <typename S>
PreparedPtr OfReals(const ReduceSpec& spec) {
  return Make<S, double>(spec, [operation = spec.operation](const Walk& walk, const S* src,
                                                            int64_t lanes, double* total) {
    Reduce(operation, walk, src, lanes, total);
  });
}

template <typename S>
PreparedPtr OfIntegers(const ReduceSpec& spec) {
  const Operation operation = spec.operation;
  if (operation == Operation::kL2 || operation >= Operation::kLogSum) return OfReals<S>(spec);
  using A = std::conditional_t<std::is_same_v<S, uint64_t>, uint64_t, int64_t>;
  return Make<S, A>(spec, [operation](const Walk& walk, const S* src, int64_t lanes, A* total) {
    ReduceExactly(operation, walk, src, lanes, total);
  });
}

}  // namespace

PreparedPtr PrepareReduce(const ReduceSpec& spec, const PrepareContext&) {
  if (spec.reduced.size() != spec.src.dims.size() || spec.src.dims.size() > kMaxRank) {
    return nullptr;
  }
  if (spec.src.type == ElementType::kBool) {
    const bool ordered = spec.operation == Operation::kMax || spec.operation == Operation::kMin;
    return ordered ? OfIntegers<Bool>(spec) : nullptr;
  }
  if (IsReal(spec.src.type)) {
    return WithReal(spec.src.type, [&](auto stored) { return OfReals<decltype(stored)>(spec); });
  }
  return WithInteger(spec.src.type,
                     [&](auto stored) { return OfIntegers<decltype(stored)>(spec); });
}

}  // namespace fourfold::kernels::reference
