#include <cstring>

#include "kernels/reference/elements.h"
#include "kernels/reference/indices.h"
#include "kernels/reference/movement.h"

namespace fourfold::kernels::reference {
namespace {

constexpr int64_t kBlock = 65536;  // elements of a slice that one thread moves at a time

template <typename T>
FOURFOLD_INLINE void DequantizeLoop(const T* src, float* dst, int64_t count, QuantParams params) {
  for (int64_t i = 0; i < count; ++i) {
    dst[i] = static_cast<float>(src[i] - params.zero_point) * params.scale;
  }
}
FOURFOLD_CLONES void Dequantize(const int8_t* src, float* dst, int64_t count, QuantParams params) {
  DequantizeLoop(src, dst, count, params);
}
FOURFOLD_CLONES void Dequantize(const uint8_t* src, float* dst, int64_t count, QuantParams params) {
  DequantizeLoop(src, dst, count, params);
}

// src [outer, length, inner] to dst [outer, picked, inner].
struct Slices {
  int64_t outer, length, picked, inner;

  explicit Slices(const GatherSpec& spec)
      : outer(Product(spec.src.dims, 0, spec.axis)),
        length(spec.src.dims[spec.axis]),
        picked(ElementCount(spec.indices.dims)),
        inner(Product(spec.src.dims, spec.axis + 1, spec.src.dims.size())) {}

  // Calls move(src, dst, count, index) for stretches of slices, offsets counting elements; `src` is
  // -1 where the index lies outside.
  template <typename Index, typename Move>
  void ForEach(const RunArgs& args, const Move& move) const {
    const Index* indices = Input<Index>(args, 1);
    const int64_t blocks = (inner + kBlock - 1) / kBlock;
    ForRange(*args.parallel, outer * picked * blocks, std::min(inner, kBlock),
             [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t slice = unit / blocks, first = unit % blocks * kBlock;
                 const int64_t index = CheckedIndex(static_cast<int64_t>(indices[slice % picked]),
                                                    length, args.fault);
                 const int64_t src = (slice / picked * length + index) * inner + first;
                 move(index < 0 ? -1 : src, slice * inner + first, std::min(kBlock, inner - first),
                      index);
               }
             });
  }
};

template <typename T, typename Index>
PreparedPtr MoveSlices(const Slices& slices) {
  return MakeKernel("reference/gather_slices", [slices](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    T* dst = Output<T>(args);
    slices.ForEach<Index>(args, [&](int64_t from, int64_t to, int64_t count, int64_t) {
      if (from < 0) {
        std::fill_n(dst + to, count, T());
      } else if (count == 1) {
        dst[to] = src[from];
      } else {
        std::memcpy(dst + to, src + from, static_cast<size_t>(count) * sizeof(T));
      }
    });
  });
}

template <typename T, typename Index>
PreparedPtr DequantizeSlices(const Slices& slices, const std::vector<QuantParams>& params) {
  return MakeKernel("reference/gather_dequantized", [slices, params](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    float* dst = Output<float>(args);
    slices.ForEach<Index>(args, [&](int64_t from, int64_t to, int64_t count, int64_t index) {
      if (from < 0) {
        std::fill_n(dst + to, count, 0.0f);
      } else {
        Dequantize(src + from, dst + to, count,
                   params[params.size() == 1 ? 0 : static_cast<size_t>(index)]);
      }
    });
  });
}

// Walks the lines of `indices` along their last dimension; `strides` are those of src, 0 along the
// axis.
struct Lines {
  Dims outer;                    // of the indices
  std::vector<int64_t> strides;  // of src, along them
  int64_t line = 1;              // numbers in a line
  int64_t step = 1;              // of src along a line: 0 where the line is the axis
  int64_t length = 1;            // of the axis in src
  int64_t stride = 1;            // of src along the axis
};

template <typename T, typename Index>
PreparedPtr MoveElements(Lines lines) {
  return MakeKernel("reference/gather_elements", [lines = std::move(lines)](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    const Index* indices = Input<Index>(args, 1);
    T* dst = Output<T>(args);
    const size_t rank = lines.outer.size();
    ForRange(*args.parallel, Product(lines.outer, 0, rank), lines.line,
             [&](int64_t begin, int64_t end) {
               Odometer<1> at(lines.outer.data(), rank, {lines.strides.data()}, begin);
               for (int64_t row = begin; row < end; ++row, at.Next()) {
                 const T* from = src + at.offset(0);
                 for (int64_t i = 0; i < lines.line; ++i) {
                   const int64_t k = row * lines.line + i;
                   const int64_t index =
                       CheckedIndex(static_cast<int64_t>(indices[k]), lines.length, args.fault);
                   dst[k] = index < 0 ? T() : from[i * lines.step + index * lines.stride];
                 }
               }
             });
  });
}

template <typename T, typename Index>
PreparedPtr MovePositions(Positions positions, int64_t count, int64_t batches) {
  return MakeKernel("reference/gather_nd", [positions = std::move(positions), count,
                                            batches](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    const Index* indices = Input<Index>(args, 1);
    T* dst = Output<T>(args);
    const auto width = static_cast<int64_t>(positions.lengths.size());
    const int64_t per_batch = count / batches, slices = positions.slices();
    ForRange(*args.parallel, count, positions.slice, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t at = positions.At(indices + i * width, args.fault);
        T* to = dst + i * positions.slice;
        if (at < 0) {
          std::fill_n(to, positions.slice, T());
        } else {
          std::memcpy(to, src + (i / per_batch * slices + at) * positions.slice,
                      static_cast<size_t>(positions.slice) * sizeof(T));
        }
      }
    });
  });
}

}  // namespace

PreparedPtr PrepareGather(const GatherSpec& spec, const PrepareContext&) {
  if (!IsIndexType(spec.indices.type) || spec.axis >= spec.src.dims.size()) return nullptr;
  const Slices slices(spec);
  return VisitIndex(spec.indices.type, [&](auto index) -> PreparedPtr {
    using Index = decltype(index);
    if (spec.params.empty()) {
      return VisitSize(spec.src.type,
                       [&](auto element) { return MoveSlices<decltype(element), Index>(slices); });
    }
    const bool by_row = spec.axis == 0 && static_cast<int64_t>(spec.params.size()) == slices.length;
    if (spec.params.size() != 1 && !by_row) return nullptr;
    if (spec.src.type == ElementType::kInt8)
      return DequantizeSlices<int8_t, Index>(slices, spec.params);
    if (spec.src.type == ElementType::kUint8)
      return DequantizeSlices<uint8_t, Index>(slices, spec.params);
    return nullptr;
  });
}

PreparedPtr PrepareGatherElements(const GatherElementsSpec& spec, const PrepareContext&) {
  const size_t rank = spec.src.dims.size();
  if (!IsIndexType(spec.indices.type) || rank == 0 || rank > kMaxRank || spec.axis >= rank ||
      spec.indices.dims.size() != rank) {
    return nullptr;
  }
  Lines lines;
  const std::vector<int64_t> strides = Strides(spec.src.dims, Layout::kRowMajor);
  for (size_t d = 0; d + 1 < rank; ++d) {
    lines.outer.push_back(spec.indices.dims[d]);
    lines.strides.push_back(d == spec.axis ? 0 : strides[d]);
  }
  lines.line = spec.indices.dims.back();
  lines.step = spec.axis + 1 == rank ? 0 : 1;
  lines.length = spec.src.dims[spec.axis];
  lines.stride = strides[spec.axis];
  return VisitIndex(spec.indices.type, [&](auto index) {
    return VisitSize(spec.src.type, [&](auto element) {
      return MoveElements<decltype(element), decltype(index)>(lines);
    });
  });
}

PreparedPtr PrepareGatherNd(const GatherNdSpec& spec, const PrepareContext&) {
  const Dims& indices = spec.indices.dims;
  if (!IsIndexType(spec.indices.type) || indices.size() <= spec.batch_dims) return nullptr;
  const auto width = static_cast<size_t>(indices.back());
  if (spec.batch_dims + width > spec.src.dims.size()) return nullptr;
  const Positions positions(spec.src.dims, spec.batch_dims, spec.batch_dims + width);
  const int64_t count = Product(indices, 0, indices.size() - 1);
  const int64_t batches = Product(indices, 0, spec.batch_dims);
  return VisitIndex(spec.indices.type, [&](auto index) {
    return VisitSize(spec.src.type, [&](auto element) {
      return MovePositions<decltype(element), decltype(index)>(positions, count,
                                                               std::max<int64_t>(batches, 1));
    });
  });
}

}  // namespace fourfold::kernels::reference
