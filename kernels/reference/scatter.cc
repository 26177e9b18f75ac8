#include <cstring>

#include "kernels/reference/elements.h"
#include "kernels/reference/indices.h"
#include "kernels/reference/movement.h"

namespace fourfold::kernels::reference {
namespace {

// An overwritten element, only moved.
template <typename T>
struct Replace {
  using Stored = T;
  static T Combine(T, T update) { return update; }
};

template <typename Number>
Number Wrapping(ScatterReduction reduction, Number a, Number b) {
  if constexpr (std::is_integral_v<Number>) {
    using Unsigned = uint64_t;  // wide enough for any of them, and never undefined
    const auto x = static_cast<Unsigned>(a), y = static_cast<Unsigned>(b);
    return static_cast<Number>(reduction == ScatterReduction::kAdd ? x + y : x * y);
  } else {
    return reduction == ScatterReduction::kAdd ? a + b : a * b;
  }
}

template <typename E, ScatterReduction reduction>
struct Reduction {
  using Stored = typename E::Stored;
  using Number = typename E::Number;

  static Number Apply(Number a, Number b) {
    if constexpr (std::is_same_v<Number, bool>) {
      return reduction == ScatterReduction::kAdd || reduction == ScatterReduction::kMax ? a || b
                                                                                        : a && b;
    } else if constexpr (reduction == ScatterReduction::kMax) {
      return a != a || a > b ? a : b;  // NaN stays, and comes from either side
    } else if constexpr (reduction == ScatterReduction::kMin) {
      return a != a || a < b ? a : b;
    } else {
      return Wrapping(reduction, a, b);
    }
  }
  static Stored Combine(Stored old, Stored update) {
    return E::Store(Apply(E::Load(old), E::Load(update)));
  }
};

// visit(Replace<...>()) or visit(Reduction<...>()).
template <typename Visit>
PreparedPtr VisitReduction(ElementType type, ScatterReduction reduction, const Visit& visit) {
  if (reduction == ScatterReduction::kNone) {
    return VisitSize(type, [&](auto element) { return visit(Replace<decltype(element)>()); });
  }
  return VisitElement(type, [&](auto element) -> PreparedPtr {
    using E = decltype(element);
    switch (reduction) {
      case ScatterReduction::kAdd: return visit(Reduction<E, ScatterReduction::kAdd>());
      case ScatterReduction::kMul: return visit(Reduction<E, ScatterReduction::kMul>());
      case ScatterReduction::kMax: return visit(Reduction<E, ScatterReduction::kMax>());
      default: return visit(Reduction<E, ScatterReduction::kMin>());
    }
  });
}

template <typename T>
void CopyAll(const RunArgs& args, int64_t count) {
  const T* src = Input<T>(args, 0);
  T* dst = Output<T>(args);
  ForRange(*args.parallel, count, 1, [&](int64_t begin, int64_t end) {
    std::memcpy(dst + begin, src + begin, static_cast<size_t>(end - begin) * sizeof(T));
  });
}

// Updates that differ outside of the axis never meet, so threads share them by their positions
// there: [outer positions] x [inner positions], each with its dimensions and strides of dst.
struct Lanes {
  int64_t count = 1;  // elements of dst
  Dims outer, inner;
  std::vector<int64_t> outer_strides, inner_strides;
  int64_t updates = 1;  // along the axis
  int64_t length = 1;   // of the axis
  int64_t stride = 1;
};

template <typename R, typename Index>
PreparedPtr ScatterLanes(Lanes lanes) {
  return MakeKernel("reference/scatter_elements", [lanes = std::move(lanes)](const RunArgs& args) {
    using T = typename R::Stored;
    CopyAll<T>(args, lanes.count);
    const Index* indices = Input<Index>(args, 1);
    const T* updates = Input<T>(args, 2);
    T* dst = Output<T>(args);
    const int64_t outer = Product(lanes.outer, 0, lanes.outer.size());
    const int64_t inner = Product(lanes.inner, 0, lanes.inner.size());
    const auto scatter = [&](int64_t o, int64_t first, int64_t last) {
      const Odometer<1> row(lanes.outer.data(), lanes.outer.size(), {lanes.outer_strides.data()},
                            o);
      for (int64_t i = 0; i < lanes.updates; ++i) {
        Odometer<1> at(lanes.inner.data(), lanes.inner.size(), {lanes.inner_strides.data()}, first);
        for (int64_t n = first; n < last; ++n, at.Next()) {
          const int64_t k = (o * lanes.updates + i) * inner + n;
          const int64_t index =
              CheckedIndex(static_cast<int64_t>(indices[k]), lanes.length, args.fault);
          if (index < 0) continue;
          T& element = dst[row.offset(0) + at.offset(0) + index * lanes.stride];
          element = R::Combine(element, updates[k]);
        }
      }
    };
    ForRange(*args.parallel, outer * inner, lanes.updates, [&](int64_t begin, int64_t end) {
      while (begin < end) {
        const int64_t o = begin / inner, first = begin % inner;
        const int64_t last = std::min(inner, first + end - begin);
        scatter(o, first, last);
        begin += last - first;
      }
    });
  });
}

// All updates in order, for a part of each slice per thread.
template <typename R, typename Index>
PreparedPtr ScatterPositions(Positions positions, int64_t count, int64_t dst_count) {
  return MakeKernel("reference/scatter_nd", [positions = std::move(positions), count,
                                             dst_count](const RunArgs& args) {
    using T = typename R::Stored;
    CopyAll<T>(args, dst_count);
    const Index* indices = Input<Index>(args, 1);
    const T* updates = Input<T>(args, 2);
    T* dst = Output<T>(args);
    const auto width = static_cast<int64_t>(positions.lengths.size());
    ForRange(*args.parallel, positions.slice, count, [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < count; ++i) {
        const int64_t at = positions.At(indices + i * width, args.fault);
        if (at < 0) continue;
        T* to = dst + at * positions.slice;
        const T* from = updates + i * positions.slice;
        for (int64_t n = begin; n < end; ++n) to[n] = R::Combine(to[n], from[n]);
      }
    });
  });
}

}  // namespace

PreparedPtr PrepareScatterElements(const ScatterElementsSpec& spec, const PrepareContext&) {
  const size_t rank = spec.src.dims.size();
  if (!IsIndexType(spec.indices.type) || rank == 0 || rank > kMaxRank || spec.axis >= rank ||
      spec.indices.dims.size() != rank) {
    return nullptr;
  }
  const std::vector<int64_t> strides = Strides(spec.src.dims, Layout::kRowMajor);
  Lanes lanes;
  lanes.count = ElementCount(spec.src.dims);
  for (size_t d = 0; d < rank; ++d) {
    if (d == spec.axis) continue;
    (d < spec.axis ? lanes.outer : lanes.inner).push_back(spec.indices.dims[d]);
    (d < spec.axis ? lanes.outer_strides : lanes.inner_strides).push_back(strides[d]);
  }
  lanes.updates = spec.indices.dims[spec.axis];
  lanes.length = spec.src.dims[spec.axis];
  lanes.stride = strides[spec.axis];
  return VisitIndex(spec.indices.type, [&](auto index) {
    return VisitReduction(spec.src.type, spec.reduction, [&](auto reduction) {
      return ScatterLanes<decltype(reduction), decltype(index)>(lanes);
    });
  });
}

PreparedPtr PrepareScatterNd(const ScatterNdSpec& spec, const PrepareContext&) {
  const Dims& indices = spec.indices.dims;
  if (!IsIndexType(spec.indices.type) || indices.empty()) return nullptr;
  const auto width = static_cast<size_t>(indices.back());
  if (width > spec.src.dims.size()) return nullptr;
  const Positions positions(spec.src.dims, 0, width);
  const int64_t count = Product(indices, 0, indices.size() - 1);
  return VisitIndex(spec.indices.type, [&](auto index) {
    return VisitReduction(spec.src.type, spec.reduction, [&](auto reduction) {
      return ScatterPositions<decltype(reduction), decltype(index)>(positions, count,
                                                                    ElementCount(spec.src.dims));
    });
  });
}

}  // namespace fourfold::kernels::reference
