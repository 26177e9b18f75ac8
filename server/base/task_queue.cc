#include "server/base/task_queue.h"

#include <sys/resource.h>

#include <utility>

namespace fourfold::base {

TaskQueue::TaskQueue(int threads, Priority priority) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this, priority] { Work(priority); });
}

TaskQueue::~TaskQueue() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void TaskQueue::Post(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
}

void TaskQueue::Work(Priority priority) {
  constexpr int kNice = 5;
  // On Linux the calling thread's own, whatever POSIX says; of no consequence where it is refused.
  if (priority == Priority::kBackground) (void)setpriority(PRIO_PROCESS, 0, kNice);
  while (true) {
    std::function<void()> task;
    {
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return closed_ || !tasks_.empty();
      };
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace fourfold::base
