#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/tflite/model_file.h"
#include "server/tflite/tensor_values.h"

namespace fourfold::tflite {

// One operator of the file on its way into the graph: what its builder reads from and writes to.
// Borrows both. Inputs and outputs are by position; their descriptions have been read and inputs
// are defined (TensorValues::IsDefined).
class OperatorBuilder {
 public:
  using ValueId = graph::ValueId;

  OperatorBuilder(TensorValues& values, const schema::Operator& op, std::string name)
      : values_(values), op_(op), name_(std::move(name)) {}

  int input_count() const { return op_.inputs() ? static_cast<int>(op_.inputs()->size()) : 0; }
  int output_count() const { return op_.outputs() ? static_cast<int>(op_.outputs()->size()) : 0; }
  bool has_input(int i) const { return i < input_count() && tensor(i) >= 0; }

  // The file's description of a present input or an output, and its index there.
  const TensorInfo& input(int i) const { return values_.info(values_.Origin(tensor(i))); }
  const TensorInfo& output(int i) const { return values_.info(OutputTensor(i)); }
  int tensor(int i) const { return op_.inputs()->Get(static_cast<flatbuffers::uoffset_t>(i)); }
  TensorValues& values() { return values_; }

  // INVALID_ARGUMENT where the operator has no options or those of another operator.
  template <typename Options>
  absl::StatusOr<const Options*> OptionsOf() const {
    const Options* options = op_.builtin_options_as<Options>();
    if (options == nullptr) return absl::InvalidArgumentError("lacks its options");
    return options;
  }
  template <typename Options>
  const Options* OptionsOrNull() const {
    return op_.builtin_options_as<Options>();
  }

  // The numbers that an input means; kNoValue where it is absent.
  ValueId Real(int i) { return has_input(i) ? values_.Real(tensor(i)) : graph::kNoValue; }
  // The same of an image, [N, C, H, W]; INVALID_ARGUMENT if the file says that it is none.
  absl::StatusOr<ValueId> ChannelsFirst(int i);
  // Integers as int64.
  ValueId Int64(int i);

  // The rank that the file states; UNIMPLEMENTED if it does not.
  absl::StatusOr<size_t> Rank(int i) const;
  // An axis of input i, negative ones counted from the end; INVALID_ARGUMENT outside of its rank.
  absl::StatusOr<int64_t> Axis(int i, int64_t axis) const;
  // The elements of a constant input of integers; UNIMPLEMENTED if it is computed.
  absl::StatusOr<std::vector<int64_t>> Ints(int i) const;
  absl::StatusOr<int64_t> Int(int i) const;  // exactly one

  ValueId NewInt64s(const std::string& suffix, const std::vector<int64_t>& values);
  ValueId NewScalar(const std::string& suffix, float value);
  ValueId NewConstant(const std::string& suffix, graph::TensorPtr tensor);

  // A node; its first output. `suffix` tells it from others of the operator; the main one has none.
  ValueId Emit(graph::Operation operation, std::vector<ValueId> inputs,
               const std::string& suffix = "", size_t outputs = 1);

  // `x` after a fused activation function. UNIMPLEMENTED for SIGN_BIT and unknown ones.
  absl::StatusOr<ValueId> Activated(ValueId x, schema::ActivationFunctionType function);

  // Defines an output.
  absl::Status Return(ValueId value, int i = 0) { return values_.Define(OutputTensor(i), value); }
  absl::Status ReturnChannelsFirst(ValueId value, int i = 0) {
    return values_.DefineChannelsFirst(OutputTensor(i), value);
  }
  // Output 0, after the function.
  absl::Status Return(ValueId value, schema::ActivationFunctionType function);
  absl::Status ReturnChannelsFirst(ValueId value, schema::ActivationFunctionType function);

  int OutputTensor(int i) const {
    return op_.outputs()->Get(static_cast<flatbuffers::uoffset_t>(i));
  }

 private:
  TensorValues& values_;
  const schema::Operator& op_;
  std::string name_;
};

}  // namespace fourfold::tflite
