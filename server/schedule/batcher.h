#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/schedule/job.h"

namespace fourfold::schedule {

struct BatcherOptions {
  int64_t samples_max = 32;  // of one batch; 1: every request runs by itself
  // How long a request may be held back for others to join it. 0: a batch is what waits when a
  // worker comes free, so that nobody waits for company.
  absl::Duration delay_max = absl::ZeroDuration();
  int queue_max = 256;  // requests that wait, of each variant
  int workers = 1;      // who share what waits
};

// Requests that wait, in groups that could run together: the same variant and equal shapes. Batches
// hold 1, 2, 4, 8... requests, because each size has a plan of its own; a size whose plan is not
// there yet is noted for preparing, and the next smaller one is taken meanwhile.
// Not thread-safe: the scheduler's lock guards it.
class Batcher {
 public:
  explicit Batcher(BatcherOptions options) : options_(options) {}

  // RESOURCE_EXHAUSTED if queue_max requests of the variant wait; the job is then untouched.
  absl::Status Add(Job&& job);

  // A request that ran out of time or whose caller has gone, and which of the two.
  struct Dropped {
    Job job;
    absl::Status why;
  };

  // The batch whose oldest request has waited longest, among those that are due: full, or held back
  // for delay_max, or as long as the earliest deadline allows. Nothing if none is due. Requests met
  // on the way that are not wanted any more are taken out and put in `dropped`.
  std::optional<Batch> Next(absl::Time now, std::vector<Dropped>* dropped);

  // When the next batch is due if nothing is added; InfiniteFuture if nothing waits.
  absl::Time NextDue() const;

  // From now on nothing is held back.
  void StopHolding() { options_.delay_max = absl::ZeroDuration(); }

  // A size that Next would have liked to use.
  struct Wanted {
    std::shared_ptr<const registry::Variant> variant;
    std::vector<graph::Shape> shapes;  // of one request
    int64_t count = 0;
  };
  std::vector<Wanted> TakeWanted() { return std::exchange(wanted_, {}); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Everything that waits, oldest of each group first.
  std::vector<Job> TakeAll();

 private:
  struct Group {
    std::deque<Job> jobs;                              // oldest first, never empty
    int64_t count_max = 1;                             // requests of a batch
    absl::Time start_latest = absl::InfiniteFuture();  // so that the earliest deadline is kept
  };
  using Groups = std::list<Group>;

  Groups::iterator Find(const Job& job);
  Groups::iterator OldestDue(absl::Time now);
  // `count` requests of the variant wait no more.
  void Left(const registry::Variant& variant, size_t count);
  void DropUnwanted(Group& group, absl::Time now, std::vector<Dropped>* dropped);
  absl::Time Due(const Group& group) const;
  int64_t CountToTake(const Group& group, std::shared_ptr<const runtime::Plan>* plan);

  BatcherOptions options_;
  Groups groups_;
  std::map<const registry::Variant*, int> waiting_;  // requests of each variant that has any
  size_t size_ = 0;
  std::vector<Wanted> wanted_;
};

}  // namespace fourfold::schedule
