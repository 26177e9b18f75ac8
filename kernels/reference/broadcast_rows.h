#pragma once

#include <optional>

#include "kernels/reference/loops.h"

namespace fourfold::kernels::reference {

// N row-major arrays that broadcast to a row-major dst as numpy does, walked together in as few
// dimensions as possible.
template <size_t N>
struct BroadcastRows {
  std::vector<int64_t> dims;                    // of dst
  std::array<std::vector<int64_t>, N> strides;  // 0 where broadcast
  std::vector<int64_t> dst_strides;
};

// Nothing where the shapes do not broadcast to dst's, or too many dimensions remain. Operands may
// have fewer dimensions than dst.
template <size_t N>
std::optional<BroadcastRows<N>> MakeBroadcastRows(const std::array<const Dims*, N>& operands,
                                                  const Dims& dst) {
  std::array<std::vector<int64_t>, N> strides;
  for (size_t k = 0; k < N; ++k) {
    const Dims& own = *operands[k];
    if (own.size() > dst.size()) return std::nullopt;
    const size_t missing = dst.size() - own.size();
    strides[k].assign(dst.size(), 0);
    int64_t step = 1;
    for (size_t d = own.size(); d-- > 0;) {
      if (own[d] != 1 && own[d] != dst[missing + d]) return std::nullopt;
      if (own[d] != 1) strides[k][missing + d] = step;
      step *= own[d];
    }
  }
  BroadcastRows<N> rows;
  for (size_t d = 0; d < dst.size(); ++d) {
    if (dst[d] == 1) continue;
    bool merges = !rows.dims.empty();
    for (size_t k = 0; k < N; ++k) {
      merges = merges && rows.strides[k].back() == dst[d] * strides[k][d];
    }
    if (merges) {
      rows.dims.back() *= dst[d];
    } else {
      rows.dims.push_back(dst[d]);
      for (size_t k = 0; k < N; ++k) rows.strides[k].push_back(0);
    }
    for (size_t k = 0; k < N; ++k) rows.strides[k].back() = strides[k][d];
  }
  if (rows.dims.empty()) {
    rows.dims = {1};
    for (size_t k = 0; k < N; ++k) rows.strides[k] = {0};
  }
  if (rows.dims.size() > kMaxRank) return std::nullopt;
  rows.dst_strides = Strides(rows.dims, Layout::kRowMajor);
  return rows;
}

// Calls row(offsets of the operands, offset in dst, count, steps of the operands) over dst.
template <size_t N, typename Row>
void ForBroadcastRows(const RunArgs& args, const BroadcastRows<N>& rows, int64_t work,
                      const Row& row) {
  constexpr int64_t kBlock = 4096;
  const size_t outer = rows.dims.size() - 1;
  const int64_t length = rows.dims[outer];
  int64_t count = 1;
  for (size_t d = 0; d < outer; ++d) count *= rows.dims[d];
  if (count == 0 || length == 0) return;
  const int64_t blocks = (length + kBlock - 1) / kBlock;
  std::array<int64_t, N> steps;
  std::array<const int64_t*, N + 1> strides;
  for (size_t k = 0; k < N; ++k) {
    steps[k] = rows.strides[k][outer];
    strides[k] = rows.strides[k].data();
  }
  strides[N] = rows.dst_strides.data();
  ForRange(*args.parallel, count * blocks, work * std::min(length, kBlock),
           [&](int64_t begin, int64_t end) {
             Odometer<N + 1> at(rows.dims.data(), outer, strides, begin / blocks);
             for (int64_t unit = begin; unit < end; ++unit) {
               const int64_t first = unit % blocks * kBlock;
               std::array<int64_t, N> offsets;
               for (size_t k = 0; k < N; ++k) offsets[k] = at.offset(k) + first * steps[k];
               row(offsets, at.offset(N) + first, std::min(kBlock, length - first), steps);
               if (first + kBlock >= length) at.Next();
             }
           });
}

// One row of a kernel of N operands: their first elements, the steps between their elements, and
// what is written, one element after another. Function pointers keep the walk out of templates.
template <size_t N>
using RowFunction = void (*)(std::array<const void*, N> operands, std::array<int64_t, N> steps,
                             void* dst, int64_t count, Fault* fault);

// The kernel that calls `row` over operands and dst whose elements have these sizes; null as
// MakeBroadcastRows.
template <size_t N>
PreparedPtr MakeRowKernel(const std::array<const Dims*, N>& operands,
                          std::array<size_t, N> operand_bytes, const Dims& dst, size_t dst_bytes,
                          int64_t work, RowFunction<N> row) {
  std::optional<BroadcastRows<N>> rows = MakeBroadcastRows<N>(operands, dst);
  if (!rows) return nullptr;
  return MakeKernel("reference/plain", [=, rows = *std::move(rows)](const RunArgs& args) {
    ForBroadcastRows<N>(args, rows, work, [&](auto from, int64_t at, int64_t count, auto steps) {
      std::array<const void*, N> first;
      for (size_t k = 0; k < N; ++k) {
        first[k] = Input<char>(args, k) + from[k] * static_cast<int64_t>(operand_bytes[k]);
      }
      void* const to = Output<char>(args) + at * static_cast<int64_t>(dst_bytes);
      row(first, steps, to, count, args.fault);
    });
  });
}

}  // namespace fourfold::kernels::reference
