#include "server/runtime/model.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/contents.h"
#include "server/graph/names.h"

namespace fourfold::runtime {
namespace {

std::vector<TensorInfo> Describe(const graph::Graph& graph,
                                 const std::vector<graph::ValueId>& ids) {
  std::vector<TensorInfo> infos;
  for (graph::ValueId id : ids) {
    const graph::Value& value = graph.value(id);
    infos.push_back(
        {value.name, value.type, value.shape.value_or(graph::Shape{graph::kUnknownDim})});
  }
  return infos;
}

bool FirstVaries(const std::vector<TensorInfo>& tensors) {
  for (const TensorInfo& tensor : tensors) {
    if (tensor.shape.empty() || tensor.shape[0] != graph::kUnknownDim) return false;
  }
  return !tensors.empty();
}

PlanOptions OptionsFor(const ModelOptions& model, kernels::PackedWeights* packed) {
  PlanOptions options;
  options.features = model.features;
  options.threads = model.threads;
  options.packed = packed;
  options.engine = model.engine;
  return options;
}

}  // namespace

Model::Model(graph::Graph graph, ModelOptions options)
    : graph_(std::move(graph)),
      options_(std::move(options)),
      inputs_(Describe(graph_, graph_.inputs)),
      outputs_(Describe(graph_, graph_.outputs)),
      packed_(std::make_unique<kernels::PackedWeights>()),
      program_(graph_, OptionsFor(options_, packed_.get()), options_.plans_max) {
  batchable_ = FirstVaries(inputs_) && FirstVaries(outputs_) && !dynamic() && !wants_contents();
}

std::string Model::batching() const {
  const auto said = graph_.metadata.find(graph::kBatchingKey);
  if (said != graph_.metadata.end()) return said->second;
  if (batchable_) return "batched: exported for any number of samples";
  return dynamic() || wants_contents() ? "one by one: shapes depend on the data"
                                       : "one by one: a first dimension is fixed";
}

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

absl::StatusOr<std::shared_ptr<const Plan>> Model::Compile(const std::vector<graph::Shape>& shapes,
                                                           size_t arena_bytes_max) const {
  RETURN_IF_ERROR(CheckStatic());
  return program_.plan().Compile(shapes, {}, arena_bytes_max);
}

absl::StatusOr<std::shared_ptr<const Plan>> Model::PlanFor(
    const std::vector<graph::Shape>& shapes, std::span<const void* const> inputs) const {
  RETURN_IF_ERROR(CheckStatic());
  return program_.plan().Get(shapes, inputs);
}

absl::Status Model::CheckStatic() const {
  if (!dynamic()) return absl::OkStatus();
  return absl::FailedPreconditionError("the model's shapes depend on data: no plan runs all of it");
}

namespace {

size_t ConstantBytes(const graph::Graph& graph, std::set<const void*>& counted) {
  size_t bytes = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const graph::TensorPtr& constant = graph.value(static_cast<graph::ValueId>(i)).constant;
    if (constant != nullptr && counted.insert(constant->data()).second) bytes += constant->bytes();
  }
  for (const graph::Node& node : graph.nodes) {
    for (const auto& body : graph::Bodies(node.operation)) bytes += ConstantBytes(*body, counted);
  }
  return bytes;
}

}  // namespace

size_t Model::weight_bytes() const {
  std::set<const void*> counted;
  return packed_->bytes() + ConstantBytes(graph_, counted);
}

}  // namespace fourfold::runtime
