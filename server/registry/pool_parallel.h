#pragma once

#include "kernels/kernel.h"
#include "server/base/thread_pool.h"

namespace fourfold::registry {

// Lends a thread pool of its own to kernels. Used by one run at a time.
class PoolParallel final : public kernels::Parallel {
 public:
  explicit PoolParallel(int threads) : pool_(threads) {}
  int threads() const override { return pool_.threads(); }
  void For(int count, const std::function<void(int)>& task) override;

 private:
  base::ThreadPool pool_;
};

}  // namespace fourfold::registry
