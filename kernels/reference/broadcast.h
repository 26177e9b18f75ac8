#pragma once

#include <cmath>

#include "kernels/binary.h"
#include "kernels/reference/loops.h"

// How two operands are walked together under broadcasting, and the constants of integer addition
// and multiplication as binary.h states them; for every implementation.
namespace fourfold::kernels::reference {

// dst in memory order, with the strides of a and b (0 where broadcast), as few dimensions as
// possible.
struct Walk {
  std::vector<int64_t> dims, a, b, dst;
};

inline bool StridesIn(const TensorSpec& operand, const TensorSpec& dst,
                      std::vector<int64_t>* strides) {
  const size_t rank = dst.dims.size();
  if (operand.dims.size() != rank) return false;
  *strides = Strides(operand.dims, dst.layout);
  int64_t in_space = 1;
  for (size_t d = 2; d < rank; ++d) in_space *= operand.dims[d];
  if (rank >= 3 && operand.layout != dst.layout && in_space > 1) return false;
  for (size_t d = 0; d < rank; ++d) {
    if (operand.dims[d] != dst.dims[d] && operand.dims[d] != 1) return false;
    if (operand.dims[d] == 1) (*strides)[d] = 0;
  }
  return true;
}

inline bool MakeWalk(const BinarySpec& spec, Walk* walk) {
  std::vector<int64_t> a, b;
  if (!StridesIn(spec.a, spec.dst, &a) || !StridesIn(spec.b, spec.dst, &b)) return false;
  const std::vector<int64_t> dst = Strides(spec.dst.dims, spec.dst.layout);
  for (size_t d : MemoryOrder(spec.dst.dims.size(), spec.dst.layout)) {
    const int64_t dim = spec.dst.dims[d];
    if (dim == 1) continue;
    if (!walk->dims.empty() && walk->a.back() == dim * a[d] && walk->b.back() == dim * b[d]) {
      walk->dims.back() *= dim;
      walk->a.back() = a[d];
      walk->b.back() = b[d];
      walk->dst.back() = dst[d];
      continue;
    }
    walk->dims.push_back(dim);
    walk->a.push_back(a[d]);
    walk->b.push_back(b[d]);
    walk->dst.push_back(dst[d]);
  }
  if (walk->dims.empty()) *walk = {.dims = {1}, .a = {0}, .b = {0}, .dst = {1}};
  return walk->dims.size() <= kMaxRank;
}

struct Steps {
  int64_t a, b;
};

// Calls row(a offset, b offset, dst offset, count, steps) over dst.
template <typename Row>
void ForRows(const RunArgs& args, const Walk& walk, const Row& row) {
  constexpr int64_t kBlock = 4096;
  const size_t outer = walk.dims.size() - 1;
  const int64_t length = walk.dims[outer];
  const Steps steps{walk.a[outer], walk.b[outer]};
  int64_t rows = 1;
  for (size_t d = 0; d < outer; ++d) rows *= walk.dims[d];
  if (rows == 0 || length == 0) return;
  const int64_t blocks = (length + kBlock - 1) / kBlock;
  ForRange(*args.parallel, rows * blocks, 2 * std::min(length, kBlock),
           [&](int64_t begin, int64_t end) {
             Odometer<3> at(walk.dims.data(), outer,
                            {walk.a.data(), walk.b.data(), walk.dst.data()}, begin / blocks);
             for (int64_t unit = begin; unit < end; ++unit) {
               const int64_t first = unit % blocks * kBlock;
               row(at.offset(0) + first * steps.a, at.offset(1) + first * steps.b,
                   at.offset(2) + first, std::min(kBlock, length - first), steps);
               if (first + kBlock >= length) at.Next();
             }
           });
}

struct AddParams {
  float ra, rb, fixed;
};
struct MulParams {
  int32_t a_zero, b_zero;
  float ratio, zero;
};

inline AddParams AddParamsOf(const BinarySpec& spec) {
  AddParams p{};
  p.ra = spec.a_params.scale / spec.dst_params.scale;
  p.rb = spec.b_params.scale / spec.dst_params.scale;
  const float zeros = std::fma(p.ra, static_cast<float>(spec.a_params.zero_point),
                               p.rb * static_cast<float>(spec.b_params.zero_point));
  p.fixed = static_cast<float>(spec.dst_params.zero_point) - zeros;
  return p;
}

inline MulParams MulParamsOf(const BinarySpec& spec) {
  return {.a_zero = spec.a_params.zero_point,
          .b_zero = spec.b_params.zero_point,
          .ratio = spec.a_params.scale * spec.b_params.scale / spec.dst_params.scale,
          .zero = static_cast<float>(spec.dst_params.zero_point)};
}

}  // namespace fourfold::kernels::reference
