#include "server/onnx/import.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "onnx/onnx.pb.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/onnx/element_type.h"
#include "server/onnx/import_tensor.h"
#include "server/onnx/node_builder.h"
#include "server/onnx/operators.h"
#include "server/onnx/parse_model.h"
#include "server/onnx/reads.h"
#include "server/onnx/sort_nodes.h"

namespace fourfold::onnx {
namespace {

using graph::ValueId;

bool IsDefaultDomain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

// What a model needs that we lack, gathered so that one message names all of it.
class Lacking {
 public:
  void Add(const ::onnx::NodeProto& node, const std::string& node_name, int64_t opset,
           absl::string_view what) {
    std::string kind = node.op_type();
    if (!IsDefaultDomain(node.domain())) kind = absl::StrCat(node.domain(), ".", kind);
    kind = absl::StrCat(graph::Printable(kind), " (",
                        IsDefaultDomain(node.domain()) ? absl::StrCat("opset ", opset, "; ") : "",
                        what, what.empty() ? "" : "; ");
    auto& [first, count] = kinds_[kind];
    if (count++ == 0) first = node_name;
  }

  bool empty() const { return kinds_.empty(); }

  absl::Status ToStatus() const {
    constexpr size_t kListed = 50;
    std::vector<std::string> texts;
    for (const auto& [kind, nodes] : kinds_) {
      if (texts.size() == kListed) break;
      const auto& [first, count] = nodes;
      texts.push_back(absl::StrCat(kind, "node ", Quoted(first),
                                   count > 1 ? absl::StrCat(" and ", count - 1, " more") : "",
                                   ")"));
    }
    if (kinds_.size() > kListed)
      texts.push_back(absl::StrCat("and ", kinds_.size() - kListed, " more"));
    return absl::UnimplementedError(
        absl::StrCat(kinds_.size(), kinds_.size() == 1 ? " operator is" : " operators are",
                     " not supported: ", absl::StrJoin(texts, ", ")));
  }

 private:
  std::map<std::string, std::pair<std::string, size_t>>
      kinds_;  // kind -> first node, number of nodes
};

constexpr size_t kNodeNameBytes = 256;

class Importer {
 public:
  Importer(const ::onnx::ModelProto& model, const ImportLimits& limits, ExternalData* external)
      : model_(model),
        proto_(model.graph()),
        lacking_(root_lacking_),
        root_external_(std::in_place, external, limits.external_bytes) {
    scope_.limits = limits;
    scope_.external = &*root_external_;
    SetBodies();
  }

  // Of a graph inside a node of `outer`.
  Importer(const ::onnx::GraphProto& body, Importer& outer)
      : model_(outer.model_), proto_(body), outer_(&outer), lacking_(outer.lacking_) {
    scope_.limits = outer.scope_.limits;
    scope_.external = outer.scope_.external;
    scope_.opset = outer.scope_.opset;
    scope_.depth = outer.scope_.depth + 1;
    SetBodies();
  }

  Importer(const Importer&) = delete;
  Importer& operator=(const Importer&) = delete;

  absl::StatusOr<graph::Graph> Run() {
    RETURN_IF_ERROR(ReadOpset());
    RETURN_IF_ERROR(CheckContents());
    ASSIGN_OR_RETURN(const std::vector<int> order, SortNodes(proto_));
    RETURN_IF_ERROR(AddInputs());
    RETURN_IF_ERROR(AddInitializers());
    RETURN_IF_ERROR(AddNodes(order));
    if (!lacking_.empty()) return lacking_.ToStatus();
    RETURN_IF_ERROR(AddOutputs());
    scope_.graph.name = model_.graph().name();
    for (const auto& entry : model_.metadata_props())
      scope_.graph.metadata[entry.key()] = entry.value();
    RETURN_IF_ERROR(graph::InferShapes(scope_.graph));
    for (const ShapeRule& rule : scope_.shape_rules) RETURN_IF_ERROR(rule(scope_.graph));
    return std::move(scope_.graph);
  }

 private:
  void SetBodies() {
    scope_.body = [this](const ::onnx::GraphProto& body) -> absl::StatusOr<ImportedBody> {
      constexpr int kDepthMax = 16;
      if (scope_.depth >= kDepthMax) {
        return absl::InvalidArgumentError(
            absl::StrCat("holds graphs in graphs more than ", kDepthMax, " deep, the limit"));
      }
      return Importer(body, *this).RunBody();
    };
  }

  // What is missing of a body is noted with what is missing of the model.
  absl::StatusOr<ImportedBody> RunBody() {
    RETURN_IF_ERROR(CheckContents());
    ASSIGN_OR_RETURN(const std::vector<int> order, SortNodes(proto_));
    RETURN_IF_ERROR(AddInputs());
    RETURN_IF_ERROR(AddInitializers());
    RETURN_IF_ERROR(AddNodes(order));
    RETURN_IF_ERROR(AddOutputs());
    scope_.graph.name = proto_.name();
    return ImportedBody{std::move(scope_.graph), std::move(captured_)};
  }

  // Makes a name of the graphs around this one known here: a constant is shared, anything else
  // becomes a further input. False if nothing has it.
  bool Capture(const std::string& name) {
    if (scope_.values.contains(name)) return true;
    if (outer_ == nullptr || !outer_->Capture(name)) return false;
    const ValueId outside = outer_->scope_.values.at(name);
    const graph::Value& source = outer_->scope_.graph.value(outside);
    graph::Value value;
    value.name = scope_.value_names.Unique(source.name);
    value.type = source.type;
    value.shape = source.shape;
    value.constant = source.constant;
    const ValueId inside = scope_.graph.AddValue(std::move(value));
    scope_.values[name] = inside;
    if (source.constant == nullptr) {
      scope_.graph.inputs.push_back(inside);
      scope_.graph.input_dim_names.emplace_back();
      captured_.push_back(outside);
    }
    if (outer_->scope_.sequences.contains(outside)) scope_.sequences[inside] = std::nullopt;
    return true;
  }

  absl::Status ReadOpset() {
    bool stated = false;
    for (const auto& opset : model_.opset_import()) {
      if (!IsDefaultDomain(opset.domain())) continue;
      if (stated && opset.version() != scope_.opset) {
        return absl::InvalidArgumentError(
            absl::StrCat("the model states two opsets of the default domain, ", scope_.opset,
                         " and ", opset.version()));
      }
      scope_.opset = opset.version();
      stated = true;
    }
    if (!stated) {  // fine as long as all nodes are of other domains
      if (model_.opset_import_size() > 0) return absl::OkStatus();
      return absl::InvalidArgumentError("the model states no opset");
    }
    if (scope_.opset < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("the model states the opset ", scope_.opset, ", which cannot be"));
    }
    if (scope_.opset < kOldestOpset || scope_.opset > kNewestOpset) {
      return absl::UnimplementedError(absl::StrCat("the model is of opset ", scope_.opset, ", ",
                                                   kOldestOpset, " to ", kNewestOpset,
                                                   " are supported"));
    }
    return absl::OkStatus();
  }

  // The opset of a domain that the file imports; 1 where it forgot to say.
  int64_t OpsetOf(const std::string& domain) const {
    if (domain.empty()) return scope_.opset;
    for (const auto& opset : model_.opset_import()) {
      if (opset.domain() == domain) return opset.version();
    }
    return 1;
  }

  // What is settled before any value exists; also notes which names are read.
  absl::Status CheckContents() {
    const ::onnx::GraphProto& graph = proto_;
    if (graph.output_size() == 0) return absl::InvalidArgumentError("the model has no outputs");
    if (graph.sparse_initializer_size() > 0) {
      return absl::UnimplementedError(
          absl::StrCat("sparse initializers are not supported: ",
                       Quoted(graph.sparse_initializer(0).values().name())));
    }
    size_t values =
        static_cast<size_t>(graph.input_size()) + static_cast<size_t>(graph.initializer_size());
    for (const auto& node : graph.node()) {
      values += static_cast<size_t>(node.output_size());
      ForEachRead(node, [this](const std::string& name) { scope_.read.insert(name); });
    }
    for (const auto& output : graph.output()) scope_.read.insert(output.name());
    return CheckValueCount(values);
  }

  absl::Status CheckValueCount(size_t count) const {
    if (count <= scope_.limits.values) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the model has more than ", scope_.limits.values, " values, the limit"));
  }

  // Registers a name of the file; INVALID_ARGUMENT if it is there already. A name that is no text
  // or is endless is replaced by one that can be shown.
  absl::Status Add(graph::Value value, const char* role) {
    const std::string name = value.name;
    if (name.empty()) return absl::InvalidArgumentError(absl::StrCat("an ", role, " has no name"));
    const auto [entry, fresh] = scope_.values.try_emplace(name, graph::kNoValue);
    if (!fresh) {
      return absl::InvalidArgumentError(absl::StrCat("the ", role, " ", Quoted(name),
                                                     " is there already: inputs, initializers and "
                                                     "outputs of nodes have names of their own"));
    }
    if (graph::IsPrintable(name, scope_.limits.name_bytes)) {
      scope_.value_names.Unique(name);
    } else {
      value.name = scope_.value_names.Unique(graph::Printable(name));
    }
    entry->second = scope_.graph.AddValue(std::move(value));
    return absl::OkStatus();
  }

  absl::StatusOr<const ::onnx::TypeProto::Tensor*> TensorType(const ::onnx::ValueInfoProto& info,
                                                              const char* role) const {
    if (info.type().has_tensor_type()) return &info.type().tensor_type();
    if (info.type().value_case() == ::onnx::TypeProto::VALUE_NOT_SET) {
      return absl::InvalidArgumentError(
          absl::StrCat(role, " ", Quoted(info.name()), " has no type"));
    }
    return absl::UnimplementedError(absl::StrCat(role, " ", Quoted(info.name()),
                                                 " is not a tensor; only tensors are supported"));
  }

  // Types of what bodies are given and give follow from the graph around them.
  bool MayOmitType(const ::onnx::ValueInfoProto& info) const {
    return outer_ != nullptr && info.type().value_case() == ::onnx::TypeProto::VALUE_NOT_SET;
  }

  // Callers say the names of inputs and outputs, in messages that hold text only.
  absl::Status CheckInterfaceName(const ::onnx::ValueInfoProto& info, const char* role) const {
    if (graph::IsPrintable(info.name(), scope_.limits.name_bytes)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the name of the ", role, " ", Quoted(info.name()),
                     " is not UTF-8 text of at most ", scope_.limits.name_bytes, " bytes"));
  }

  absl::Status AddInputs() {
    std::unordered_set<std::string> initialized;
    for (const auto& tensor : proto_.initializer()) initialized.insert(tensor.name());
    for (const auto& info : proto_.input()) {
      if (initialized.contains(info.name())) continue;  // a constant with a name for overriding it
      RETURN_IF_ERROR(AddInput(info));
    }
    return absl::OkStatus();
  }

  absl::Status AddInput(const ::onnx::ValueInfoProto& info) {
    if (MayOmitType(info)) {  // it is that of what the node gives
      graph::Value value;
      value.name = info.name();
      RETURN_IF_ERROR(Add(std::move(value), "input"));
      scope_.graph.inputs.push_back(scope_.values.at(info.name()));
      scope_.graph.input_dim_names.emplace_back();
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const ::onnx::TypeProto::Tensor* type, TensorType(info, "input"));
    if (type->elem_type() == ::onnx::TensorProto::UNDEFINED) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(info.name()), " has no element type"));
    }
    const std::optional<graph::DataType> element = ElementTypeOf(type->elem_type());
    if (!element) {
      return absl::UnimplementedError(
          absl::StrCat("input ", Quoted(info.name()), " has the element type ",
                       OnnxTypeText(type->elem_type()), ", which is not supported"));
    }
    RETURN_IF_ERROR(CheckInterfaceName(info, "input"));
    graph::Value value;
    value.name = info.name();
    value.type = *element;
    std::vector<std::string> dim_names;
    if (type->has_shape()) {
      graph::Shape shape;
      for (const auto& dim : type->shape().dim()) {
        const bool fixed =
            dim.has_dim_value() && dim.dim_value() >= 0;  // some write -1 for unknown
        shape.push_back(fixed ? dim.dim_value() : graph::kUnknownDim);
        dim_names.push_back(fixed ? "" : dim.dim_param());
      }
      if (const auto count = CheckedElementCount(shape, scope_.limits); !count.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", Quoted(info.name()), " ", count.status().message()));
      }
      value.shape = std::move(shape);
    }
    RETURN_IF_ERROR(Add(std::move(value), "input"));
    scope_.graph.inputs.push_back(scope_.values.at(info.name()));
    scope_.graph.input_dim_names.push_back(std::move(dim_names));
    return absl::OkStatus();
  }

  absl::Status AddInitializers() {
    for (const auto& tensor : proto_.initializer()) {
      if (!scope_.read.contains(tensor.name())) continue;
      graph::Value value;
      value.name = tensor.name();
      ASSIGN_OR_RETURN(value.constant, ImportTensor(tensor, scope_.limits, scope_.external));
      value.type = value.constant->type();
      value.shape = value.constant->shape();
      RETURN_IF_ERROR(Add(std::move(value), "initializer"));
      if (IsFourBits(tensor.data_type()))
        scope_.packed[scope_.values.at(tensor.name())] = tensor.data_type();
    }
    return absl::OkStatus();
  }

  absl::Status AddNodes(const std::vector<int>& order) {
    for (int index : order) {
      const ::onnx::NodeProto& proto = proto_.node(index);
      const std::string name = graph::Printable(
          proto.name().empty() ? absl::StrCat(proto.op_type(), "_", index) : proto.name(),
          kNodeNameBytes);
      const absl::Status status = AddNode(proto, name);
      if (absl::IsUnimplemented(status)) {
        lacking_.Add(proto, name, scope_.opset, status.message());
      } else if (!status.ok()) {
        return absl::Status(status.code(), absl::StrCat("node ", Quoted(name), " (",
                                                        graph::Printable(proto.op_type()),
                                                        "): ", status.message()));
      }
      RETURN_IF_ERROR(CheckValueCount(scope_.graph.value_count()));
    }
    return absl::OkStatus();
  }

  absl::Status AddNode(const ::onnx::NodeProto& proto, const std::string& name) {
    if (proto.op_type().empty()) return absl::InvalidArgumentError("has no operator");
    for (const std::string& input : proto.input()) {
      if (!input.empty() && !Capture(input)) {
        return absl::InvalidArgumentError(
            absl::StrCat("reads ", Quoted(input), ", which nothing in the model writes"));
      }
    }
    for (const std::string& output : proto.output()) {
      if (output.empty()) continue;
      graph::Value value;
      value.name = output;
      RETURN_IF_ERROR(Add(std::move(value), "output"));
    }
    const std::string domain = IsDefaultDomain(proto.domain()) ? "" : proto.domain();
    if (domain.empty() && scope_.opset == 0) {
      return absl::InvalidArgumentError(
          "is of the default domain, of which the model states no opset");
    }
    const OperatorForm* form = FindOperator(domain, proto.op_type(), OpsetOf(domain));
    if (form == nullptr) return absl::UnimplementedError("");
    RETURN_IF_ERROR(CheckCounts(proto, *form));
    for (int i = 0; i < proto.input_size() && !form->sequences; ++i) {
      if (!proto.input(i).empty() && IsSequence(proto.input(i))) {
        return absl::UnimplementedError(absl::StrCat("a sequence as input ", i));
      }
    }
    NodeBuilder builder(scope_, proto, name);
    RETURN_IF_ERROR(form->build(builder));
    return builder.attributes().Finish();
  }

  bool IsSequence(const std::string& name) const {
    return scope_.sequences.contains(scope_.values.at(name));
  }

  absl::Status CheckCounts(const ::onnx::NodeProto& proto, const OperatorForm& form) const {
    int inputs = proto.input_size();
    while (inputs > 0 && proto.input(inputs - 1).empty()) --inputs;
    bool complete = inputs >= form.min_inputs && inputs <= form.max_inputs;
    for (int i = 0; complete && i < form.min_inputs; ++i) complete = !proto.input(i).empty();
    if (!complete) {
      return absl::InvalidArgumentError(
          absl::StrCat("has ", inputs, " inputs, ", form.min_inputs, " to ", form.max_inputs,
                       " are wanted, the first ", form.min_inputs, " of them present"));
    }
    if (proto.output_size() == 0) return absl::InvalidArgumentError("has no outputs");
    for (int i = form.max_outputs; i < proto.output_size(); ++i) {
      if (!proto.output(i).empty() && scope_.read.contains(proto.output(i))) {
        return absl::UnimplementedError(absl::StrCat("output ", i));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddOutputs() {
    std::unordered_set<std::string> seen;
    for (const auto& info : proto_.output()) {
      if (!Capture(info.name())) {
        return absl::InvalidArgumentError(
            absl::StrCat("nothing in the model writes its output ", Quoted(info.name())));
      }
      if (!seen.insert(info.name()).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("output ", Quoted(info.name()), " is there twice"));
      }
      RETURN_IF_ERROR(CheckInterfaceName(info, "output"));
      if (info.has_type() && !MayOmitType(info)) {
        RETURN_IF_ERROR(TensorType(info, "output").status());
      }
      if (IsSequence(info.name())) {
        return absl::UnimplementedError(absl::StrCat("output ", Quoted(info.name()),
                                                     " is a sequence; only tensors are supported"));
      }
      scope_.graph.outputs.push_back(scope_.values.at(info.name()));
    }
    return absl::OkStatus();
  }

  const ::onnx::ModelProto& model_;
  const ::onnx::GraphProto& proto_;
  Importer* const outer_ = nullptr;  // of the graph around a body
  Lacking root_lacking_;             // of the model, not of a body
  Lacking& lacking_;
  std::optional<ExternalTensors> root_external_;  // of the model, not of a body
  ImportScope scope_;
  std::vector<ValueId> captured_;  // values of the graph around a body that it reads
};

}  // namespace

absl::StatusOr<graph::Graph> Import(std::span<const std::byte> file, const ImportLimits& limits,
                                    ExternalData* external) {
  ::onnx::ModelProto model;
  RETURN_IF_ERROR(ParseModel(file, limits, model));
  return Importer(model, limits, external).Run();
}

}  // namespace fourfold::onnx
