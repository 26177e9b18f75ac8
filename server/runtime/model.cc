#include "server/runtime/model.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace fourfold::runtime {
namespace {

std::vector<TensorInfo> Describe(const graph::Graph& graph,
                                 const std::vector<graph::ValueId>& ids) {
  std::vector<TensorInfo> infos;
  for (graph::ValueId id : ids) {
    const graph::Value& value = graph.value(id);
    infos.push_back({value.name, value.type, value.shape.value_or(graph::Shape{})});
  }
  return infos;
}

bool FirstVaries(const std::vector<TensorInfo>& tensors) {
  for (const TensorInfo& tensor : tensors) {
    if (tensor.shape.empty() || tensor.shape[0] != graph::kUnknownDim) return false;
  }
  return !tensors.empty();
}

}  // namespace

Model::Model(graph::Graph graph, ModelOptions options)
    : graph_(std::move(graph)),
      options_(std::move(options)),
      inputs_(Describe(graph_, graph_.inputs)),
      outputs_(Describe(graph_, graph_.outputs)),
      batchable_(FirstVaries(inputs_) && FirstVaries(outputs_)),
      packed_(std::make_unique<kernels::PackedWeights>()) {}

absl::StatusOr<std::vector<graph::Shape>> Model::ShapesForBatch(int64_t batch) const {
  std::vector<graph::Shape> shapes;
  for (const TensorInfo& input : inputs_) {
    graph::Shape shape = input.shape;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] != graph::kUnknownDim) continue;
      if (i != 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", input.name, " ", graph::ShapeText(shape), ": dimension ", i,
                         " varies; only the first one (the batch) may be left open here"));
      }
      shape[i] = batch;
    }
    shapes.push_back(std::move(shape));
  }
  if (batch != 1 && !batchable_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch ", batch, " asked for, but the model fixes the first dimension of its inputs"));
  }
  return shapes;
}

std::shared_ptr<const Plan> Model::Cached(const std::vector<graph::Shape>& shapes) const {
  const absl::MutexLock lock(&mutex_);
  for (auto entry = plans_.begin(); entry != plans_.end(); ++entry) {
    if (entry->shapes != shapes) continue;
    plans_.splice(plans_.begin(), plans_, entry);
    return plans_.front().plan;
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<const Plan>> Model::Compile(const std::vector<graph::Shape>& shapes,
                                                           size_t arena_bytes_max) const {
  PlanOptions options;
  options.arena_bytes_max = arena_bytes_max;
  options.features = options_.features;
  options.threads = options_.threads;
  options.packed = packed_.get();
  options.engine = options_.engine;
  return CompilePlan(graph_, shapes, options);
}

absl::StatusOr<std::shared_ptr<const Plan>> Model::PlanFor(
    const std::vector<graph::Shape>& shapes) const {
  if (std::shared_ptr<const Plan> plan = Cached(shapes)) return plan;
  const absl::MutexLock one(&compiling_);
  if (std::shared_ptr<const Plan> plan = Cached(shapes)) return plan;  // somebody else made it
  ASSIGN_OR_RETURN(std::shared_ptr<const Plan> plan, Compile(shapes));
  const absl::MutexLock lock(&mutex_);
  plans_.push_front({shapes, plan});
  if (plans_.size() > options_.plans_max) plans_.pop_back();
  return plan;
}

size_t Model::weight_bytes() const {
  size_t bytes = packed_->bytes();
  std::set<const void*> counted;
  for (size_t i = 0; i < graph_.value_count(); ++i) {
    const graph::TensorPtr& constant = graph_.value(static_cast<graph::ValueId>(i)).constant;
    if (constant != nullptr && counted.insert(constant->data()).second) bytes += constant->bytes();
  }
  return bytes;
}

}  // namespace fourfold::runtime
