#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fourfold::base {

// A fixed number of threads that work on one loop at a time; the caller is one of them. For is
// called by one thread at a time, the pool's owner. A For inside a task runs on the thread that
// calls it.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // at least 1; starts threads - 1
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls task(i) for each i in [0, count) and returns when all are done. Tasks do not throw.
  void For(int count, const std::function<void(int)>& task);

 private:
  void Work();

  const int threads_;
  std::atomic<int> next_{0};  // the next index of the loop under way

  absl::Mutex mutex_;
  const std::function<void(int)>* task_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t loops_ ABSL_GUARDED_BY(mutex_) = 0;  // started so far
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;       // threads that have not finished this loop
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> workers_;
};

}  // namespace fourfold::base
