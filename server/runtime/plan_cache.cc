#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/runtime/program.h"

namespace fourfold::runtime {

PlanCache::PlanCache(Stage stage, PlanOptions options, size_t plans_max)
    : stage_(std::move(stage)), options_(std::move(options)), plans_max_(plans_max) {}

absl::StatusOr<PlanCache::Key> PlanCache::KeyOf(const std::vector<graph::Shape>& shapes,
                                                std::span<const void* const> inputs) const {
  Key key{shapes, {}};
  const graph::Graph& graph = stage_.graph;
  for (size_t i = 0; i < stage_.wants_contents.size() && i < shapes.size(); ++i) {
    if (!stage_.wants_contents[i]) continue;
    const graph::Value& value = graph.value(graph.inputs[i]);
    if (i >= inputs.size() || inputs[i] == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", value.name, "' decides shapes, so its contents are wanted"));
    }
    const auto count = static_cast<size_t>(graph::ElementCount(shapes[i]));
    key.contents.emplace_back(static_cast<const char*>(inputs[i]),
                              count * graph::ElementSize(value.type));
  }
  return key;
}

std::shared_ptr<const Plan> PlanCache::Cached(const Key& key) const {
  const absl::MutexLock lock(&mutex_);
  for (auto entry = plans_.begin(); entry != plans_.end(); ++entry) {
    if (!(entry->key == key)) continue;
    plans_.splice(plans_.begin(), plans_, entry);
    return plans_.front().plan;
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<const Plan>> PlanCache::CompileKey(const Key& key,
                                                                  size_t arena_bytes_max) const {
  std::vector<graph::TensorPtr> contents(key.shapes.size());
  size_t next = 0;
  for (size_t i = 0; i < contents.size() && i < stage_.wants_contents.size(); ++i) {
    if (!stage_.wants_contents[i]) continue;
    const std::string& bytes = key.contents[next++];
    contents[i] = graph::Tensor::Copy(stage_.graph.value(stage_.graph.inputs[i]).type,
                                      key.shapes[i], std::as_bytes(std::span(bytes)));
  }
  PlanOptions options = options_;
  options.arena_bytes_max = std::min(options.arena_bytes_max, arena_bytes_max);
  return CompilePlan(stage_.graph, key.shapes, contents, options);
}

std::vector<std::shared_ptr<const Plan>> PlanCache::Plans() const {
  const absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<const Plan>> plans;
  for (const Entry& entry : plans_) plans.push_back(entry.plan);
  return plans;
}

absl::StatusOr<std::shared_ptr<const Plan>> PlanCache::Compile(
    const std::vector<graph::Shape>& shapes, std::span<const void* const> inputs,
    size_t arena_bytes_max) const {
  ASSIGN_OR_RETURN(const Key key, KeyOf(shapes, inputs));
  return CompileKey(key, arena_bytes_max);
}

absl::StatusOr<std::shared_ptr<const Plan>> PlanCache::Get(
    const std::vector<graph::Shape>& shapes, std::span<const void* const> inputs) const {
  ASSIGN_OR_RETURN(Key key, KeyOf(shapes, inputs));
  if (std::shared_ptr<const Plan> plan = Cached(key)) return plan;
  const absl::MutexLock one(&compiling_);
  if (std::shared_ptr<const Plan> plan = Cached(key)) return plan;  // somebody else made it
  ASSIGN_OR_RETURN(std::shared_ptr<const Plan> plan, CompileKey(key, options_.arena_bytes_max));
  const absl::MutexLock lock(&mutex_);
  plans_.push_front({std::move(key), plan});
  if (plans_.size() > plans_max_) plans_.pop_back();
  return plan;
}

}  // namespace fourfold::runtime
