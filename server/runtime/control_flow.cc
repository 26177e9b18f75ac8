#include "server/runtime/control_flow.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/shapes.h"

namespace fourfold::runtime {
namespace {

using graph::DataType;
using graph::Shape;
using graph::Tensor;
using graph::TensorPtr;

TensorRef RefTo(const TensorPtr& tensor) {
  return {tensor->type(), tensor->shape(), tensor->data()};
}

absl::StatusOr<bool> Condition(const TensorPtr& tensor, const char* what) {
  if (tensor->count() != 1 || tensor->type() != DataType::kBool) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is ", graph::TypeText(tensor->type()),
                                                   " ", graph::ShapeText(tensor->shape()),
                                                   ", wanted one boolean"));
  }
  return tensor->as<bool>()[0];
}

// Slices of equal shape that come one after another, for an output that stacks them.
class Stack {
 public:
  absl::Status Add(TensorPtr slice) {
    if (!slices_.empty() &&
        (slice->shape() != slices_.front()->shape() || slice->type() != slices_.front()->type())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a scanned output is ", graph::ShapeText(slice->shape()), " in one iteration and ",
          graph::ShapeText(slices_.front()->shape()), " in another, wanted equal shapes"));
    }
    slices_.push_back(std::move(slice));
    return absl::OkStatus();
  }

  // Along a new dimension `axis`; `fallback` tells type and shape of a slice where there is none.
  TensorPtr Join(size_t axis, bool reversed, DataType type, const Shape& fallback) const {
    const Shape slice = slices_.empty() ? fallback : slices_.front()->shape();
    if (!slices_.empty()) type = slices_.front()->type();
    Shape shape = slice;
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis),
                 static_cast<int64_t>(slices_.size()));
    size_t outer = 1;
    for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(slice[i]);
    const size_t run = outer == 0 ? 0
                                  : static_cast<size_t>(graph::ElementCount(slice)) *
                                        graph::ElementSize(type) / outer;
    std::vector<std::byte> bytes(run * outer * slices_.size());
    for (size_t i = 0; i < slices_.size(); ++i) {
      const size_t at = reversed ? slices_.size() - 1 - i : i;
      const auto* from = static_cast<const std::byte*>(slices_[i]->data());
      for (size_t o = 0; o < outer && run > 0; ++o)
        std::memcpy(&bytes[(o * slices_.size() + at) * run], from + o * run, run);
    }
    return Tensor::Copy(type, std::move(shape), bytes);
  }

 private:
  std::vector<TensorPtr> slices_;
};

// The `index`-th slice along `axis`, without that dimension.
TensorPtr SliceAt(const Tensor& tensor, size_t axis, int64_t index) {
  Shape shape = tensor.shape();
  const auto length = static_cast<size_t>(shape[axis]);
  size_t outer = 1, run = graph::ElementSize(tensor.type());
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(shape[i]);
  for (size_t i = axis + 1; i < shape.size(); ++i) run *= static_cast<size_t>(shape[i]);
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  std::vector<std::byte> bytes(outer * run);
  const auto* from = static_cast<const std::byte*>(tensor.data());
  for (size_t o = 0; o < outer && run > 0; ++o)
    std::memcpy(&bytes[o * run], from + (o * length + static_cast<size_t>(index)) * run, run);
  return Tensor::Copy(tensor.type(), std::move(shape), bytes);
}

// What stacked slices look like if there are none: as far as the body says, 0 where it does not.
std::pair<DataType, Shape> SliceOf(const graph::Graph& body, size_t output) {
  const graph::Value& value = body.value(body.outputs[output]);
  Shape shape = value.shape.value_or(Shape{});
  for (int64_t& dim : shape) dim = std::max<int64_t>(dim, 0);
  return {value.type, shape};
}

}  // namespace

absl::StatusOr<std::vector<TensorPtr>> RunIf(const Program& then_branch, const Program& else_branch,
                                             const std::vector<TensorPtr>& inputs,
                                             kernels::Parallel& parallel) {
  ASSIGN_OR_RETURN(const bool yes, Condition(inputs[0], "the condition"));
  std::vector<TensorRef> captured;
  for (size_t i = 1; i < inputs.size(); ++i) captured.push_back(RefTo(inputs[i]));
  Arena arena;
  return (yes ? then_branch : else_branch).Run(captured, arena, parallel);
}

absl::StatusOr<std::vector<TensorPtr>> RunLoop(const graph::Loop& loop, const Program& body,
                                               const std::vector<TensorPtr>& inputs,
                                               kernels::Parallel& parallel) {
  int64_t trips = std::numeric_limits<int64_t>::max();
  if (inputs[0] != nullptr) {
    if (inputs[0]->count() != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the trip count is ", graph::ShapeText(inputs[0]->shape()), ", wanted one number"));
    }
    trips = inputs[0]->ToInt64()[0];
  }
  bool go_on = true;
  if (inputs[1] != nullptr) {
    ASSIGN_OR_RETURN(go_on, Condition(inputs[1], "the condition"));
  }
  const auto count = static_cast<size_t>(loop.carried);
  std::vector<TensorPtr> carried(inputs.begin() + 2,
                                 inputs.begin() + 2 + static_cast<std::ptrdiff_t>(count));
  std::vector<Stack> scanned(loop.body->outputs.size() - 1 - count);
  TensorPtr condition = Tensor::Of<uint8_t>(DataType::kBool, {}, {1});
  Arena arena;
  for (int64_t i = 0; i < trips && go_on; ++i) {
    if (i == Program::kLoopIterationsMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("still running after ", i, " iterations, the limit"));
    }
    const TensorPtr iteration = Tensor::Of<int64_t>(DataType::kInt64, {}, {i});
    std::vector<TensorRef> feed = {RefTo(iteration), RefTo(condition)};
    for (const TensorPtr& value : carried) feed.push_back(RefTo(value));
    for (size_t c = 2 + count; c < inputs.size(); ++c) feed.push_back(RefTo(inputs[c]));
    ASSIGN_OR_RETURN(std::vector<TensorPtr> outputs, body.Run(feed, arena, parallel));
    condition = outputs[0];
    ASSIGN_OR_RETURN(go_on, Condition(condition, "the body's condition"));
    for (size_t c = 0; c < count; ++c) carried[c] = std::move(outputs[1 + c]);
    for (size_t s = 0; s < scanned.size(); ++s)
      RETURN_IF_ERROR(scanned[s].Add(std::move(outputs[1 + count + s])));
  }
  std::vector<TensorPtr> results;
  for (size_t c = 0; c < count; ++c) {  // not changed: the caller's memory
    results.push_back(
        Tensor::Copy(carried[c]->type(), carried[c]->shape(),
                     {static_cast<const std::byte*>(carried[c]->data()), carried[c]->bytes()}));
  }
  for (size_t s = 0; s < scanned.size(); ++s) {
    const auto [type, shape] = SliceOf(*loop.body, 1 + count + s);
    results.push_back(scanned[s].Join(0, false, type, shape));
  }
  return results;
}

absl::StatusOr<std::vector<TensorPtr>> RunScan(const graph::Scan& scan, const Program& body,
                                               const std::vector<TensorPtr>& inputs,
                                               kernels::Parallel& parallel) {
  const auto states = static_cast<size_t>(scan.states);
  const auto sequences = static_cast<size_t>(scan.sequences);
  std::vector<TensorPtr> state(inputs.begin(),
                               inputs.begin() + static_cast<std::ptrdiff_t>(states));
  std::vector<size_t> axes;
  int64_t length = 0;
  for (size_t q = 0; q < sequences; ++q) {
    const Shape& shape = inputs[states + q]->shape();
    const std::optional<size_t> axis = graph::NormalizeAxis(scan.input_axes[q], shape.size());
    if (!axis) {
      return absl::InvalidArgumentError(absl::StrCat("sequence ", q, " ", graph::ShapeText(shape),
                                                     " has no axis ", scan.input_axes[q]));
    }
    if (q > 0 && shape[*axis] != length) {
      return absl::InvalidArgumentError(
          absl::StrCat("sequence ", q, " has ", shape[*axis], " elements, the first one ", length));
    }
    length = shape[*axis];
    axes.push_back(*axis);
  }
  std::vector<Stack> scanned(scan.output_axes.size());
  Arena arena;
  for (int64_t i = 0; i < length; ++i) {
    std::vector<TensorPtr> elements;
    for (size_t q = 0; q < sequences; ++q) {
      const int64_t at = scan.input_reversed[q] ? length - 1 - i : i;
      elements.push_back(SliceAt(*inputs[states + q], axes[q], at));
    }
    std::vector<TensorRef> feed;
    for (const TensorPtr& value : state) feed.push_back(RefTo(value));
    for (const TensorPtr& element : elements) feed.push_back(RefTo(element));
    for (size_t c = states + sequences; c < inputs.size(); ++c) feed.push_back(RefTo(inputs[c]));
    ASSIGN_OR_RETURN(std::vector<TensorPtr> outputs, body.Run(feed, arena, parallel));
    for (size_t c = 0; c < states; ++c) state[c] = std::move(outputs[c]);
    for (size_t s = 0; s < scanned.size(); ++s)
      RETURN_IF_ERROR(scanned[s].Add(std::move(outputs[states + s])));
  }
  std::vector<TensorPtr> results;
  for (const TensorPtr& value : state) {
    results.push_back(Tensor::Copy(value->type(), value->shape(),
                                   {static_cast<const std::byte*>(value->data()), value->bytes()}));
  }
  for (size_t s = 0; s < scanned.size(); ++s) {
    const auto [type, shape] = SliceOf(*scan.body, states + s);
    const std::optional<size_t> axis = graph::NormalizeAxis(scan.output_axes[s], shape.size() + 1);
    results.push_back(scanned[s].Join(axis.value_or(0), scan.output_reversed[s], type, shape));
  }
  return results;
}

}  // namespace fourfold::runtime
