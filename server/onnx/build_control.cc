// Nodes that hold graphs: If, Loop and Scan.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"

namespace fourfold::onnx {
namespace {

using graph::Graph;
using graph::ValueId;

// The body with its captured inputs in the order of `all`, which lists them and maybe others.
std::shared_ptr<const Graph> Align(ImportedBody body, const std::vector<ValueId>& all) {
  Graph& graph = body.graph;
  const size_t own = graph.inputs.size() - body.captured.size();
  std::vector<ValueId> inputs(graph.inputs.begin(),
                              graph.inputs.begin() + static_cast<std::ptrdiff_t>(own));
  for (ValueId outside : all) {
    const auto found = std::find(body.captured.begin(), body.captured.end(), outside);
    if (found != body.captured.end()) {
      inputs.push_back(graph.inputs[own + static_cast<size_t>(found - body.captured.begin())]);
    } else {
      graph::Value unused;
      unused.name = graph.UniqueValueName("unused");
      inputs.push_back(graph.AddValue(std::move(unused)));
    }
  }
  graph.inputs = std::move(inputs);
  graph.input_dim_names.resize(graph.inputs.size());
  return std::make_shared<const Graph>(std::move(graph));
}

std::vector<ValueId> Outputs(NodeBuilder& node, size_t count) {
  std::vector<ValueId> outputs;
  for (size_t i = 0; i < count; ++i) outputs.push_back(node.output(static_cast<int>(i)));
  return outputs;
}

absl::Status CheckOutputs(NodeBuilder& node, size_t have) {
  if (static_cast<size_t>(node.output_count()) <= have) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("has ", node.output_count(), " outputs, its graph gives ", have));
}

}  // namespace

absl::Status BuildIf(NodeBuilder& node) {
  ASSIGN_OR_RETURN(ImportedBody yes, node.Body("then_branch"));
  ASSIGN_OR_RETURN(ImportedBody no, node.Body("else_branch"));
  for (const ImportedBody* branch : {&yes, &no}) {
    if (branch->graph.inputs.size() != branch->captured.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a branch has ", branch->graph.inputs.size() - branch->captured.size(),
                       " inputs, 0 are wanted"));
    }
  }
  if (yes.graph.outputs.size() != no.graph.outputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("its branches have ", yes.graph.outputs.size(),
                                                   " and ", no.graph.outputs.size(), " outputs"));
  }
  RETURN_IF_ERROR(CheckOutputs(node, yes.graph.outputs.size()));
  std::vector<ValueId> all = yes.captured;
  for (ValueId id : no.captured) {
    if (std::find(all.begin(), all.end(), id) == all.end()) all.push_back(id);
  }
  const std::vector<ValueId> outputs = Outputs(node, yes.graph.outputs.size());
  std::vector<ValueId> inputs = {node.input(0)};
  inputs.insert(inputs.end(), all.begin(), all.end());
  node.Emit(graph::If{Align(std::move(yes), all), Align(std::move(no), all)}, std::move(inputs),
            outputs);
  return absl::OkStatus();
}

absl::Status BuildLoop(NodeBuilder& node) {
  ASSIGN_OR_RETURN(ImportedBody body, node.Body("body"));
  const int64_t carried = std::max(node.input_count() - 2, 0);
  const auto own = static_cast<int64_t>(body.graph.inputs.size() - body.captured.size());
  if (own != 2 + carried) {
    return absl::InvalidArgumentError(
        absl::StrCat("its body has ", own, " inputs, wanted ", 2 + carried,
                     ": the iteration, the condition and ", carried, " carried values"));
  }
  if (static_cast<int64_t>(body.graph.outputs.size()) < 1 + carried) {
    return absl::InvalidArgumentError(
        absl::StrCat("its body has ", body.graph.outputs.size(), " outputs, wanted at least ",
                     1 + carried, ": the condition and ", carried, " carried values"));
  }
  for (int64_t i = 0; i < carried; ++i) {
    if (!node.has_input(static_cast<int>(2 + i)))
      return absl::InvalidArgumentError(absl::StrCat("input ", 2 + i, " is missing"));
  }
  RETURN_IF_ERROR(CheckOutputs(node, body.graph.outputs.size() - 1));
  const std::vector<ValueId> outputs = Outputs(node, body.graph.outputs.size() - 1);
  std::vector<ValueId> inputs = node.inputs();
  inputs.resize(static_cast<size_t>(2 + carried), graph::kNoValue);
  const std::vector<ValueId> captured = body.captured;
  inputs.insert(inputs.end(), captured.begin(), captured.end());
  node.Emit(graph::Loop{Align(std::move(body), captured), carried}, std::move(inputs), outputs);
  return absl::OkStatus();
}

absl::Status BuildScan8(NodeBuilder& node) {
  return absl::UnimplementedError(node.opset() < 9 ? "of opset 8, over a batch" : "");
}

absl::Status BuildScan(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  ASSIGN_OR_RETURN(ImportedBody body, node.Body("body"));
  attributes.Require("num_scan_inputs");
  graph::Scan scan;
  scan.sequences = attributes.Int("num_scan_inputs", 1);
  scan.states = node.input_count() - scan.sequences;
  if (scan.sequences < 1 || scan.states < 0) {
    return absl::InvalidArgumentError(absl::StrCat("has ", node.input_count(), " inputs and ",
                                                   scan.sequences, " sequences among them"));
  }
  const auto own = body.graph.inputs.size() - body.captured.size();
  if (own != static_cast<size_t>(node.input_count())) {
    return absl::InvalidArgumentError(
        absl::StrCat("its body has ", own, " inputs, wanted ", node.input_count()));
  }
  if (body.graph.outputs.size() < static_cast<size_t>(scan.states)) {
    return absl::InvalidArgumentError(absl::StrCat("its body has ", body.graph.outputs.size(),
                                                   " outputs, wanted at least ", scan.states));
  }
  const size_t scanned = body.graph.outputs.size() - static_cast<size_t>(scan.states);
  const auto list = [&](const char* name, size_t count) -> absl::StatusOr<std::vector<int64_t>> {
    std::vector<int64_t> values = attributes.Ints(name);
    if (values.empty()) values.assign(count, 0);
    if (values.size() != count) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute \"", name, "\" has ", values.size(), " values, wanted ", count));
    }
    return values;
  };
  const auto sequences = static_cast<size_t>(scan.sequences);
  ASSIGN_OR_RETURN(scan.input_axes, list("scan_input_axes", sequences));
  ASSIGN_OR_RETURN(scan.output_axes, list("scan_output_axes", scanned));
  ASSIGN_OR_RETURN(const auto backward_in, list("scan_input_directions", sequences));
  ASSIGN_OR_RETURN(const auto backward_out, list("scan_output_directions", scanned));
  scan.input_reversed.assign(backward_in.begin(), backward_in.end());
  scan.output_reversed.assign(backward_out.begin(), backward_out.end());
  RETURN_IF_ERROR(CheckOutputs(node, body.graph.outputs.size()));
  const std::vector<ValueId> outputs = Outputs(node, body.graph.outputs.size());
  std::vector<ValueId> inputs = node.inputs();
  const std::vector<ValueId> captured = body.captured;
  inputs.insert(inputs.end(), captured.begin(), captured.end());
  scan.body = Align(std::move(body), captured);
  node.Emit(std::move(scan), std::move(inputs), outputs);
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
