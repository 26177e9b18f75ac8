#include "tests/conformance/run_case.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "onnx/onnx.pb.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"
#include "server/onnx/export.h"
#include "server/onnx/import.h"
#include "server/onnx/import_tensor.h"
#include "server/onnx/operators.h"
#include "server/passes/passes.h"
#include "tests/conformance/compare_tensors.h"
#include "tests/conformance/execute.h"

namespace fourfold::conformance {
namespace {

using graph::Graph;
using graph::TensorPtr;

absl::Status At(absl::string_view where, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(where, ": ", status.message()));
}

std::string Text(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message());
}

Verdict ToVerdict(const absl::Status& status) {
  if (status.ok()) return {};
  if (absl::IsUnimplemented(status)) {
    return {Outcome::kUnsupported, std::string(status.message())};
  }
  return {Outcome::kFailed, Text(status)};
}

// Tensors for these values of the graph. Numpy has no bfloat16: the cases' files say uint16 and
// hold its bits.
absl::StatusOr<std::vector<TensorPtr>> ReadTensors(const std::vector<std::string>& paths,
                                                   const Graph& graph,
                                                   const std::vector<graph::ValueId>& values) {
  std::vector<TensorPtr> tensors;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path));
    ::onnx::TensorProto proto;
    if (!proto.ParseFromString(bytes)) {
      return absl::DataLossError(absl::StrCat(path, " is no tensor"));
    }
    const bool bfloat16 = tensors.size() < values.size() &&
                          graph.value(values[tensors.size()]).type == graph::DataType::kBFloat16;
    if (bfloat16 && proto.data_type() == ::onnx::TensorProto::UINT16) {
      proto.set_data_type(::onnx::TensorProto::BFLOAT16);
    }
    auto tensor = onnx::ImportTensor(proto, {});
    if (!tensor.ok()) return At(path, tensor.status());
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

// Whether the graph answers each data set of the case as wanted.
absl::Status CheckAnswers(const Case& test, const Graph& graph, const RunOptions& options) {
  for (size_t set = 0; set < test.data.size(); ++set) {
    ASSIGN_OR_RETURN(const std::vector<TensorPtr> inputs,
                     ReadTensors(test.data[set].inputs, graph, graph.inputs));
    ASSIGN_OR_RETURN(const std::vector<TensorPtr> wanted,
                     ReadTensors(test.data[set].outputs, graph, graph.outputs));
    ASSIGN_OR_RETURN(const std::vector<TensorPtr> got, Execute(graph, inputs, {options.engine}));
    if (got.size() != wanted.size()) {
      return absl::FailedPreconditionError(
          absl::StrCat("gives ", got.size(), " outputs, wanted ", wanted.size()));
    }
    for (size_t i = 0; i < got.size(); ++i) {
      const absl::Status same = CompareTensors(*got[i], *wanted[i]);
      if (!same.ok()) {
        return At(
            absl::StrCat("data set ", set, ", output '", graph.value(graph.outputs[i]).name, "'"),
            same);
      }
    }
  }
  return absl::OkStatus();
}

// What the data has and the model says otherwise: such a case can only be refused. Looked up in the
// messages and not in our graph. Empty: nothing.
std::string Contradiction(const Case& test, const std::string& file) {
  ::onnx::ModelProto model;
  if (!model.ParseFromString(file)) return "";
  for (const DataSet& set : test.data) {
    for (size_t i = 0; i < set.inputs.size(); ++i) {
      if (static_cast<int>(i) >= model.graph().input_size()) return "";  // Execute says so
      const auto& info = model.graph().input(static_cast<int>(i));
      const auto bytes = base::ReadFile(set.inputs[i]);
      ::onnx::TensorProto tensor;
      if (!info.type().tensor_type().has_shape() || !bytes.ok() || !tensor.ParseFromString(*bytes))
        continue;
      const auto& dims = info.type().tensor_type().shape().dim();
      bool fits = dims.size() == tensor.dims_size();
      for (int d = 0; fits && d < dims.size(); ++d) {
        fits = !dims[d].has_dim_value() || dims[d].dim_value() == tensor.dims(d);
      }
      if (!fits)
        return absl::StrCat("input '", info.name(), "' has another shape than it is declared with");
    }
  }
  return "";
}

absl::StatusOr<Graph> Optimized(Graph graph) {
  RETURN_IF_ERROR(passes::Optimize(graph));
  return graph;
}

// The answers of the graph, optimised or as it is.
absl::Status Check(const Case& test, const Graph& graph, bool optimise, const RunOptions& options) {
  if (!optimise) return CheckAnswers(test, graph, options);
  auto optimized = Optimized(graph);
  if (!optimized.ok()) return At("passes", optimized.status());
  return CheckAnswers(test, *optimized, options);
}

// The graph written as a file and read again has to give the same answers.
Verdict RoundTrip(const Case& test, const Graph& graph, const RunOptions& options) {
  const auto file = onnx::Export(graph);
  if (absl::IsInvalidArgument(file.status()) || absl::IsUnimplemented(file.status())) {
    return {Outcome::kUnsupported, std::string(file.status().message())};
  }
  if (!file.ok()) return ToVerdict(At("export", file.status()));
  auto imported = onnx::Import(std::as_bytes(std::span(*file)));
  // What we have written we have to be able to read.
  if (!imported.ok()) return {Outcome::kFailed, Text(At("import of export", imported.status()))};
  if (imported->inputs.size() != graph.inputs.size()) {
    return {Outcome::kFailed, absl::StrCat("the export has ", imported->inputs.size(),
                                           " inputs, the model ", graph.inputs.size())};
  }
  const absl::Status same = Check(test, *imported, true, options);
  if (!same.ok()) return {Outcome::kFailed, Text(At("export", same))};
  return {};
}

// The first that is not passed.
Verdict RoundTrips(const Case& test, const Graph& graph, const RunOptions& options) {
  Verdict verdict;
  if (options.without_passes) verdict = RoundTrip(test, graph, options);
  if (verdict.outcome != Outcome::kPassed || !options.with_passes) return verdict;
  const auto optimized = Optimized(graph);
  if (!optimized.ok()) return ToVerdict(At("passes", optimized.status()));
  verdict = RoundTrip(test, *optimized, options);
  if (verdict.outcome != Outcome::kPassed) verdict.reason = "optimised: " + verdict.reason;
  return verdict;
}

// ---- Which operators an unsupported case lacks.

struct UsedOperators {
  std::map<std::string, int64_t> opsets;  // by domain, "" for the default one
  std::set<std::string> all;
  std::set<std::string> lacking;
};

std::string DomainOf(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

void Collect(const ::onnx::GraphProto& graph, UsedOperators& used) {
  for (const auto& node : graph.node()) {
    const std::string domain = DomainOf(node.domain());
    const std::string name = domain.empty() ? node.op_type() : domain + "." + node.op_type();
    used.all.insert(name);
    if (onnx::FindOperator(domain, node.op_type(), used.opsets[domain]) == nullptr) {
      used.lacking.insert(name);
    }
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) Collect(attribute.g(), used);
      for (const auto& inner : attribute.graphs()) Collect(inner, used);
    }
  }
}

// Those that the table lacks; if it has all, those that the message names; else all.
void NameOperators(const std::string& file, CaseResult& result) {
  ::onnx::ModelProto model;
  if (!model.ParseFromString(file)) return;
  UsedOperators used;
  for (const auto& entry : model.opset_import()) {
    used.opsets[DomainOf(entry.domain())] = entry.version();
  }
  Collect(model.graph(), used);
  result.operators_listed = used.lacking.empty();
  std::set<std::string> blamed = used.lacking;
  if (blamed.empty()) {
    for (const std::string& name : used.all) {
      if (absl::StrContains(result.verdict.reason, name)) blamed.insert(name);
    }
  }
  if (blamed.empty()) blamed = used.all;
  result.operators.assign(blamed.begin(), blamed.end());
}

Verdict Prefixed(absl::string_view prefix, Verdict verdict) {
  if (verdict.outcome != Outcome::kPassed) verdict.reason = absl::StrCat(prefix, verdict.reason);
  return verdict;
}

void RunImported(const Case& test, const Graph& graph, const RunOptions& options,
                 CaseResult& result) {
  if (options.with_passes) result.verdict = ToVerdict(Check(test, graph, true, options));
  if (options.without_passes) {
    const Verdict plain = ToVerdict(Check(test, graph, false, options));
    if (!options.with_passes) {
      result.verdict = plain;
    } else if (plain.outcome == Outcome::kFailed && result.verdict.outcome != Outcome::kFailed) {
      result.verdict = Prefixed("without passes: ", plain);
    } else if (plain.outcome == Outcome::kUnsupported &&
               result.verdict.outcome == Outcome::kPassed) {
      result.needs_passes = plain.reason;
    } else if (plain.outcome == Outcome::kPassed) {
      if (result.verdict.outcome != Outcome::kPassed) {
        result.verdict.outcome = Outcome::kFailed;
        result.verdict.reason = "only with passes: " + result.verdict.reason;
      }
    }
  }
  if (options.round_trip && result.verdict.outcome == Outcome::kPassed) {
    result.round_trip = RoundTrips(test, graph, options);
  }
}

}  // namespace

std::string OutcomeText(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed: return "passed";
    case Outcome::kUnsupported: return "unsupported";
    case Outcome::kFailed: return "failed";
  }
  return "unknown";
}

CaseResult RunCase(const Case& test, const RunOptions& options) {
  CaseResult result;
  const auto file = base::ReadFile(test.model);
  if (!file.ok()) {
    result.verdict = ToVerdict(file.status());
    return result;
  }
  if (test.data.empty()) {
    result.verdict = {Outcome::kFailed, "the case has no test_data_set_0"};
    return result;
  }
  if (const std::string contradiction = Contradiction(test, *file); !contradiction.empty()) {
    result.verdict = {Outcome::kUnsupported, contradiction};
    result.operators = {"(data contradicts the model)"};
    return result;
  }
  const auto graph = onnx::Import(std::as_bytes(std::span(*file)));
  if (!graph.ok()) {
    result.verdict = Prefixed("import: ", ToVerdict(graph.status()));
  } else {
    RunImported(test, *graph, options, result);
  }
  if (result.verdict.outcome == Outcome::kUnsupported) NameOperators(*file, result);
  return result;
}

}  // namespace fourfold::conformance
