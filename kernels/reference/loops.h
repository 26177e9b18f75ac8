#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

// Compiles a plain loop for wider registers as well, chosen when the program starts. Only for loops
// whose results cannot differ: this library is built without contraction of a * b + c.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FOURFOLD_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOURFOLD_CLONES
#endif
#if defined(__GNUC__)
#define FOURFOLD_INLINE inline __attribute__((always_inline))
#else
#define FOURFOLD_INLINE inline
#endif

namespace fourfold::kernels::reference {

// A prepared kernel that is one function object.
template <typename Function>
class FunctionKernel final : public PreparedKernel {
 public:
  FunctionKernel(std::string_view name, Function run, size_t scratch_bytes, size_t packed_bytes)
      : name_(name),
        run_(std::move(run)),
        scratch_bytes_(scratch_bytes),
        packed_bytes_(packed_bytes) {}

  void Run(const RunArgs& args) const override { run_(args); }
  std::string_view implementation() const override { return name_; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  size_t packed_bytes() const override { return packed_bytes_; }

 private:
  const std::string_view name_;  // a literal
  const Function run_;
  const size_t scratch_bytes_;
  const size_t packed_bytes_;
};

template <typename Function>
PreparedPtr MakeKernel(std::string_view name, Function run, size_t scratch_bytes = 0,
                       size_t packed_bytes = 0) {
  return std::make_unique<FunctionKernel<Function>>(name, std::move(run), scratch_bytes,
                                                    packed_bytes);
}

// Calls function(begin, end) over parts of [0, count), on several threads if the whole is worth it.
// `work` is the cost of one item in simple operations.
template <typename Function>
void ForRange(Parallel& parallel, int64_t count, int64_t work, const Function& function) {
  constexpr int64_t kWorthAThread = 32768;
  const int64_t total = count * std::max<int64_t>(work, 1);
  const int64_t parts =
      std::min({count, static_cast<int64_t>(parallel.threads()), total / kWorthAThread + 1});
  if (parts <= 1) {
    if (count > 0) function(int64_t{0}, count);
    return;
  }
  const auto part = [&](int i) { function(count * i / parts, count * (i + 1) / parts); };
  parallel.For(static_cast<int>(parts), std::cref(part));  // a reference: nothing is allocated
}

inline constexpr size_t kMaxRank = 16;

// Walks the indices of `dims` in row-major order, keeping one offset for each of N arrays of
// strides.
template <size_t N>
class Odometer {
 public:
  using StridesOf = std::array<const int64_t*, N>;

  Odometer(const int64_t* dims, size_t rank, StridesOf strides, int64_t start)
      : dims_(dims), rank_(rank), strides_(strides) {
    for (size_t d = rank; d-- > 0;) {
      if (dims[d] == 0) continue;  // nothing to walk
      index_[d] = start % dims[d];
      start /= dims[d];
      for (size_t k = 0; k < N; ++k) offset_[k] += index_[d] * strides_[k][d];
    }
  }

  int64_t offset(size_t k) const { return offset_[k]; }

  void Next() {
    for (size_t d = rank_; d-- > 0;) {
      for (size_t k = 0; k < N; ++k) offset_[k] += strides_[k][d];
      if (++index_[d] < dims_[d]) return;
      for (size_t k = 0; k < N; ++k) offset_[k] -= strides_[k][d] * dims_[d];
      index_[d] = 0;
    }
  }

 private:
  const int64_t* dims_;
  size_t rank_;
  StridesOf strides_;
  std::array<int64_t, kMaxRank> index_{};
  std::array<int64_t, N> offset_{};
};

// The dimensions in their order in memory: {0, 2, 3, 1} for channels-last images.
inline std::vector<size_t> MemoryOrder(size_t rank, Layout layout) {
  std::vector<size_t> order;
  for (size_t d = 0; d < rank; ++d) {
    if (d != 1 || layout != Layout::kChannelsLast || rank < 3) order.push_back(d);
  }
  if (order.size() < rank) order.push_back(1);
  return order;
}

// Rounds half to even where |value| < 2^22, which vectorises everywhere.
FOURFOLD_INLINE float RoundSmall(float value) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23
  return (value + kShift) - kShift;
}

// RoundAndSaturate of arithmetic.h, with the same results, for inner loops.
template <typename T>
FOURFOLD_INLINE T Saturate(float value, float zero) {
  constexpr float kLow = static_cast<float>(std::numeric_limits<T>::min());
  constexpr float kHigh = static_cast<float>(std::numeric_limits<T>::max());
  value = value != value ? 0.0f : value;
  value = value < kLow - zero ? kLow - zero : value;
  value = value > kHigh - zero ? kHigh - zero : value;
  return static_cast<T>(static_cast<int32_t>(RoundSmall(value) + zero));
}

template <typename T>
const T* Input(const RunArgs& args, size_t i) {
  return static_cast<const T*>(args.inputs[i]);
}
template <typename T>
T* Output(const RunArgs& args, size_t i = 0) {
  return static_cast<T*>(args.outputs[i]);
}

inline bool IsInteger8(ElementType type) {
  return type == ElementType::kUint8 || type == ElementType::kInt8;
}

}  // namespace fourfold::kernels::reference
