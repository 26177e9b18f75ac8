#include "server/registry/model_registry.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace fourfold::registry {
namespace {

absl::Status NoModel(const std::string& model, int64_t version) {
  const std::string name = absl::CHexEscape(absl::string_view(model).substr(0, 128));
  if (version == 0) return absl::NotFoundError(absl::StrCat("model \"", name, "\" is not loaded"));
  return absl::NotFoundError(
      absl::StrCat("model \"", name, "\" version ", version, " is not loaded"));
}

}  // namespace

std::shared_ptr<const Variant> ModelVersion::Find(absl::string_view variant) const {
  for (const auto& candidate : variants) {
    if (candidate->name == variant) return candidate;
  }
  return nullptr;
}

const std::shared_ptr<const Variant>& ModelVersion::Default() const {
  for (const auto& candidate : variants) {
    if (candidate->figures.is_default) return candidate;
  }
  return variants.front();
}

ModelRegistry::ModelRegistry(std::function<void()> on_change)
    : on_change_(std::move(on_change)), snapshot_(std::make_shared<const Snapshot>()) {}

std::shared_ptr<const Snapshot> ModelRegistry::snapshot() const {
  absl::MutexLock lock(&mutex_);
  return snapshot_;
}

absl::StatusOr<std::shared_ptr<const ModelVersion>> ModelRegistry::Find(const std::string& model,
                                                                        int64_t version) const {
  const std::shared_ptr<const Snapshot> now = snapshot();
  const auto versions = now->find(model);
  if (versions == now->end()) return NoModel(model, 0);
  if (version == 0) return versions->second.rbegin()->second;
  const auto found = versions->second.find(version);
  if (found == versions->second.end()) return NoModel(model, version);
  return found->second;
}

void ModelRegistry::Replace(std::shared_ptr<const ModelVersion> version) {
  std::shared_ptr<const Snapshot> old;  // freed without the lock
  {
    absl::MutexLock lock(&mutex_);
    auto next = std::make_shared<Snapshot>(*snapshot_);
    (*next)[version->model][version->version] = std::move(version);
    old = std::move(snapshot_);
    snapshot_ = std::move(next);
  }
  if (on_change_) on_change_();
}

absl::StatusOr<std::vector<int64_t>> ModelRegistry::Remove(const std::string& model,
                                                           int64_t version) {
  std::shared_ptr<const Snapshot> old;  // freed without the lock
  std::vector<int64_t> removed;
  {
    absl::MutexLock lock(&mutex_);
    const auto versions = snapshot_->find(model);
    if (versions == snapshot_->end()) return NoModel(model, 0);
    for (const auto& [number, entry] : versions->second) {
      if (version == 0 || number == version) removed.push_back(number);
    }
    if (removed.empty()) return NoModel(model, version);
    auto next = std::make_shared<Snapshot>(*snapshot_);
    for (const int64_t number : removed) (*next)[model].erase(number);
    if ((*next)[model].empty()) next->erase(model);
    old = std::move(snapshot_);
    snapshot_ = std::move(next);
  }
  if (on_change_) on_change_();
  return removed;
}

}  // namespace fourfold::registry
