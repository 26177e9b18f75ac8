#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/graph/operations.h"
#include "server/graph/tensor.h"

namespace fourfold::graph {

// The intermediate representation: a list of values and a list of nodes in an order in which they
// can run. Values carry what is known of them (type, shape, constant, quantization); nodes carry
// one operation (operations.h). Graph is a value type; passes take and return it.

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input that is absent

// How the elements of a value are stored as integers: real = scale * (stored - zero_point), per
// tensor, or per slice along `axis`.
struct Quantization {
  std::vector<float> scale;         // one, or one per slice along axis
  std::vector<int32_t> zero_point;  // as many
  int axis = -1;                    // -1: per tensor

  bool per_tensor() const { return axis < 0; }
  kernels::QuantParams params() const { return {scale[0], zero_point[0]}; }  // of a per-tensor one

  friend bool operator==(const Quantization&, const Quantization&) = default;
};

struct Value {
  std::string name;
  DataType type = DataType::kFloat32;  // as stored: kUint8 where quantization is set
  std::optional<Shape> shape;          // nothing: not even the rank is known
  TensorPtr constant;                  // null: computed or fed
  // Set where the stored integers stand for real numbers. Nodes then mean the real numbers.
  std::optional<Quantization> quantization;
};

struct Node {
  std::string name;  // unique in a graph, for messages and reports
  Operation operation;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;

  ValueId input(size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }
  template <typename T>
  const T* as() const {
    return std::get_if<T>(&operation);
  }
  template <typename T>
  T* as() {
    return std::get_if<T>(&operation);
  }
};

class Graph {
 public:
  std::string name;
  std::vector<Node> nodes;      // producers before consumers
  std::vector<ValueId> inputs;  // fed by the caller
  std::vector<ValueId> outputs;
  std::map<std::string, std::string> metadata;  // free text that travels with the file

  // Names of input dimensions that vary ("N", "batch"), by input and dimension; "" for fixed ones.
  std::vector<std::vector<std::string>> input_dim_names;

  ValueId AddValue(Value value);
  ValueId AddConstant(std::string name, TensorPtr tensor);

  Value& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  size_t value_count() const { return values_.size(); }

  // The constant behind an input of a node; null if it is absent or not constant.
  const Tensor* ConstantInput(const Node& node, size_t i) const;

  // A name that no value (node) has yet: `base`, or base_1, base_2, ...
  std::string UniqueValueName(const std::string& base) const;
  std::string UniqueNodeName(const std::string& base) const;

 private:
  std::vector<Value> values_;
};

// Who makes and who uses each value. Of one state of a graph: edits make it stale.
class Uses {
 public:
  explicit Uses(const Graph& graph);

  // Index of the producing node, -1 for inputs and constants.
  int producer(ValueId id) const { return producer_[static_cast<size_t>(id)]; }
  // Indices of consuming nodes, one entry per use.
  const std::vector<int>& consumers(ValueId id) const {
    return consumers_[static_cast<size_t>(id)];
  }
  bool is_output(ValueId id) const { return is_output_[static_cast<size_t>(id)]; }
  // Exactly one node reads it and the caller does not.
  bool has_single_use(ValueId id) const { return consumers(id).size() == 1 && !is_output(id); }

 private:
  std::vector<int> producer_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> is_output_;
};

}  // namespace fourfold::graph
