#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/kernel.h"

namespace fourfold::kernels::testing {

// Three threads for each call, so that sharing of work is exercised whatever the machine.
class ThreeThreads final : public Parallel {
 public:
  int threads() const override { return 3; }
  void For(int count, const std::function<void(int)>& task) override {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back([&task, i] { task(i); });
    for (std::thread& thread : threads) thread.join();
  }
};

// The random numbers of one test, from a seed that a failure shows.
class Random {
 public:
  explicit Random(uint32_t seed)
      : engine_(seed), trace_(__FILE__, __LINE__, "seed " + std::to_string(seed)) {}

  int64_t Integer(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  float Real(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(engine_);
  }

  template <typename T>
  std::vector<T> Integers(int64_t count, int64_t low = std::numeric_limits<T>::min(),
                          int64_t high = std::numeric_limits<T>::max()) {
    std::vector<T> values(static_cast<size_t>(count));
    for (T& value : values) value = static_cast<T>(Integer(low, high));
    return values;
  }
  std::vector<float> Reals(int64_t count, float low = -1.0f, float high = 1.0f) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = Real(low, high);
    return values;
  }

 private:
  std::mt19937 engine_;
  ::testing::ScopedTrace trace_;
};

// An output with a pattern before and after it, at an odd distance from any alignment but T's.
template <typename T>
class Guarded {
 public:
  explicit Guarded(int64_t count, size_t shift = 1)
      : bytes_((2 * kGuard + shift + static_cast<size_t>(count)) * sizeof(T), 0xA5),
        count_(static_cast<size_t>(count)),
        at_((kGuard + shift) * sizeof(T)) {}

  T* data() { return reinterpret_cast<T*>(bytes_.data() + at_); }
  std::vector<T> values() { return std::vector<T>(data(), data() + count_); }
  bool intact() const {
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if ((i < at_ || i >= at_ + count_ * sizeof(T)) && bytes_[i] != 0xA5) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 64;
  std::vector<unsigned char> bytes_;
  size_t count_;
  size_t at_;
};

// A copy of values whose end is the end of readable memory: what reads one byte behind it stops the
// program. Its beginning has no alignment but T's.
template <typename T>
class Fenced {
 public:
  explicit Fenced(const std::vector<T>& values) : count_(values.size()) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = count_ * sizeof(T), readable = (bytes + page - 1) / page * page;
    bytes_ = readable + page;
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    auto* const fence = static_cast<unsigned char*>(memory_) + readable;
    mprotect(fence, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(fence - bytes);
    if (bytes != 0) std::memcpy(data_, values.data(), bytes);
  }
  ~Fenced() { munmap(memory_, bytes_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;

  T* data() const { return data_; }
  size_t size() const { return count_; }

 private:
  size_t count_;
  size_t bytes_;  // with the page behind
  void* memory_;
  T* data_;
};

inline void Run(const PreparedKernel& kernel, std::vector<const void*> inputs,
                std::vector<void*> outputs, Parallel& parallel) {
  const size_t aligned = (kernel.scratch_bytes() + 63) / 64 * 64;
  const Fenced<unsigned char> scratch(std::vector<unsigned char>(aligned, 0xA5));
  kernel.Run(
      {.inputs = inputs, .outputs = outputs, .scratch = scratch.data(), .parallel = &parallel});
}

// The result of a prepared kernel, T elements.
template <typename T>
std::vector<T> RunKernel(const PreparedKernel& kernel, const std::vector<const void*>& inputs,
                         int64_t count, int threads = 1) {
  Guarded<T> dst(count);
  Sequential sequential;
  ThreeThreads three;
  Run(kernel, inputs, {dst.data()}, threads == 1 ? static_cast<Parallel&>(sequential) : three);
  EXPECT_TRUE(dst.intact()) << kernel.implementation() << " wrote outside of its output";
  return dst.values();
}

// The result of one engine's rows, T elements; empty where no row of it takes the spec.
template <typename T, typename Spec>
std::vector<T> RunEngine(std::span<const Kernel<Spec>> table, std::string_view engine,
                         const Spec& spec, const std::vector<const void*>& inputs, int64_t count,
                         int threads = 1) {
  // Rows that sum in float16 have tests with bounds of their own.
  const PrepareContext context{.features = DetectCpuFeatures() & ~kNeonFp16, .threads = threads};
  const PreparedPtr kernel = PrepareFirst(table, spec, context, engine);
  if (kernel == nullptr) return {};
  EXPECT_THAT(std::string(kernel->implementation()),
              ::testing::StartsWith(std::string(engine) + "/"));
  return RunKernel<T>(*kernel, inputs, count, threads);
}

// Largest |got - want| / (1 + |want|).
inline double Error(const std::vector<float>& got, const std::vector<float>& want) {
  double error = got.size() == want.size() ? 0.0 : INFINITY;
  for (size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    const double g = got[i], w = want[i];
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    const double e = std::fabs(g - w) / (1.0 + std::fabs(w));
    error = std::isnan(e) ? INFINITY : std::max(error, e);
  }
  return error;
}

// Whether this CPU offers what the row needs.
template <typename Spec>
bool IsSupported(const Kernel<Spec>& row) {
  return (row.needs & DetectCpuFeatures()) == row.needs;
}

// The reference with one and with three threads must give the same bytes. Every other row of the
// table that this CPU supports is run by itself, with the features that it needs and with all there
// are, with one and with three threads; where it takes the spec it must agree with the reference:
// exactly for integers, within `tolerance` for floats. Rows that sum in float16 have tests with
// bounds of their own. Returns the reference's result.
template <typename T, typename Spec>
std::vector<T> ExpectEnginesAgree(std::span<const Kernel<Spec>> table, const Spec& spec,
                                  const std::vector<const void*>& inputs, int64_t count,
                                  double tolerance) {
  const std::vector<T> want = RunEngine<T>(table, "reference", spec, inputs, count);
  EXPECT_EQ(static_cast<int64_t>(want.size()), count) << "the reference refused the spec";
  const std::vector<T> shared = RunEngine<T>(table, "reference", spec, inputs, count, 3);
  EXPECT_TRUE(shared.size() == want.size() &&
              std::memcmp(shared.data(), want.data(), want.size() * sizeof(T)) == 0)
      << "three threads changed the result";
  for (const Kernel<Spec>& row : table) {
    if (row.engine == "reference" || !IsSupported(row) || (row.needs & kNeonFp16) != 0) continue;
    for (const CpuFeatures features : {row.needs, DetectCpuFeatures()}) {
      for (const int threads : {1, 3}) {
        const PreparedPtr kernel = row.prepare(spec, {.features = features, .threads = threads});
        if (kernel == nullptr) continue;
        const std::vector<T> got = RunKernel<T>(*kernel, inputs, count, threads);
        if constexpr (std::is_same_v<T, float>) {
          EXPECT_LE(Error(got, want), tolerance) << kernel->implementation();
        } else {
          EXPECT_EQ(got, want) << kernel->implementation();
        }
      }
      if (features == DetectCpuFeatures()) break;
    }
  }
  return want;
}

}  // namespace fourfold::kernels::testing
