#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/graph/names.h"
#include "server/tflite/model_file.h"
#include "server/tflite/tensor_info.h"

namespace fourfold::tflite {

// The file's tensors as values of the graph. A tensor that stands for real numbers has several:
// what the file stores, the real numbers, and those with the channels in front; each is made when
// it is first asked for. Borrows the file and the graph.
class TensorValues {
 public:
  using ValueId = graph::ValueId;

  TensorValues(const ModelFile& file, const graph::ImportLimits& limits, graph::Graph& graph)
      : file_(file), limits_(limits), graph_(graph), states_(file.tensor_count()) {}

  // Reads a tensor's description, once. The functions below want it read. Errors as ReadTensor's.
  absl::Status Load(int tensor);
  const TensorInfo& info(int tensor) const { return *states_[Index(tensor)].info; }

  // Makes it an input of the graph; DefinedAs makes it a name for what another tensor is.
  absl::Status DefineInput(int tensor);
  void DefineAs(int tensor, int other) { states_[Index(tensor)].alias = other; }
  // Constant, fed, or written by now. Constants without elements have no data to tell them by.
  bool IsDefined(int tensor) const;

  // What the file stores: integers of quantized tensors. Requires IsDefined.
  ValueId Stored(int tensor);
  // The numbers that the tensor means: float32 of quantized and float16 ones, else as stored.
  ValueId Real(int tensor);
  // Real of [N, H, W, C] as [N, C, H, W].
  ValueId ChannelsFirst(int tensor);
  // Real of a tensor whose dimension d is dimension permutation[d] of the file's: weights.
  ValueId Permuted(int tensor, const std::vector<int64_t>& permutation);
  // The tensor that this one is another name for, at last itself.
  int Origin(int tensor) const;

  // The tensor is `real`, quantized if the tensor is. Error if it is defined already.
  absl::Status Define(int tensor, ValueId real);
  absl::Status DefineChannelsFirst(int tensor, ValueId real);

  // `real` after quantization with the parameters of a quantized tensor, as real numbers again; as
  // it is for others. What moves the elements of quantized tensors is followed by it.
  ValueId Requantized(ValueId real, int tensor);

  // A node with `outputs` new values, of which the first is returned and the others follow it.
  ValueId Emit(const std::string& name, graph::Operation operation, std::vector<ValueId> inputs,
               size_t outputs = 1);
  ValueId AddConstant(const std::string& name, graph::TensorPtr tensor);

 private:
  struct State {
    std::optional<TensorInfo> info;
    int alias = -1;
    ValueId stored = graph::kNoValue;
    ValueId real = graph::kNoValue;
    ValueId channels_first = graph::kNoValue;
    std::pair<ValueId, ValueId> parameters = {graph::kNoValue, graph::kNoValue};
  };

  static size_t Index(int tensor) { return static_cast<size_t>(tensor); }
  std::string NameOf(int tensor) const;
  // Scale and zero point as constants.
  std::pair<ValueId, ValueId> Parameters(int tensor);
  // Numbers behind what is stored as `stored`.
  ValueId ToReal(int tensor, ValueId stored, int64_t axis);
  ValueId Quantized(int tensor, ValueId real);

  const ModelFile& file_;
  const graph::ImportLimits& limits_;
  graph::Graph& graph_;
  std::vector<State> states_;  // by tensor
  std::map<std::pair<int, std::vector<int64_t>>, ValueId> permuted_;
  std::vector<bool> unnamed_;  // by value: made by Emit and no tensor's yet
  graph::NameSet value_names_;
  graph::NameSet node_names_;
};

}  // namespace fourfold::tflite
