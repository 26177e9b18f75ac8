#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "onnx/onnx.pb.h"
#include "server/graph/graph.h"
#include "server/onnx/attributes.h"
#include "server/onnx/external_tensors.h"
#include "server/onnx/import.h"
#include "server/onnx/names.h"

namespace fourfold::onnx {

// What an operator asks of shapes that are known only when all nodes are there.
using ShapeRule = std::function<absl::Status(const graph::Graph&)>;

// A graph inside a node (a branch of If, the body of Loop or Scan).
struct ImportedBody {
  graph::Graph graph;                    // inputs: its own, then those it captures
  std::vector<graph::ValueId> captured;  // of the graph around it
};

// The state of one import.
struct ImportScope {
  ImportLimits limits;
  ExternalTensors* external = nullptr;  // of all graphs of the model
  int64_t opset = 0;
  graph::Graph graph;
  std::unordered_map<std::string, graph::ValueId> values;  // by their name in the file
  std::unordered_set<std::string> read;                    // names that a node or the caller reads
  std::unordered_map<graph::ValueId, size_t> producers;    // index of the node that makes a value
  // Sequences of known length, which only stand for their tensors; nothing for one of the graph
  // around this one.
  std::unordered_map<graph::ValueId, std::optional<std::vector<graph::ValueId>>> sequences;
  size_t sequence_tensors = 0;                         // in all of them
  std::vector<ShapeRule> shape_rules;                  // checked when shapes have been inferred
  std::unordered_map<graph::ValueId, int32_t> packed;  // constants of 4 bits: their ONNX type
  std::unordered_set<graph::ValueId> untyped;          // computed, of a type not known yet
  NameSet value_names;
  NameSet node_names;
  int depth = 0;  // graphs around this one
  std::function<absl::StatusOr<ImportedBody>(const ::onnx::GraphProto& body)> body;
};

// One ONNX node on its way into the graph: what an operator's builder reads from and writes to.
// Borrows the scope and the message.
class NodeBuilder {
 public:
  NodeBuilder(ImportScope& scope, const ::onnx::NodeProto& proto, std::string name)
      : scope_(scope), proto_(proto), name_(std::move(name)), attributes_(proto) {}

  int64_t opset() const { return scope_.opset; }
  const ImportLimits& limits() const { return scope_.limits; }
  ExternalTensors* external() { return scope_.external; }
  Attributes& attributes() { return attributes_; }

  int input_count() const { return proto_.input_size(); }
  int output_count() const { return proto_.output_size(); }

  // kNoValue where absent.
  graph::ValueId input(int i) const;
  std::vector<graph::ValueId> inputs() const;
  bool has_input(int i) const { return input(i) != graph::kNoValue; }

  // The value the file names there; a fresh one where it names none.
  graph::ValueId output(int i);
  // Whether a node or the caller reads it.
  bool reads_output(int i) const {
    return i < proto_.output_size() && scope_.read.contains(proto_.output(i));
  }

  // The tensors of an input that is a sequence. INVALID_ARGUMENT: it is a tensor.
  absl::StatusOr<std::vector<graph::ValueId>> Sequence(int i) const;
  bool IsSequence(int i) const { return scope_.sequences.contains(input(i)); }
  // Makes output 0 the sequence of these. INVALID_ARGUMENT if all sequences together become longer
  // than ImportLimits::values.
  absl::Status SetSequence(std::vector<graph::ValueId> tensors);

  // The constant behind an input, also through one Cast, Identity or change of shape; null if it is
  // absent or not constant.
  graph::TensorPtr Constant(int i) const { return ConstantOf(input(i)); }
  graph::TensorPtr ConstantOf(graph::ValueId id) const;

  // The ONNX type of a constant input that the file stores in 4 bits an element (it is held in 8);
  // 0 for others.
  int32_t PackedType(int i) const;

  // The graph that an attribute holds. What it lacks is noted for the message about the model.
  absl::StatusOr<ImportedBody> Body(const std::string& attribute);

  // What is known of a value's shape before inference.
  std::optional<graph::Shape> KnownShape(graph::ValueId id) const;
  // The same as far as inference tells from all nodes so far. For rare operators: it costs time.
  std::optional<graph::Shape> InferredShape(graph::ValueId id) const;

  // The element type of a value, where its node and all before it have been understood.
  std::optional<graph::DataType> TypeOf(graph::ValueId id) const;

  // Has an input's shape checked once shapes have been inferred, if it is known then. `wrong` says
  // what is wrong with it: "" for nothing.
  void CheckShapeLater(int i, std::function<std::string(const graph::Shape&)> wrong);
  const graph::Value& value(graph::ValueId id) const { return scope_.graph.value(id); }
  // The node that makes a value, null for constants and what the caller feeds. Until the next Emit.
  const graph::Node* Producer(graph::ValueId id) const;

  // Values that the file does not name; called after the node and `suffix`.
  graph::ValueId NewValue(const std::string& suffix);
  graph::ValueId NewConstant(const std::string& suffix, graph::TensorPtr tensor);
  graph::ValueId NewInt64s(const std::string& suffix, const std::vector<int64_t>& values);
  graph::ValueId NewFloats(const std::string& suffix, const std::vector<float>& values);
  graph::ValueId NewScalar(const std::string& suffix, float value);

  // Makes output `i` a constant; no node is needed for it.
  void SetConstantOutput(int i, graph::TensorPtr tensor);

  // Adds a node; it writes output(0) unless other outputs are given.
  void Emit(graph::Operation operation, std::vector<graph::ValueId> inputs);
  void Emit(graph::Operation operation, std::vector<graph::ValueId> inputs,
            std::vector<graph::ValueId> outputs);

 private:
  void InferTypes();  // of the node that was added last

  ImportScope& scope_;
  const ::onnx::NodeProto& proto_;
  std::string name_;
  Attributes attributes_;
};

}  // namespace fourfold::onnx
