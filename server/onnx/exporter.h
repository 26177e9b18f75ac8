#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "onnx/onnx.pb.h"
#include "server/graph/graph.h"
#include "server/onnx/external_writer.h"
#include "server/onnx/names.h"

namespace fourfold::onnx {

// Writes one graph into an onnx::GraphProto. A value of the graph appears in the file under up to
// three names: what its producer writes (real numbers), the stored integers, and the real numbers
// they mean, which is what consumers read. Borrows all it is given.
class Exporter {
 public:
  using ValueId = graph::ValueId;
  using Node = graph::Node;
  using Names = std::vector<std::string>;

  // `external` takes the elements of large constants; null: all are written into `proto`.
  Exporter(const graph::Graph& graph, ::onnx::GraphProto& proto, int64_t opset,
           ExternalWriter* external = nullptr);

  // Of a graph inside a node of `outer`'s graph: the last inputs are those it captures, which have
  // these names in the file around it. Borrows `outer`, whose names it must not use for its own.
  Exporter(const graph::Graph& body, ::onnx::GraphProto& proto, Exporter& outer,
           const Names& captured);

  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // INVALID_ARGUMENT for what the opset cannot say; INTERNAL for graphs that break their rules;
  // errors of `external`.
  absl::Status Run();

  const graph::Graph& graph() const { return graph_; }
  int64_t opset() const { return opset_; }

  // ---- For the operations (export_operations.cc).

  // The name under which the node reads an input: real numbers, or plain elements of an unquantized
  // value. "" where it is absent.
  std::string Read(const Node& node, size_t i);
  // All of its inputs.
  Names ReadAll(const Node& node);
  // The bias (input 2) of a Conv or MatMul: as 32-bit integers where the arithmetic around it is
  // statically quantized and they hold it, else as it is.
  std::string ReadBias(const Node& node);
  // The name that an output's producer writes its result to.
  std::string Write(const Node& node, size_t i = 0);

  // A name for a result between the ONNX nodes of one of ours.
  std::string Temporary(const Node& node, const std::string& suffix);
  ::onnx::NodeProto& AddNode(const std::string& op_type, const std::string& name, Names inputs,
                             Names outputs);
  std::string AddInitializer(const std::string& name, const graph::Tensor& tensor);
  std::string AddInt64s(const Node& node, const std::string& suffix,
                        const std::vector<int64_t>& values);
  std::string AddScalar(const Node& node, const std::string& suffix, float value);

  // ---- Quantization (export_quantization.cc).

  void ExportQuantize(const Node& node);         // between a real value and a quantized one
  void ExportDynamicQuantize(const Node& node);  // per sample

 private:
  void AssignNames();
  absl::Status AddInput(size_t i);
  void AddBodyOutput(ValueId id);
  absl::Status AddOutput(ValueId id);
  void DescribeValue(ValueId id, const std::vector<std::string>* dim_names,
                     ::onnx::ValueInfoProto& info);
  absl::Status ExportNode(const Node& node);

  std::string Name(ValueId id) const { return names_[static_cast<size_t>(id)]; }
  std::string ReadValue(ValueId id);
  std::string ReadHalf(ValueId id);
  bool ReadsHalfAsFloat(const Node& node, size_t i) const;
  std::string AddConstant(ValueId id);
  void FillInitializer(const graph::Tensor& tensor, ::onnx::TensorProto& proto);

  // Behind a node: QuantizeLinear and DequantizeLinear of an output that is quantized.
  void QuantizeOutput(ValueId id);
  void QuantizeInto(ValueId id, const std::string& real);
  // Scale and zero point of a quantized value as initializers, made once.
  Names QuantizationParameters(ValueId id);
  void AddDequantize(ValueId id, const std::string& stored, const std::string& real);

  const graph::Graph& graph_;
  graph::Uses uses_;
  ::onnx::GraphProto& proto_;
  const int64_t opset_;
  ExternalWriter* const external_;  // of all graphs of the model
  absl::Status external_status_;    // its first error
  const bool is_body_ = false;
  size_t captured_ = 0;                        // inputs of a body that it captures
  NameSet own_tensor_names_, own_node_names_;  // of the model, not of a body
  NameSet& tensor_names_;                      // unique over the model's graphs
  NameSet& node_names_;
  std::vector<std::string> names_;            // by value
  std::map<ValueId, std::string> read_;       // where the real numbers of a value are read
  std::map<ValueId, std::string> written_;    // quantized outputs: what their producer writes
  std::map<ValueId, std::string> half_read_;  // float16 constants as float32
  std::map<ValueId, Names> parameters_;
};

// Adds the nodes of one operation (export_operations.cc).
absl::Status ExportOperation(Exporter& exporter, const graph::Node& node);

// export_control.cc
absl::Status ExportIf(Exporter& exporter, const graph::Node& node, const graph::If& branches);
absl::Status ExportLoop(Exporter& exporter, const graph::Node& node, const graph::Loop& loop);
absl::Status ExportScan(Exporter& exporter, const graph::Node& node, const graph::Scan& scan);

void SetInt(::onnx::NodeProto& node, const std::string& name, int64_t value);
void SetFloat(::onnx::NodeProto& node, const std::string& name, float value);
void SetInts(::onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values);
void SetString(::onnx::NodeProto& node, const std::string& name, const std::string& value);
void FillTensor(const graph::Tensor& tensor, ::onnx::TensorProto& proto);

}  // namespace fourfold::onnx
