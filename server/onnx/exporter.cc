#include "server/onnx/exporter.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/element_type.h"

namespace fourfold::onnx {
namespace {

void DescribeTensor(const graph::Tensor& tensor, ::onnx::TensorProto& proto) {
  proto.set_data_type(OnnxElementType(tensor.type()));
  for (int64_t dim : tensor.shape()) proto.add_dims(dim);
}

}  // namespace

using graph::DataType;
using graph::kNoValue;
using graph::Tensor;
using graph::ValueId;

Exporter::Exporter(const graph::Graph& graph, ::onnx::GraphProto& proto, int64_t opset,
                   ExternalWriter* external)
    : graph_(graph),
      uses_(graph),
      proto_(proto),
      opset_(opset),
      external_(external),
      tensor_names_(own_tensor_names_),
      node_names_(own_node_names_),
      names_(graph.value_count()) {
  AssignNames();
}

Exporter::Exporter(const graph::Graph& body, ::onnx::GraphProto& proto, Exporter& outer,
                   const Names& captured)
    : graph_(body),
      uses_(body),
      proto_(proto),
      opset_(outer.opset_),
      external_(outer.external_),
      is_body_(true),
      captured_(captured.size()),
      tensor_names_(outer.tensor_names_),
      node_names_(outer.node_names_),
      names_(body.value_count()) {
  const size_t own = body.inputs.size() - captured.size();
  for (size_t i = 0; i < captured.size(); ++i) {
    const ValueId id = body.inputs[own + i];
    names_[static_cast<size_t>(id)] = captured[i];
    read_[id] = captured[i];
  }
  AssignNames();
}

void Exporter::AssignNames() {
  // The caller's names are kept; others are short, and only where they are free.
  const auto assign = [this](ValueId id, bool keep = false) {
    std::string& name = names_[static_cast<size_t>(id)];
    if (!name.empty()) return;
    const std::string& wanted = graph_.value(id).name;
    name = tensor_names_.Unique(wanted.empty() ? absl::StrCat("value_", id)
                                : keep         ? wanted
                                               : Shortened(wanted));
  };
  for (ValueId id : graph_.inputs) assign(id, !is_body_);
  for (ValueId id : graph_.outputs) assign(id, !is_body_);
  for (const Node& node : graph_.nodes) {
    for (ValueId id : node.inputs) {
      if (id != kNoValue) assign(id);
    }
    for (ValueId id : node.outputs) {
      if (id != kNoValue) assign(id);
    }
  }
}

absl::Status Exporter::Run() {
  proto_.set_name(graph_.name.empty() ? "graph" : graph_.name);
  for (size_t i = 0; i < graph_.inputs.size() - captured_; ++i) RETURN_IF_ERROR(AddInput(i));
  for (const Node& node : graph_.nodes) RETURN_IF_ERROR(ExportNode(node));
  for (ValueId id : graph_.outputs) {
    if (is_body_) {
      AddBodyOutput(id);
    } else {
      RETURN_IF_ERROR(AddOutput(id));
    }
  }
  return external_status_;
}

absl::Status Exporter::AddInput(size_t i) {
  const auto* dim_names = i < graph_.input_dim_names.size() ? &graph_.input_dim_names[i] : nullptr;
  DescribeValue(graph_.inputs[i], dim_names, *proto_.add_input());
  return absl::OkStatus();
}

// What a body gives out has a name of its own: it may be an input, a constant or given twice.
void Exporter::AddBodyOutput(ValueId id) {
  const std::string given = tensor_names_.Unique(absl::StrCat(Name(id), "_out"));
  AddNode("Identity", given, {ReadValue(id)}, {given});
  const graph::Value& value = graph_.value(id);
  ::onnx::ValueInfoProto& info = *proto_.add_output();
  DescribeValue(id, nullptr, info);
  if (value.quantization) {
    info.mutable_type()->mutable_tensor_type()->set_elem_type(::onnx::TensorProto::FLOAT);
  }
  info.set_name(given);
}

absl::Status Exporter::AddOutput(ValueId id) {
  const graph::Value& value = graph_.value(id);
  if (value.constant && uses_.producer(id) < 0) {  // the caller reads a constant under its own name
    const std::string source =
        value.quantization ? AddInitializer(absl::StrCat(Name(id), "_constant"), *value.constant)
                           : ReadValue(id);
    if (source != Name(id)) AddNode("Identity", Name(id), {source}, {Name(id)});
  }
  DescribeValue(id, nullptr, *proto_.add_output());
  return absl::OkStatus();
}

void Exporter::DescribeValue(ValueId id, const std::vector<std::string>* dim_names,
                             ::onnx::ValueInfoProto& info) {
  const graph::Value& value = graph_.value(id);
  info.set_name(Name(id));
  ::onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(OnnxElementType(value.type));
  if (!value.shape) return;
  ::onnx::TensorShapeProto& shape = *type.mutable_shape();
  for (size_t d = 0; d < value.shape->size(); ++d) {
    auto& dim = *shape.add_dim();
    if ((*value.shape)[d] != graph::kUnknownDim) {
      dim.set_dim_value((*value.shape)[d]);
    } else if (dim_names && d < dim_names->size() && !(*dim_names)[d].empty()) {
      dim.set_dim_param((*dim_names)[d]);
    }
  }
}

absl::Status Exporter::ExportNode(const Node& node) {
  if (const auto* dynamic = node.as<graph::DynamicQuantize>(); dynamic && dynamic->per_sample) {
    ExportDynamicQuantize(node);
    return absl::OkStatus();
  }
  if (node.inputs.size() == 1 && node.as<graph::Quantize>()) {
    if (!graph_.value(node.outputs[0]).quantization) {
      return absl::InternalError(
          absl::StrCat("node ", Quoted(node.name), " quantizes to a value without quantization"));
    }
    ExportQuantize(node);
    return absl::OkStatus();
  }
  if (node.inputs.size() == 1 && node.as<graph::Dequantize>()) {
    // The real numbers are there already: this reads them under another name.
    AddNode("Identity", node.name, {ReadValue(node.inputs[0])}, {Write(node)});
    return absl::OkStatus();
  }
  const absl::Status status = ExportOperation(*this, node);
  if (!status.ok()) {
    return absl::Status(status.code(), absl::StrCat("cannot export node ", Quoted(node.name), ": ",
                                                    status.message()));
  }
  for (ValueId id : node.outputs) {
    if (id != kNoValue) QuantizeOutput(id);
  }
  return absl::OkStatus();
}

std::string Exporter::Read(const Node& node, size_t i) {
  const ValueId id = node.input(i);
  if (id == kNoValue) return "";
  return ReadsHalfAsFloat(node, i) ? ReadHalf(id) : ReadValue(id);
}

Exporter::Names Exporter::ReadAll(const Node& node) {
  Names names;
  for (size_t i = 0; i < node.inputs.size(); ++i) names.push_back(Read(node, i));
  return names;
}

std::string Exporter::ReadValue(ValueId id) {
  if (const auto known = read_.find(id); known != read_.end()) return known->second;
  const graph::Value& value = graph_.value(id);
  const bool produced = uses_.producer(id) >= 0;
  std::string name = Name(id);
  if (value.constant && !produced) {
    name = AddConstant(id);
  } else if (value.quantization && !produced) {  // the caller feeds stored integers
    name = tensor_names_.Unique(absl::StrCat(Name(id), "_dequantized"));
    AddDequantize(id, Name(id), name);
  }
  return read_[id] = name;
}

// A float16 constant that meets float32 numbers means float32 numbers.
bool Exporter::ReadsHalfAsFloat(const Node& node, size_t i) const {
  const graph::Value& value = graph_.value(node.inputs[i]);
  if (!value.constant || value.type != DataType::kFloat16 || node.as<graph::Cast>()) return false;
  for (size_t other = 0; other < node.inputs.size(); ++other) {
    const ValueId id = node.inputs[other];
    if (other == i || id == kNoValue) continue;
    const graph::Value& peer = graph_.value(id);
    if (peer.type == DataType::kFloat32 || peer.quantization) return true;
    if (other == 0 && peer.type == DataType::kUint8) return true;  // quantized per sample
  }
  return false;
}

std::string Exporter::ReadHalf(ValueId id) {
  if (const auto known = half_read_.find(id); known != half_read_.end()) return known->second;
  const std::string stored = ReadValue(id);
  const std::string name = tensor_names_.Unique(absl::StrCat(Name(id), "_float"));
  SetInt(AddNode("Cast", "", {stored}, {name}), "to", ::onnx::TensorProto::FLOAT);
  return half_read_[id] = name;
}

// The constant in the file; the name of its real numbers.
std::string Exporter::AddConstant(ValueId id) {
  const graph::Value& value = graph_.value(id);
  const std::string name = Name(id);
  if (!value.quantization) {
    FillInitializer(*value.constant, *proto_.add_initializer());
    proto_.mutable_initializer()->rbegin()->set_name(name);
    return name;
  }
  const std::string stored = AddInitializer(absl::StrCat(name, "_quantized"), *value.constant);
  const bool output = uses_.is_output(id);  // its name is then that of the stored integers
  const std::string real = output ? tensor_names_.Unique(absl::StrCat(name, "_dequantized")) : name;
  AddDequantize(id, stored, real);
  return real;
}

std::string Exporter::Write(const Node& node, size_t i) {
  const ValueId id = i < node.outputs.size() ? node.outputs[i] : kNoValue;
  if (id == kNoValue) return "";
  // The caller reads the stored integers of a quantized output under its name.
  if (!graph_.value(id).quantization || !uses_.is_output(id)) return Name(id);
  if (const auto known = written_.find(id); known != written_.end()) return known->second;
  return written_[id] = Temporary(node, "real");
}

std::string Exporter::Temporary(const Node& node, const std::string& suffix) {
  return tensor_names_.Unique(absl::StrCat(Name(node.outputs[0]), "_", suffix));
}

::onnx::NodeProto& Exporter::AddNode(const std::string& op_type, const std::string& name,
                                     Names inputs, Names outputs) {
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  ::onnx::NodeProto& node = *proto_.add_node();
  node.set_op_type(op_type);
  // Nodes that only carry quantization need no name of their own.
  if (!name.empty()) node.set_name(node_names_.Unique(Shortened(name)));
  for (std::string& input : inputs) node.add_input(std::move(input));
  for (std::string& output : outputs) node.add_output(std::move(output));
  return node;
}

std::string Exporter::AddInitializer(const std::string& name, const Tensor& tensor) {
  const std::string unique = tensor_names_.Unique(name);
  ::onnx::TensorProto& initializer = *proto_.add_initializer();
  FillInitializer(tensor, initializer);
  initializer.set_name(unique);
  return unique;
}

void Exporter::FillInitializer(const Tensor& tensor, ::onnx::TensorProto& proto) {
  if (external_ == nullptr || !external_->Takes(tensor)) return FillTensor(tensor, proto);
  DescribeTensor(tensor, proto);
  if (external_status_.ok()) external_status_ = external_->Write(tensor, proto);
}

std::string Exporter::AddInt64s(const Node& node, const std::string& suffix,
                                const std::vector<int64_t>& values) {
  return AddInitializer(
      absl::StrCat(Name(node.outputs[0]), "_", suffix),
      *Tensor::Of(DataType::kInt64, {static_cast<int64_t>(values.size())}, values));
}

std::string Exporter::AddScalar(const Node& node, const std::string& suffix, float value) {
  return AddInitializer(absl::StrCat(Name(node.outputs[0]), "_", suffix),
                        *Tensor::Of(DataType::kFloat32, {}, std::vector<float>{value}));
}

void SetInt(::onnx::NodeProto& node, const std::string& name, int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void SetFloat(::onnx::NodeProto& node, const std::string& name, float value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

void SetInts(::onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute.add_ints(value);
}

void SetString(::onnx::NodeProto& node, const std::string& name, const std::string& value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

void FillTensor(const Tensor& tensor, ::onnx::TensorProto& proto) {
  DescribeTensor(tensor, proto);
  proto.set_raw_data(tensor.data(), tensor.bytes());
}

}  // namespace fourfold::onnx
