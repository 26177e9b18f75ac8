#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::ValueId;

absl::StatusOr<graph::ScatterReduction> ReadReduction(NodeBuilder& node) {
  using Reduction = graph::ScatterReduction;
  if (node.opset() < 16) return Reduction::kNone;
  const std::string name = node.attributes().String("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMul;
  if (name == "max" && node.opset() >= 18) return Reduction::kMax;
  if (name == "min" && node.opset() >= 18) return Reduction::kMin;
  return absl::UnimplementedError(absl::StrCat("reduction ", Quoted(name)));
}

}  // namespace

absl::Status BuildGather(NodeBuilder& node) {
  node.Emit(graph::Gather{.axis = node.attributes().Int("axis", 0)}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildGatherElements(NodeBuilder& node) {
  node.Emit(graph::GatherElements{.axis = node.attributes().Int("axis", 0)}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildGatherNd(NodeBuilder& node) {
  const int64_t batch_dims = node.opset() < 12 ? 0 : node.attributes().Int("batch_dims", 0);
  node.Emit(graph::GatherNd{.batch_dims = batch_dims}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildScatterElements(NodeBuilder& node) {
  graph::ScatterElements scatter{.axis = node.attributes().Int("axis", 0)};
  ASSIGN_OR_RETURN(scatter.reduction, ReadReduction(node));
  node.Emit(scatter, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildScatterNd(NodeBuilder& node) {
  graph::ScatterNd scatter;
  ASSIGN_OR_RETURN(scatter.reduction, ReadReduction(node));
  node.Emit(scatter, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildTopKAttributes(NodeBuilder& node) {
  node.attributes().Require("k");
  const ValueId k = node.NewInt64s("k", {node.attributes().Int("k", 0)});
  node.Emit(graph::TopK{.axis = node.attributes().Int("axis", -1)}, {node.input(0), k},
            {node.output(0), node.output(1)});
  return absl::OkStatus();
}

absl::Status BuildTopKInputs(NodeBuilder& node) {
  graph::TopK top_k{.axis = node.attributes().Int("axis", -1)};
  if (node.opset() >= 11) {
    top_k.largest = node.attributes().Int("largest", 1) != 0;
    top_k.sorted = node.attributes().Int("sorted", 1) != 0;
  }
  node.Emit(top_k, node.inputs(), {node.output(0), node.output(1)});
  return absl::OkStatus();
}

absl::Status BuildOneHot(NodeBuilder& node) {
  // The depth may have any numeric type.
  const ValueId depth = node.NewValue("depth");
  node.Emit(graph::Cast{.to = DataType::kInt64}, {node.input(1)}, {depth});
  node.Emit(graph::OneHot{.axis = node.attributes().Int("axis", -1)},
            {node.input(0), depth, node.input(2)});
  return absl::OkStatus();
}

absl::Status BuildNonZero(NodeBuilder& node) {
  node.Emit(graph::NonZero{}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildCompress(NodeBuilder& node) {
  graph::Compress compress;
  if (node.attributes().Has("axis")) compress.axis = node.attributes().Int("axis", 0);
  node.Emit(compress, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildUnique(NodeBuilder& node) {
  graph::Unique unique;
  if (node.attributes().Has("axis")) unique.axis = node.attributes().Int("axis", 0);
  unique.sorted = node.attributes().Int("sorted", 1) != 0;
  std::vector<ValueId> outputs;
  for (int i = 0; i < 4; ++i) outputs.push_back(node.output(i));
  node.Emit(unique, node.inputs(), std::move(outputs));
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
