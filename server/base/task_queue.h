#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fourfold::base {

// Threads for work that may block on a disk, so that those who answer calls need not. Tasks start
// in the order of Post. Thread-safe. Destruction runs what was posted, then joins.
class TaskQueue {
 public:
  // Threads of kBackground yield to all others of the machine.
  enum class Priority { kNormal, kBackground };

  explicit TaskQueue(int threads, Priority priority = Priority::kNormal);
  ~TaskQueue();

  // The queue has no bound of its own: each caller has one task in it at a time.
  void Post(std::function<void()> task);

 private:
  void Work(Priority priority);

  absl::Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace fourfold::base
