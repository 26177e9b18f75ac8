#include "loadtest/closed_loop.h"

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fourfold::loadtest {
namespace {

// As many chains of calls as the concurrency; each call's end starts its chain's next.
class ClosedLoop {
 public:
  ClosedLoop(const ClosedLoopOptions& options, const CallOrder& order, const Send& send,
             const Observe& observe, const std::atomic<bool>& stop)
      : concurrency_(options.concurrency),
        requests_max_(options.requests_max),
        measured_begin_(Clock::now() + options.warmup),
        end_(measured_begin_ + options.duration),
        order_(order),
        send_(send),
        observe_(observe),
        stop_(stop),
        chains_(options.concurrency) {}

  LoopResult Run() {
    for (int i = 0; i < concurrency_; ++i) Next();
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* chains) { return *chains == 0; }, &chains_));
    return {measured_begin_, 0, interrupted_};
  }

 private:
  void Next() {
    const Clock::time_point sent = Clock::now();
    const bool measured = sent >= measured_begin_;
    const bool stopped = stop_.load(std::memory_order_relaxed);
    if (stopped || sent >= end_ || (measured && ++measured_ > requests_max_)) {
      const absl::MutexLock lock(&mutex_);
      interrupted_ = interrupted_ || stopped;
      --chains_;
      return;
    }
    const Call call = order_.At(index_++);
    send_(call, [this, call, measured, sent](const Answer& answer) {
      observe_({call, measured, sent, sent, Clock::now(), answer});
      Next();
    });
  }

  const int concurrency_;
  const int64_t requests_max_;
  const Clock::time_point measured_begin_;
  const Clock::time_point end_;
  const CallOrder& order_;
  const Send& send_;
  const Observe& observe_;
  const std::atomic<bool>& stop_;

  std::atomic<int64_t> index_ = 0;
  std::atomic<int64_t> measured_ = 0;

  absl::Mutex mutex_;
  int chains_ ABSL_GUARDED_BY(mutex_);  // that have not ended
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

LoopResult RunClosedLoop(const ClosedLoopOptions& options, const CallOrder& order, const Send& send,
                         const Observe& observe, const std::atomic<bool>& stop) {
  return ClosedLoop(options, order, send, observe, stop).Run();
}

}  // namespace fourfold::loadtest
