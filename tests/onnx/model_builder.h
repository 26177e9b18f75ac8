#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "onnx/onnx.pb.h"
#include "server/graph/graph.h"
#include "server/onnx/import.h"

namespace fourfold::onnx {

// Small ONNX models for tests, written message by message and not with the exporter.
class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 13);

  ::onnx::ModelProto& model() { return model_; }
  ::onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  void Input(const std::string& name, const std::vector<int64_t>& dims,
             int32_t type = ::onnx::TensorProto::FLOAT);
  void Output(const std::string& name);
  void Floats(const std::string& name, const std::vector<int64_t>& dims,
              const std::vector<float>& values);
  void Int64s(const std::string& name, const std::vector<int64_t>& values);
  ::onnx::NodeProto& Node(const std::string& op_type, const std::vector<std::string>& inputs,
                          const std::vector<std::string>& outputs, const std::string& name = "");

  std::string Bytes() const { return model_.SerializeAsString(); }
  absl::StatusOr<graph::Graph> Import(const ImportLimits& limits = {},
                                      ExternalData* external = nullptr) const;

 private:
  ::onnx::ModelProto model_;
};

absl::StatusOr<graph::Graph> ImportBytes(const std::string& bytes, const ImportLimits& limits = {},
                                         ExternalData* external = nullptr);

void AddInt(::onnx::NodeProto& node, const std::string& name, int64_t value);
void AddFloat(::onnx::NodeProto& node, const std::string& name, float value);
void AddInts(::onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values);
void AddString(::onnx::NodeProto& node, const std::string& name, const std::string& value);

// The elements of the constant behind an input of a node.
std::vector<int64_t> ConstantInt64s(const graph::Graph& graph, const graph::Node& node, size_t i);
std::vector<float> ConstantFloats(const graph::Graph& graph, const graph::Node& node, size_t i);

// A file of the measured models beside the checkout; empty where it is not there.
std::string ReadSharedModel(const std::string& name);

// What an import and the import of its export have to share, as text: operations, names, types,
// shapes and constants.
std::string Structure(const graph::Graph& graph);

}  // namespace fourfold::onnx
