#include "server/graph/evaluate.h"

#include "server/graph/contents.h"
#include "server/graph/dynamic_operation.h"
#include "server/graph/evaluate_numbers.h"
#include "server/graph/infer_node.h"
#include "server/graph/plain_kernels.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

// The result of a node under way: what it reads and what shape inference says of it.
struct Evaluation {
  const Node& node;
  std::vector<const Tensor*> inputs;  // null where absent
  DataType type;
  Shape shape;

  const Tensor& in(size_t i) const { return *inputs[i]; }
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
};

TensorPtr Reshaped(const Evaluation& work) {
  return Tensor::Copy(work.type, work.shape, BytesOf(work.in(0)));
}

TensorPtr Strided(const Evaluation& work, const std::vector<int64_t>& strides, int64_t offset) {
  return GatherStrided(work.in(0), work.shape, strides, offset);
}

TensorPtr EvaluateTranspose(const Evaluation& work, const Transpose& transpose) {
  const std::vector<int64_t> strides =
      kernels::Strides(work.in(0).shape(), kernels::Layout::kRowMajor);
  std::vector<int64_t> permuted(strides.rbegin(), strides.rend());
  for (size_t i = 0; i < transpose.permutation.size(); ++i) {
    permuted[i] = strides[static_cast<size_t>(transpose.permutation[i])];
  }
  return Strided(work, permuted, 0);
}

TensorPtr EvaluateExpand(const Evaluation& work) {
  return Strided(work, BroadcastStrides(work.in(0).shape(), work.shape), 0);
}

TensorPtr EvaluateSlice(const Evaluation& work) {
  const Shape& x = work.in(0).shape();
  const std::vector<int64_t> starts = work.in(1).ToInt64(), ends = work.in(2).ToInt64();
  const std::vector<int64_t> axes = work.has(3) ? work.in(3).ToInt64() : std::vector<int64_t>();
  const std::vector<int64_t> steps =
      work.has(4) ? work.in(4).ToInt64() : std::vector<int64_t>(starts.size(), 1);
  std::vector<int64_t> strides = kernels::Strides(x, kernels::Layout::kRowMajor);
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t dim = work.has(3) ? *NormalizeAxis(axes[i], x.size()) : i;
    const SliceRange range = ResolveSlice(starts[i], ends[i], steps[i], x[dim]);
    if (range.count == 0) continue;  // nothing is read
    offset += range.start * strides[dim];
    strides[dim] = range.count == 1 ? 0 : strides[dim] * range.step;
  }
  return Strided(work, strides, offset);
}

TensorPtr EvaluateConcat(const Evaluation& work, const Concat& concat) {
  const size_t axis = *NormalizeAxis(concat.axis, work.shape.size());
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<size_t>(ElementCount(work.shape)) * ElementSize(work.type));
  int64_t outer = 1;
  for (size_t i = 0; i < axis; ++i) outer *= work.shape[i];
  for (int64_t o = 0; o < outer; ++o) {
    for (size_t i = 0; i < work.inputs.size(); ++i) {
      const std::span<const std::byte> part = BytesOf(work.in(i));
      const size_t run = part.size() / static_cast<size_t>(outer);
      const auto begin = part.begin() + static_cast<std::ptrdiff_t>(run * static_cast<size_t>(o));
      bytes.insert(bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(run));
    }
  }
  return Tensor::Copy(work.type, work.shape, bytes);
}

TensorPtr EvaluateGather(const Evaluation& work, const Gather& gather) {
  const Shape& x = work.in(0).shape();
  const size_t axis = *NormalizeAxis(gather.axis, x.size());
  const std::span<const std::byte> source = BytesOf(work.in(0));
  size_t outer = 1, run = ElementSize(work.type);
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(x[i]);
  for (size_t i = axis + 1; i < x.size(); ++i) run *= static_cast<size_t>(x[i]);
  const size_t length = static_cast<size_t>(x[axis]);
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<size_t>(ElementCount(work.shape)) * ElementSize(work.type));
  const std::vector<int64_t> indices = work.in(1).ToInt64();
  for (size_t o = 0; o < outer; ++o) {
    for (int64_t index : indices) {
      if (index < -x[axis] || index >= x[axis]) return nullptr;
      const size_t at = static_cast<size_t>(index < 0 ? index + x[axis] : index);
      const auto begin = source.begin() + static_cast<std::ptrdiff_t>((o * length + at) * run);
      bytes.insert(bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(run));
    }
  }
  return Tensor::Copy(work.type, work.shape, bytes);
}

TensorPtr EvaluatePad(const Evaluation& work, const Pad& pad) {
  if (pad.mode != Pad::Mode::kConstant || work.has(3)) return nullptr;
  const std::vector<int64_t> pads = work.in(1).ToInt64();
  const Shape& x = work.in(0).shape();
  const size_t element = ElementSize(work.type),
               count = static_cast<size_t>(ElementCount(work.shape));
  std::vector<std::byte> bytes(count * element);
  if (work.has(2)) {
    if (work.in(2).type() != work.type || work.in(2).count() != 1) return nullptr;
    const std::span<const std::byte> value = BytesOf(work.in(2));
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = value[i % element];
  }
  const std::vector<int64_t> strides = kernels::Strides(x, kernels::Layout::kRowMajor);
  const std::span<const std::byte> source = BytesOf(work.in(0));
  size_t at = 0;
  ForEachIndex(work.shape, [&](const std::vector<int64_t>& index) {
    int64_t offset = 0;
    bool inside = true;
    for (size_t d = 0; d < index.size(); ++d) {
      const int64_t i = index[d] - pads[d];
      inside = inside && i >= 0 && i < x[d];
      offset += i * strides[d];
    }
    if (inside) {
      std::copy_n(source.begin() + offset * static_cast<int64_t>(element), element,
                  bytes.begin() + static_cast<std::ptrdiff_t>(at * element));
    }
    ++at;
  });
  return Tensor::Copy(work.type, work.shape, bytes);
}

TensorPtr EvaluateShapeOf(const Evaluation& work, const ShapeOf& shape_of) {
  const Shape& x = work.in(0).shape();
  const int64_t rank = static_cast<int64_t>(x.size());
  const SliceRange range = ResolveSlice(shape_of.start, shape_of.end.value_or(rank), 1, rank);
  const Shape part(x.begin() + range.start, x.begin() + range.start + range.count);
  return Tensor::Of<int64_t>(DataType::kInt64, {range.count}, part);
}

// Scale and zero point from the inputs of an imported Quantize or Dequantize.
std::optional<Quantization> ReadQuantization(const Evaluation& work, int64_t axis) {
  if (!work.has(1) || work.in(1).type() != DataType::kFloat32) return std::nullopt;
  Quantization quantization{work.in(1).ToFloat(), {}, -1};
  quantization.zero_point.assign(quantization.scale.size(), 0);
  if (work.has(2)) {
    const std::vector<int64_t> zeros = work.in(2).ToInt64();
    if (zeros.size() != quantization.scale.size()) return std::nullopt;
    for (size_t i = 0; i < zeros.size(); ++i)
      quantization.zero_point[i] = static_cast<int32_t>(zeros[i]);
  }
  if (quantization.scale.size() != 1) {
    const std::optional<size_t> dim = NormalizeAxis(axis, work.in(0).shape().size());
    if (!dim || work.in(0).shape()[*dim] != static_cast<int64_t>(quantization.scale.size()))
      return std::nullopt;
    quantization.axis = static_cast<int>(*dim);
  }
  return quantization;
}

TensorPtr EvaluateQuantize(const Evaluation& work, const Quantize& quantize) {
  const std::optional<Quantization> how = ReadQuantization(work, quantize.axis);
  return how ? QuantizeTensor(work.in(0), work.type, *how) : nullptr;
}

TensorPtr EvaluateDequantize(const Evaluation& work, const Dequantize& dequantize,
                             const Graph& graph) {
  const std::optional<Quantization> how = work.inputs.size() == 1
                                              ? graph.value(work.node.inputs[0]).quantization
                                              : ReadQuantization(work, dequantize.axis);
  return how ? DequantizeTensor(work.in(0), *how) : nullptr;
}

TensorPtr Evaluate(const Evaluation& work, const Graph& graph) {
  const Node& node = work.node;
  if (const auto* op = node.as<Concat>()) return EvaluateConcat(work, *op);
  if (const auto* op = node.as<Gather>()) return EvaluateGather(work, *op);
  if (const auto* op = node.as<Transpose>()) return EvaluateTranspose(work, *op);
  if (const auto* op = node.as<Pad>()) return EvaluatePad(work, *op);
  if (const auto* op = node.as<ShapeOf>()) return EvaluateShapeOf(work, *op);
  if (const auto* op = node.as<Quantize>()) return EvaluateQuantize(work, *op);
  if (const auto* op = node.as<Dequantize>()) return EvaluateDequantize(work, *op, graph);
  if (node.as<Slice>()) return EvaluateSlice(work);
  if (node.as<Expand>()) return EvaluateExpand(work);
  if (node.as<Reshape>() || node.as<Flatten>() || node.as<Squeeze>() || node.as<Unsqueeze>() ||
      node.as<Identity>()) {
    return Reshaped(work);
  }
  return nullptr;
}

// By the operation's plain kernel; nothing if it has none or the data do not fit it.
std::optional<std::vector<TensorPtr>> EvaluatePlain(const Node& node,
                                                    const std::vector<const Tensor*>& inputs,
                                                    const std::vector<Inferred>& inferred) {
  PlainCall call{node, {}, {}, inputs};
  std::vector<const void*> from;
  std::vector<void*> to;
  std::vector<std::vector<std::byte>> results(node.outputs.size());
  for (const Tensor* input : inputs) {
    call.inputs.emplace_back();
    if (input != nullptr) call.inputs.back() = kernels::TensorSpec{input->type(), input->shape()};
    from.push_back(input == nullptr ? nullptr : input->data());
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    call.outputs.emplace_back();
    to.push_back(nullptr);
    if (node.outputs[i] == kNoValue) continue;
    call.outputs.back() = kernels::TensorSpec{inferred[i].type, *inferred[i].shape};
    results[i].resize(kernels::ByteSize(*call.outputs.back()));
    to.back() = results[i].data();
  }
  const absl::StatusOr<kernels::PreparedPtr> kernel = PreparePlain(call, kernels::PrepareContext{});
  if (!kernel.ok() || *kernel == nullptr) return std::nullopt;
  const std::shared_ptr<void> scratch = kernels::AllocateAligned((*kernel)->scratch_bytes());
  kernels::Sequential sequential;
  kernels::Fault fault;
  (*kernel)->Run({from, to, scratch.get(), &sequential, &fault});
  if (fault.what() != nullptr) return std::nullopt;
  std::vector<TensorPtr> tensors(node.outputs.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    tensors[i] = Tensor::Copy(inferred[i].type, *inferred[i].shape, results[i]);
  }
  return tensors;
}

// Types and shapes of the outputs that are there, if all are known and within the limit.
bool AreBounded(const Node& node, const std::vector<Inferred>& inferred, size_t max_bytes) {
  size_t bytes = 0;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    if (i >= inferred.size() || !inferred[i].shape || !IsStatic(*inferred[i].shape)) return false;
    // InferNode bounds the product.
    bytes += static_cast<size_t>(ElementCount(*inferred[i].shape)) * ElementSize(inferred[i].type);
    if (bytes > max_bytes) return false;
  }
  return true;
}

// Operations whose results are as long as the data say.
std::optional<std::vector<TensorPtr>> EvaluateDynamic(const Node& node,
                                                      const std::vector<const Tensor*>& inputs,
                                                      size_t max_bytes) {
  absl::StatusOr<std::vector<TensorPtr>> results =
      std::visit([&](const auto& op) { return RunDynamic(op, inputs); }, node.operation);
  if (!results.ok() || results->size() < node.outputs.size()) return std::nullopt;
  size_t bytes = 0;
  for (const TensorPtr& result : *results) bytes += result->bytes();
  if (bytes > max_bytes) return std::nullopt;
  return *std::move(results);
}

}  // namespace

std::optional<std::vector<TensorPtr>> EvaluateConstant(const Graph& graph, const Node& node,
                                                       size_t max_bytes) {
  if (node.outputs.empty() || node.inputs.empty()) return std::nullopt;
  for (ValueId id : node.outputs) {
    if (id != kNoValue && graph.value(id).quantization) return std::nullopt;
  }
  const bool dequantizes = node.as<Dequantize>() != nullptr;
  std::vector<const Tensor*> inputs;
  for (ValueId id : node.inputs) {
    if (id == kNoValue) {
      inputs.push_back(nullptr);
      continue;
    }
    const Value& value = graph.value(id);
    if (value.constant == nullptr || (value.quantization && !dequantizes)) return std::nullopt;
    inputs.push_back(value.constant.get());
  }
  const absl::StatusOr<std::vector<Inferred>> inferred = InferNode(NodeView(graph, node, nullptr));
  if (!inferred.ok()) return std::nullopt;
  if (IsDynamic(node.operation)) return EvaluateDynamic(node, inputs, max_bytes);
  if (!AreBounded(node, *inferred, max_bytes)) return std::nullopt;
  if (node.outputs.size() == 1) {
    const Inferred& only = inferred->front();
    TensorPtr result = Evaluate({node, inputs, only.type, *only.shape}, graph);
    if (result != nullptr) return std::vector<TensorPtr>{std::move(result)};
  }
  return EvaluatePlain(node, inputs, *inferred);
}

bool UnpacksStoredConstant(const Graph& graph, const Node& node) {
  if (node.as<Quantize>() || node.as<DynamicQuantize>()) return true;
  if (node.as<Dequantize>()) return node.inputs.size() != 1;
  const Tensor* input = graph.ConstantInput(node, 0);
  return node.as<Cast>() && input != nullptr &&
         (input->type() == DataType::kFloat16 || input->type() == DataType::kBFloat16);
}

}  // namespace fourfold::graph
