#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "kernels/cpu_features.h"
#include "kernels/tensor.h"

namespace fourfold::kernels {

// Lends threads to a kernel for one call. Implemented by the caller's thread pool: kernels start
// none.
class Parallel {
 public:
  virtual ~Parallel() = default;

  // Threads that For may use, at least 1.
  virtual int threads() const = 0;

  // Calls task(i) for each i in [0, count), on any of the threads, and returns when all are done.
  virtual void For(int count, const std::function<void(int)>& task) = 0;
};

// Runs everything on the calling thread.
class Sequential final : public Parallel {
 public:
  int threads() const override { return 1; }
  void For(int count, const std::function<void(int)>& task) override {
    for (int i = 0; i < count; ++i) task(i);
  }
};

// What the data of a run made impossible (an index outside of its axis): the first report stays.
// Thread-safe.
class Fault {
 public:
  // `what` is a literal.
  void Report(const char* what) {
    const char* none = nullptr;
    what_.compare_exchange_strong(none, what, std::memory_order_relaxed);
  }
  const char* what() const { return what_.load(std::memory_order_relaxed); }  // null: nothing

 private:
  std::atomic<const char*> what_{nullptr};
};

// One call of a prepared kernel. Buffers are borrowed for the call, have the specs of the
// preparation, and outputs overlap no input unless the operation's header allows it.
struct RunArgs {
  std::span<const void* const> inputs;
  std::span<void* const> outputs;
  void* scratch = nullptr;  // scratch_bytes() of the kernel, aligned to 64; contents meaningless
  Parallel* parallel = nullptr;  // never null
  Fault* fault = nullptr;        // null: nobody asks
};

// An operation made ready for one spec: weights packed, implementation chosen.
// Immutable: Run is reentrant and allocates nothing. Where the data can be wrong (indices), it
// reports so to RunArgs::fault and goes on without reading or writing out of bounds.
class PreparedKernel {
 public:
  virtual ~PreparedKernel() = default;
  virtual void Run(const RunArgs& args) const = 0;

  // "engine/implementation", for reports and metric labels: "onednn/brgconv:avx512_core_vnni".
  virtual std::string_view implementation() const = 0;
  virtual size_t scratch_bytes() const { return 0; }

  // Whether products are summed in float16, which only kernels with float16 weights may do. Where a
  // sample's sums could overflow they are float32 nevertheless.
  virtual bool float16_arithmetic() const { return false; }

  // Packed constants that this kernel keeps in memory; what is shared counts in each.
  virtual size_t packed_bytes() const { return 0; }
};

// Packed constants shared by the plans (batch sizes) and instances of one variant. Thread-safe.
// Keys name the constant and its packed format.
class PackedWeights {
 public:
  using Buffer = std::shared_ptr<const void>;

  // The buffer of `key`, made by `pack` if nobody made it before. `pack` runs under the lock.
  Buffer GetOrPack(const std::string& key, size_t bytes, const std::function<Buffer()>& pack);

  // Bytes of all buffers.
  size_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Buffer> buffers_;  // guarded by mutex_
  size_t bytes_ = 0;                       // guarded by mutex_
};

// 64-byte aligned memory that frees itself.
std::shared_ptr<void> AllocateAligned(size_t bytes);

// What preparing needs beside the spec.
struct PrepareContext {
  CpuFeatures features = kNoFeatures;  // implementations that need more are passed over
  int threads = 1;                     // Parallel::threads() of the later calls
  PackedWeights* packed = nullptr;     // null: nothing is shared. Outlives the prepared kernels.
};

using PreparedPtr = std::unique_ptr<const PreparedKernel>;

// One row of an operation's table: the implementations, best first, the reference last.
template <typename Spec>
struct Kernel {
  std::string_view engine;                                     // "onednn", "neon", "reference"
  CpuFeatures needs;                                           // all of these
  PreparedPtr (*prepare)(const Spec&, const PrepareContext&);  // null: not for this spec
};

// The first implementation of `table` that takes the spec; null if none does. `engine` narrows the
// choice to one engine's rows (tests and benchmarks), empty means any.
template <typename Spec>
PreparedPtr PrepareFirst(std::span<const Kernel<Spec>> table, const Spec& spec,
                         const PrepareContext& context, std::string_view engine = {}) {
  for (const Kernel<Spec>& kernel : table) {
    if (!engine.empty() && kernel.engine != engine) continue;
    if ((kernel.needs & context.features) != kernel.needs) continue;
    if (PreparedPtr prepared = kernel.prepare(spec, context)) return prepared;
  }
  return nullptr;
}

}  // namespace fourfold::kernels
