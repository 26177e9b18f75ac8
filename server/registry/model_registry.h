#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/registry/model_version.h"

namespace fourfold::registry {

// model -> version -> what can be run, ascending.
using Snapshot = std::map<std::string, std::map<int64_t, std::shared_ptr<const ModelVersion>>>;

// The models that can be inferred: an immutable snapshot, swapped whole. Who holds a snapshot, a
// version or a variant keeps it in memory until done. Thread-safe.
class ModelRegistry {
 public:
  // `on_change` is called after each swap, without a lock; it reads snapshot(). May be null.
  explicit ModelRegistry(std::function<void()> on_change = nullptr);

  std::shared_ptr<const Snapshot> snapshot() const;

  // Version 0 is the newest. NOT_FOUND.
  absl::StatusOr<std::shared_ptr<const ModelVersion>> Find(const std::string& model,
                                                           int64_t version) const;

  // Adds the version or takes the place of the one with its number.
  void Replace(std::shared_ptr<const ModelVersion> version);

  // Version 0 is all of them. The versions that went, ascending; NOT_FOUND if there were none.
  absl::StatusOr<std::vector<int64_t>> Remove(const std::string& model, int64_t version);

 private:
  const std::function<void()> on_change_;

  mutable absl::Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fourfold::registry
