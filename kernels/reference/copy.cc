#include <cstring>
#include <numeric>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// The same copy with as few dimensions as possible, the destination's nearest neighbours innermost.
struct Walk {
  std::vector<int64_t> dims;
  std::vector<int64_t> src;
  std::vector<int64_t> dst;
  int64_t src_offset = 0;
  int64_t dst_offset = 0;

  int64_t Count(size_t rank) const {
    return std::accumulate(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(rank),
                           int64_t{1}, std::multiplies<>());
  }
  void Remove(size_t d) {
    const auto at = static_cast<std::ptrdiff_t>(d);
    dims.erase(dims.begin() + at);
    src.erase(src.begin() + at);
    dst.erase(dst.begin() + at);
  }
};

Walk Coalesce(const CopySpec& spec) {
  std::vector<size_t> order;
  for (size_t d = 0; d < spec.dims.size(); ++d) {
    if (spec.dims[d] != 1) order.push_back(d);
  }
  std::stable_sort(order.begin(), order.end(), [&spec](size_t a, size_t b) {
    return std::abs(spec.dst_strides[a]) > std::abs(spec.dst_strides[b]);
  });
  Walk walk{.dims = {},
            .src = {},
            .dst = {},
            .src_offset = spec.src_offset,
            .dst_offset = spec.dst_offset};
  for (size_t d : order) {
    const int64_t dim = spec.dims[d], src = spec.src_strides[d], dst = spec.dst_strides[d];
    if (!walk.dims.empty() && walk.src.back() == dim * src && walk.dst.back() == dim * dst) {
      walk.dims.back() *= dim;
      walk.src.back() = src;
      walk.dst.back() = dst;
    } else {
      walk.dims.push_back(dim);
      walk.src.push_back(src);
      walk.dst.push_back(dst);
    }
  }
  if (walk.dims.empty()) {
    walk.dims = {1};
    walk.src = {1};
    walk.dst = {1};
  }
  return walk;
}

// Rows of `length` elements at the positions of the outer dimensions.
template <typename T>
struct CopyRows {
  Walk outer;
  int64_t length;
  int64_t src_step;
  int64_t dst_step;
  int64_t block;  // of a row, so that one long row is shared by threads

  void operator()(const RunArgs& args) const {
    const T* src = Input<T>(args, 0) + outer.src_offset;
    T* dst = Output<T>(args) + outer.dst_offset;
    const int64_t blocks = (length + block - 1) / block;
    ForRange(*args.parallel, outer.Count(outer.dims.size()) * blocks, std::min(length, block),
             [&](int64_t begin, int64_t end) {
               Odometer<2> at(outer.dims.data(), outer.dims.size(),
                              {outer.src.data(), outer.dst.data()}, begin / blocks);
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t first = unit % blocks * block;
                 Row(src + at.offset(0) + first * src_step, dst + at.offset(1) + first * dst_step,
                     std::min(block, length - first));
                 if (first + block >= length) at.Next();
               }
             });
  }

  void Row(const T* src, T* dst, int64_t count) const {
    if (src_step == 1 && dst_step == 1) {
      std::memcpy(dst, src, static_cast<size_t>(count) * sizeof(T));
    } else if (src_step == 0 && dst_step == 1) {
      std::fill_n(dst, count, *src);
    } else {
      for (int64_t i = 0; i < count; ++i) dst[i * dst_step] = src[i * src_step];
    }
  }
};

// Matrices rows x columns with src contiguous along the rows, dst along the columns, tile by tile.
template <typename T>
struct CopyTransposed {
  static constexpr int64_t kTile = 32;
  Walk outer;
  int64_t rows, columns;
  int64_t src_column, dst_row;

  void operator()(const RunArgs& args) const {
    const T* src = Input<T>(args, 0) + outer.src_offset;
    T* dst = Output<T>(args) + outer.dst_offset;
    const int64_t tiles = (rows + kTile - 1) / kTile;
    ForRange(*args.parallel, outer.Count(outer.dims.size()) * tiles, kTile * columns,
             [&](int64_t begin, int64_t end) {
               Odometer<2> at(outer.dims.data(), outer.dims.size(),
                              {outer.src.data(), outer.dst.data()}, begin / tiles);
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t tile = unit % tiles;
                 Rows(src + at.offset(0), dst + at.offset(1), tile * kTile,
                      std::min(rows, (tile + 1) * kTile));
                 if (tile + 1 == tiles) at.Next();
               }
             });
  }

  void Rows(const T* src, T* dst, int64_t row_begin, int64_t row_end) const {
    for (int64_t column = 0; column < columns; column += kTile) {
      const int64_t column_end = std::min(columns, column + kTile);
      for (int64_t r = row_begin; r < row_end; ++r) {
        const T* from = src + r;
        T* to = dst + r * dst_row;
        for (int64_t c = column; c < column_end; ++c) to[c] = from[c * src_column];
      }
    }
  }
};

template <typename T>
PreparedPtr Prepare(Walk walk) {
  const size_t inner = walk.dims.size() - 1;
  const int64_t length = walk.dims[inner], src_step = walk.src[inner], dst_step = walk.dst[inner];
  const auto row = std::find(walk.src.begin(), walk.src.end(), 1);
  if (dst_step == 1 && src_step > 1 && row != walk.src.end()) {
    const auto d = static_cast<size_t>(row - walk.src.begin());
    CopyTransposed<T> copy{.outer = walk,
                           .rows = walk.dims[d],
                           .columns = length,
                           .src_column = src_step,
                           .dst_row = walk.dst[d]};
    copy.outer.Remove(inner);
    copy.outer.Remove(d);
    return MakeKernel("reference/transpose", std::move(copy));
  }
  CopyRows<T> copy{.outer = std::move(walk),
                   .length = length,
                   .src_step = src_step,
                   .dst_step = dst_step,
                   .block = 65536};
  copy.outer.Remove(inner);
  return MakeKernel("reference/rows", std::move(copy));
}

}  // namespace

PreparedPtr PrepareCopy(const CopySpec& spec, const PrepareContext&) {
  Walk walk = Coalesce(spec);
  if (walk.dims.size() > kMaxRank) return nullptr;
  if (walk.Count(walk.dims.size()) == 0)
    return MakeKernel("reference/nothing", [](const RunArgs&) {});
  switch (spec.element_bytes) {
    case 1: return Prepare<uint8_t>(std::move(walk));
    case 2: return Prepare<uint16_t>(std::move(walk));
    case 4: return Prepare<uint32_t>(std::move(walk));
    case 8: return Prepare<uint64_t>(std::move(walk));
    default: return nullptr;
  }
}

}  // namespace fourfold::kernels::reference
