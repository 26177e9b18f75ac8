#include <algorithm>

#include "server/base/status_macros.h"
#include "server/graph/evaluate_numbers.h"
#include "server/passes/absorb_quantization.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::DataType;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Quantization;
using graph::TensorPtr;
using graph::Uses;
using graph::Value;
using graph::ValueId;

namespace {

void MakeConstant(Value& value, TensorPtr tensor) {
  value.type = tensor->type();
  value.shape = tensor->shape();
  value.constant = std::move(tensor);
}

// Whether every node that reads `id` can read it as 8-bit integers that stand for real numbers.
bool ReadAsIntegers(const Graph& graph, const Uses& uses, ValueId id, const Quantization& how) {
  if (uses.is_output(id) || uses.consumers(id).empty()) return false;
  for (int consumer : uses.consumers(id)) {
    const Node& node = graph.nodes[static_cast<size_t>(consumer)];
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != id) continue;
      const bool weights = (node.as<graph::Conv>() != nullptr && i == 1) ||
                           (node.as<graph::MatMul>() != nullptr && i <= 1) ||
                           (node.as<graph::ConvTranspose>() != nullptr && i == 1) ||
                           (node.as<graph::Recurrent>() != nullptr && (i == 1 || i == 2));
      const bool moved = node.as<graph::Transpose>() != nullptr;
      const bool operand = node.as<graph::Binary>() != nullptr ||
                           node.as<graph::Concat>() != nullptr ||
                           (node.as<graph::Gather>() != nullptr && i == 0) ||
                           (node.as<graph::Reshape>() != nullptr && i == 0);
      // Rows of an embedding table may have a scale each.
      const auto* gather = node.as<graph::Gather>();
      const bool rows = gather != nullptr && i == 0 && gather->axis == 0 && how.axis == 0;
      if (!weights && !moved && !rows && !(operand && how.per_tensor())) return false;
    }
  }
  return true;
}

// Whether all read `id` as the bias of a Conv or MatMul.
bool ReadAsBias(const Graph& graph, const Uses& uses, ValueId id) {
  if (uses.is_output(id) || uses.consumers(id).empty()) return false;
  for (int consumer : uses.consumers(id)) {
    const Node& node = graph.nodes[static_cast<size_t>(consumer)];
    if (node.as<graph::Conv>() == nullptr && node.as<graph::MatMul>() == nullptr) return false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == id && i != 2) return false;
    }
  }
  return true;
}

bool IsSymmetric(const Quantization& how) {
  return std::all_of(how.zero_point.begin(), how.zero_point.end(),
                     [](int32_t zero) { return zero == 0; });
}

absl::StatusOr<bool> AbsorbQuantize(Graph& graph, const Node& node) {
  const graph::Tensor* x = PlainConstant(graph, node, 0);
  if (x == nullptr || node.inputs.size() < 2) return false;
  ASSIGN_OR_RETURN(const std::optional<Quantization> how, ConstantQuantization(graph, node));
  if (!how) return false;
  const DataType type =
      node.input(2) == kNoValue ? DataType::kUint8 : graph.value(node.inputs[2]).type;
  TensorPtr integers = graph::QuantizeTensor(*x, type, *how);
  if (integers == nullptr) return false;
  MakeConstant(graph.value(node.outputs[0]), std::move(integers));
  return true;
}

absl::StatusOr<bool> AbsorbDequantize(Graph& graph, const Uses& uses, const Node& node) {
  const Value& stored = graph.value(node.inputs[0]);
  if (stored.constant == nullptr || stored.quantization || node.inputs.size() < 2) return false;
  ASSIGN_OR_RETURN(std::optional<Quantization> how, ConstantQuantization(graph, node));
  if (!how) return false;
  Value& real = graph.value(node.outputs[0]);
  if (real.quantization) return false;
  const bool bytes = stored.type == DataType::kInt8 || stored.type == DataType::kUint8;
  const bool bias = stored.type == DataType::kInt32 && IsSymmetric(*how) &&
                    ReadAsBias(graph, uses, node.outputs[0]);
  if (bias || (bytes && ReadAsIntegers(graph, uses, node.outputs[0], *how))) {
    MakeConstant(real, stored.constant);
    real.quantization = std::move(how);
    return true;
  }
  TensorPtr numbers = graph::DequantizeTensor(*stored.constant, *how);
  if (numbers == nullptr) return false;
  MakeConstant(real, std::move(numbers));
  return true;
}

// Integers cut off to fewer bits than their type has, as Brevitas writes weights.
bool AbsorbClip(Graph& graph, const Node& node) {
  const auto& eltwise = *node.as<graph::Eltwise>();
  const TensorPtr x = graph.value(node.inputs[0]).constant;
  if (x == nullptr || graph.value(node.inputs[0]).quantization ||
      eltwise.function != graph::Eltwise::Function::kActivation ||
      eltwise.activation.kind != kernels::Activation::Kind::kClip) {
    return false;
  }
  TensorPtr clipped = graph::ClipIntegers(*x, eltwise.activation.alpha, eltwise.activation.beta);
  if (clipped == nullptr) return false;
  MakeConstant(graph.value(node.outputs[0]), std::move(clipped));
  return true;
}

// Weights of Conv, MatMul and Recurrent stay float16; whatever else reads them gets float32.
bool AbsorbCast(Graph& graph, const Uses& uses, const Node& node) {
  const ValueId from = node.inputs[0], to = node.outputs[0];
  const Value& half = graph.value(from);
  if (half.constant == nullptr || half.quantization || half.type != DataType::kFloat16 ||
      node.as<graph::Cast>()->to != DataType::kFloat32) {
    return false;
  }
  bool read_as_float = uses.is_output(to);
  for (int consumer : uses.consumers(to)) {
    Node& reader = graph.nodes[static_cast<size_t>(consumer)];
    const bool recurrent = reader.as<graph::Recurrent>() != nullptr;
    const bool takes_half =
        reader.as<graph::Conv>() != nullptr || reader.as<graph::MatMul>() != nullptr || recurrent;
    if (takes_half && reader.input(1) == to) reader.inputs[1] = from;
    if (recurrent && reader.input(2) == to) reader.inputs[2] = from;
    read_as_float = read_as_float || std::count(reader.inputs.begin(), reader.inputs.end(), to) > 0;
  }
  // Not for nobody: large weights would be in memory twice more.
  if (read_as_float) {
    MakeConstant(graph.value(to), graph::CastNumbers(*half.constant, DataType::kFloat32));
  }
  return true;
}

}  // namespace

absl::Status AbsorbConstants(Graph& graph) {
  const Uses uses(graph);
  std::vector<bool> erased(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.as<graph::Quantize>() != nullptr) {
      ASSIGN_OR_RETURN(erased[i], AbsorbQuantize(graph, node));
    } else if (node.as<graph::Dequantize>() != nullptr) {
      ASSIGN_OR_RETURN(erased[i], AbsorbDequantize(graph, uses, node));
    } else if (node.as<graph::Eltwise>() != nullptr) {
      erased[i] = AbsorbClip(graph, node);
    } else if (node.as<graph::Cast>() != nullptr) {
      erased[i] = AbsorbCast(graph, uses, node);
    }
  }
  EraseNodes(graph, erased);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
