#include "server/tflite/import.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/tflite/model_file.h"
#include "server/tflite/operator_builder.h"
#include "server/tflite/operators.h"
#include "server/tflite/tensor_values.h"

namespace fourfold::tflite {
namespace {

using Indices = flatbuffers::Vector<int32_t>;

// What a model needs that we lack, gathered so that one message names all of it.
class Lacking {
 public:
  void Add(const std::string& kind, absl::string_view what, const std::string& op) {
    auto& [first, count] = kinds_[absl::StrCat(kind, " (", what, what.empty() ? "" : "; ")];
    if (count++ == 0) first = op;
  }

  bool empty() const { return kinds_.empty(); }

  absl::Status ToStatus() const {
    constexpr size_t kListed = 50;
    std::vector<std::string> texts;
    for (const auto& [kind, operators] : kinds_) {
      if (texts.size() == kListed) break;
      const auto& [first, count] = operators;
      texts.push_back(absl::StrCat(
          kind, first, count > 1 ? absl::StrCat(" and ", count - 1, " more") : "", ")"));
    }
    if (kinds_.size() > kListed)
      texts.push_back(absl::StrCat("and ", kinds_.size() - kListed, " more"));
    return absl::UnimplementedError(
        absl::StrCat(kinds_.size(), kinds_.size() == 1 ? " operator is" : " operators are",
                     " not supported: ", absl::StrJoin(texts, ", ")));
  }

 private:
  std::map<std::string, std::pair<std::string, size_t>> kinds_;  // -> first operator, their number
};

class Importer {
 public:
  Importer(const ModelFile& file, const graph::ImportLimits& limits)
      : file_(file), limits_(limits), values_(file, limits, graph_) {}

  absl::StatusOr<graph::Graph> Run() {
    const schema::SubGraph& main = file_.main();
    if (main.inputs() != nullptr) {
      for (int tensor : *main.inputs()) RETURN_IF_ERROR(AddInput(tensor));
    }
    RETURN_IF_ERROR(AddOperators());
    if (main.outputs() == nullptr || main.outputs()->size() == 0) {
      return absl::InvalidArgumentError("the model has no outputs");
    }
    for (int tensor : *main.outputs()) RETURN_IF_ERROR(AddOutput(tensor));
    if (main.name() != nullptr) graph_.name = main.name()->str();
    graph::RemoveDeadNodes(graph_);
    RETURN_IF_ERROR(graph::InferShapes(graph_));
    return std::move(graph_);
  }

 private:
  absl::Status AddInput(int tensor) {
    RETURN_IF_ERROR(values_.Load(tensor));
    return values_.DefineInput(tensor);
  }

  absl::Status AddOperators() {
    const auto* operators = file_.main().operators();
    const size_t count = operators == nullptr ? 0 : operators->size();
    Lacking lacking;
    for (size_t i = 0; i < count; ++i) {
      const schema::Operator& op = *operators->Get(static_cast<flatbuffers::uoffset_t>(i));
      const std::string number = absl::StrCat("operator ", i);
      const auto code = file_.CodeOf(op);
      if (!code.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(number, " ", code.status().message()));
      }
      const absl::Status status = AddOperator(op, *code, i);
      if (absl::IsUnimplemented(status)) {
        lacking.Add(code->name, status.message(), absl::StrCat(number, OutputText(op)));
        failed_ = true;
      } else if (!status.ok() && !failed_) {
        return absl::Status(status.code(), absl::StrCat(number, " (", code->name, OutputText(op),
                                                        "): ", status.message()));
      }
      if (graph_.value_count() > limits_.values) {
        return absl::InvalidArgumentError(
            absl::StrCat("the model has more than ", limits_.values, " values, the limit"));
      }
    }
    return lacking.empty() ? absl::OkStatus() : lacking.ToStatus();
  }

  // Which operator it is, for people: by the name of its first output.
  std::string OutputText(const schema::Operator& op) const {
    if (op.outputs() == nullptr || op.outputs()->size() == 0) return "";
    return absl::StrCat(", ", TensorText(file_, op.outputs()->Get(0)));
  }

  absl::Status AddOperator(const schema::Operator& op, const ModelFile::Code& code, size_t index) {
    const OperatorForm* form = FindOperator(code.builtin);
    if (form == nullptr) return absl::UnimplementedError("");
    RETURN_IF_ERROR(CheckCounts(op, *form));
    for (int tensor : *op.outputs()) RETURN_IF_ERROR(values_.Load(tensor));
    for (int tensor : *op.inputs()) {
      if (tensor == -1) continue;
      RETURN_IF_ERROR(values_.Load(tensor));
      if (!values_.IsDefined(tensor) && !(form->reads_state && values_.info(tensor).is_variable)) {
        return absl::InvalidArgumentError(
            absl::StrCat("reads ", TensorText(file_, tensor), ", which nothing before it writes"));
      }
    }
    const std::string& output = values_.info(op.outputs()->Get(0)).name;
    OperatorBuilder builder(values_, op,
                            output.empty() ? absl::StrCat(code.name, "_", index) : output);
    return form->build(builder);
  }

  absl::Status CheckCounts(const schema::Operator& op, const OperatorForm& form) const {
    int inputs = op.inputs() == nullptr ? 0 : static_cast<int>(op.inputs()->size());
    const int outputs = op.outputs() == nullptr ? 0 : static_cast<int>(op.outputs()->size());
    while (inputs > 0 && op.inputs()->Get(static_cast<flatbuffers::uoffset_t>(inputs - 1)) == -1)
      --inputs;
    bool complete = inputs >= form.min_inputs && inputs <= form.max_inputs;
    for (int i = 0; complete && i < form.min_inputs; ++i) {
      complete = op.inputs()->Get(static_cast<flatbuffers::uoffset_t>(i)) != -1;
    }
    if (!complete) {
      return absl::InvalidArgumentError(
          absl::StrCat("has ", inputs, " inputs, ", form.min_inputs, " to ", form.max_inputs,
                       " are wanted, the first ", form.min_inputs, " of them present"));
    }
    if (outputs < 1 || outputs > form.max_outputs) {
      return absl::InvalidArgumentError(
          absl::StrCat("has ", outputs, " outputs, 1 to ", form.max_outputs, " are wanted"));
    }
    return absl::OkStatus();
  }

  absl::Status AddOutput(int tensor) {
    RETURN_IF_ERROR(values_.Load(tensor));
    const std::string text = TensorText(file_, tensor);
    if (!values_.IsDefined(tensor)) {
      return absl::InvalidArgumentError(
          absl::StrCat("nothing in the model writes its output ", text));
    }
    const bool renamed = values_.Origin(tensor) != tensor;
    const graph::ValueId value =
        renamed ? values_.Emit(values_.info(tensor).name, graph::Identity{}, {values_.Real(tensor)})
                : values_.Stored(tensor);
    for (graph::ValueId other : graph_.outputs) {
      if (other == value) {
        return absl::InvalidArgumentError(absl::StrCat("output ", text, " is there twice"));
      }
    }
    graph_.outputs.push_back(value);
    return absl::OkStatus();
  }

  const ModelFile& file_;
  const graph::ImportLimits& limits_;
  graph::Graph graph_;
  TensorValues values_;
  bool failed_ = false;  // an operator before was not supported: what it writes is missing
};

}  // namespace

absl::StatusOr<graph::Graph> Import(std::span<const std::byte> file,
                                    const graph::ImportLimits& limits) {
  ASSIGN_OR_RETURN(const ModelFile model, ModelFile::Open(file, limits));
  return Importer(model, limits).Run();
}

}  // namespace fourfold::tflite
