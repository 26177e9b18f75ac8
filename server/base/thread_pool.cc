#include "server/base/thread_pool.h"

#include <algorithm>

namespace fourfold::base {
namespace {

thread_local bool inside_loop = false;

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(std::max(threads, 1)) {
  workers_.reserve(static_cast<size_t>(threads_ - 1));
  for (int i = 1; i < threads_; ++i) workers_.emplace_back([this] { Work(); });
}

ThreadPool::~ThreadPool() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::For(int count, const std::function<void(int)>& task) {
  if (count <= 1 || threads_ == 1 || inside_loop) {
    for (int i = 0; i < count; ++i) task(i);
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    task_ = &task;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    busy_ = threads_ - 1;
    ++loops_;
  }
  inside_loop = true;
  for (int i = next_.fetch_add(1); i < count; i = next_.fetch_add(1)) task(i);
  inside_loop = false;
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](int* busy) { return *busy == 0; }, &busy_));
  task_ = nullptr;
}

void ThreadPool::Work() {
  inside_loop = true;  // whatever runs here is part of a loop
  int64_t done = 0;
  while (true) {
    const std::function<void(int)>* task = nullptr;
    int count = 0;
    {
      const auto ready = [this, &done]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return closed_ || loops_ != done;
      };
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (loops_ == done) return;
      done = loops_;
      task = task_;
      count = count_;
    }
    for (int i = next_.fetch_add(1); i < count; i = next_.fetch_add(1)) (*task)(i);
    absl::MutexLock lock(&mutex_);
    --busy_;
  }
}

}  // namespace fourfold::base
