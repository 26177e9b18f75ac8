#include "server/onnx/attributes.h"

#include "absl/strings/str_cat.h"
#include "server/onnx/names.h"

namespace fourfold::onnx {
namespace {

using ::onnx::AttributeProto;

// The kind of value that is there; files older than the type field do not say.
AttributeProto::AttributeType KindOf(const AttributeProto& attribute) {
  if (attribute.type() != AttributeProto::UNDEFINED) return attribute.type();
  if (attribute.has_f()) return AttributeProto::FLOAT;
  if (attribute.has_i()) return AttributeProto::INT;
  if (attribute.has_s()) return AttributeProto::STRING;
  if (attribute.has_t()) return AttributeProto::TENSOR;
  if (attribute.has_g()) return AttributeProto::GRAPH;
  if (attribute.floats_size() > 0) return AttributeProto::FLOATS;
  if (attribute.ints_size() > 0) return AttributeProto::INTS;
  return AttributeProto::UNDEFINED;
}

}  // namespace

Attributes::Attributes(const ::onnx::NodeProto& node) : node_(node) {
  std::set<std::string> seen;
  for (const AttributeProto& attribute : node.attribute()) {
    if (!seen.insert(attribute.name()).second && error_.ok()) {
      error_ = absl::InvalidArgumentError(
          absl::StrCat("attribute ", Quoted(attribute.name()), " is there twice"));
    }
  }
}

const AttributeProto* Attributes::Find(const std::string& name) const {
  for (const AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

const AttributeProto* Attributes::Read(const std::string& name, Kind kind) {
  read_.insert(name);
  const AttributeProto* attribute = Find(name);
  if (attribute == nullptr) return nullptr;
  if (!attribute->ref_attr_name().empty()) {
    if (error_.ok()) {
      error_ = absl::InvalidArgumentError(
          absl::StrCat("attribute ", Quoted(name), " refers to a function that is not there"));
    }
    return nullptr;
  }
  const Kind got = KindOf(*attribute);
  // An empty list in a file without kinds cannot be told from anything else.
  if (got == kind || got == AttributeProto::UNDEFINED) return attribute;
  if (error_.ok()) {
    error_ = absl::InvalidArgumentError(absl::StrCat(
        "attribute ", Quoted(name), " is of kind ", AttributeProto::AttributeType_Name(got),
        ", not ", AttributeProto::AttributeType_Name(kind)));
  }
  return nullptr;
}

int64_t Attributes::Int(const std::string& name, int64_t fallback) {
  const AttributeProto* attribute = Read(name, AttributeProto::INT);
  return attribute ? attribute->i() : fallback;
}

float Attributes::Float(const std::string& name, float fallback) {
  const AttributeProto* attribute = Read(name, AttributeProto::FLOAT);
  return attribute ? attribute->f() : fallback;
}

std::string Attributes::String(const std::string& name, const std::string& fallback) {
  const AttributeProto* attribute = Read(name, AttributeProto::STRING);
  return attribute ? attribute->s() : fallback;
}

std::vector<int64_t> Attributes::Ints(const std::string& name) {
  const AttributeProto* attribute = Read(name, AttributeProto::INTS);
  if (attribute == nullptr) return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<float> Attributes::Floats(const std::string& name) {
  const AttributeProto* attribute = Read(name, AttributeProto::FLOATS);
  if (attribute == nullptr) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

std::vector<std::string> Attributes::Strings(const std::string& name) {
  const AttributeProto* attribute = Read(name, AttributeProto::STRINGS);
  if (attribute == nullptr) return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

const ::onnx::TensorProto* Attributes::Tensor(const std::string& name) {
  const AttributeProto* attribute = Read(name, AttributeProto::TENSOR);
  return attribute ? &attribute->t() : nullptr;
}

const ::onnx::GraphProto* Attributes::Graph(const std::string& name) {
  const AttributeProto* attribute = Read(name, AttributeProto::GRAPH);
  return attribute ? &attribute->g() : nullptr;
}

void Attributes::Require(const std::string& name) {
  if (Find(name) == nullptr && error_.ok()) {
    error_ = absl::InvalidArgumentError(absl::StrCat("attribute ", Quoted(name), " is missing"));
  }
}

absl::Status Attributes::Finish() const {
  if (!error_.ok()) return error_;
  for (const AttributeProto& attribute : node_.attribute()) {
    if (!read_.contains(attribute.name())) {
      return absl::UnimplementedError(absl::StrCat("attribute ", Quoted(attribute.name())));
    }
  }
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
