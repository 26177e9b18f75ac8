#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/base/clock.h"
#include "server/publish/job.h"
#include "server/publish/quantizer.h"
#include "server/registry/model_registry.h"
#include "server/runtime/model.h"
#include "server/store/model_store.h"

namespace fourfold::publish {

struct PublisherOptions {
  QuantizerOptions quantizer;
  runtime::ModelOptions model;  // how published variants are served
  int jobs_max = 8;             // uploads being received, queued or running together
  int jobs_kept = 100;          // that have ended and can still be asked for
  const base::Clock* clock = &base::SystemClock();  // outlives the publisher
};

// What a publisher works with; all outlive it.
struct PublisherParts {
  store::ModelStore& store;
  registry::ModelRegistry& registry;
  telemetry::Metrics& metrics;
};

// 16 random hexadecimal digits.
std::string NewJobId();

// Turns staged uploads into served models, one at a time: runs the quantizer, checks and stores
// what it made, loads it and puts it into the registry. Thread-safe. Destruction cancels what is
// not done.
class Publisher {
 public:
  // A place among jobs_max, given back at destruction. Outlived by the publisher.
  class Place {
   public:
    Place(Place&& other) noexcept : publisher_(std::exchange(other.publisher_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    friend class Publisher;
    explicit Place(Publisher* publisher) : publisher_(publisher) {}
    Publisher* publisher_;
  };

  Publisher(PublisherParts parts, PublisherOptions options);
  ~Publisher();

  // Asked before anything is received. RESOURCE_EXHAUSTED if jobs_max are under way, UNAVAILABLE
  // after Stop.
  absl::StatusOr<Place> Admit();

  // Queues a job; `staging` is sealed. `variants` empty: all.
  absl::StatusOr<Job> Start(Place place, std::string id, std::unique_ptr<store::Staging> staging,
                            std::vector<std::string> variants);

  absl::StatusOr<Job> Get(const std::string& id) const;  // NOT_FOUND
  std::vector<Job> List() const;                         // newest first

  // The job as it is then; a running one ends soon. NOT_FOUND, FAILED_PRECONDITION if it has ended.
  absl::StatusOr<Job> Cancel(const std::string& id);

  // Called with each change, on any thread, without a lock, perhaps in disorder: see Job::sequence.
  using Watcher = std::function<void(const Job&)>;

  // Calls the watcher with the job as it is, then with each change, as long as the handle lives and
  // a moment longer. NOT_FOUND.
  absl::StatusOr<std::shared_ptr<const Watcher>> Watch(const std::string& id, Watcher watcher);

  // Admits no more, cancels all and waits for the running one to end.
  void Stop();

 private:
  struct Entry {
    Job job;
    std::unique_ptr<store::Staging> staging;  // until it has ended
    std::vector<std::string> variants;
    std::shared_ptr<QuantizerRun> run;  // while it runs
    bool cancelled = false;
    std::vector<std::weak_ptr<const Watcher>> watchers;
    std::unique_ptr<Place> place;
  };
  using EntryPtr = std::shared_ptr<Entry>;

  void Work();
  absl::Status Execute(const EntryPtr& entry, const std::shared_ptr<QuantizerRun>& run);
  absl::Status GoLive(const EntryPtr& entry);
  bool IsCancelled(const EntryPtr& entry);
  // Changes the job under the lock, then tells its watchers.
  void Change(const EntryPtr& entry, const std::function<void(Job&)>& change);
  void Finish(const EntryPtr& entry, const absl::Status& status);
  EntryPtr FindLocked(const std::string& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetOldLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PublisherParts parts_;
  const PublisherOptions options_;

  mutable absl::Mutex mutex_;
  std::deque<EntryPtr> entries_ ABSL_GUARDED_BY(mutex_);  // oldest first
  std::deque<EntryPtr> queue_ ABSL_GUARDED_BY(mutex_);    // oldest first
  int places_taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread worker_;
};

}  // namespace fourfold::publish
