#include "server/graph/contents.h"

namespace fourfold::graph {

std::vector<size_t> ContentInputs(const Operation& operation) {
  const auto is = [&]<typename... Ops>(std::tuple<Ops...>*) {
    return (std::holds_alternative<Ops>(operation) || ...);
  };
  using First = std::tuple<ConstantOfShape, WindowFunction>;
  using Second =
      std::tuple<Reshape, Expand, Tile, Squeeze, Unsqueeze, Reduce, CumSum, TopK, OneHot, Trilu>;
  if (is(static_cast<First*>(nullptr))) return {0};
  if (is(static_cast<Second*>(nullptr))) return {1};
  if (std::holds_alternative<Slice>(operation)) return {1, 2, 3, 4};
  if (std::holds_alternative<Pad>(operation) || std::holds_alternative<Resize>(operation)) {
    return {1, 2, 3};
  }
  if (std::holds_alternative<Range>(operation)) return {0, 1, 2};
  if (std::holds_alternative<MelWeights>(operation)) return {0, 1, 2, 3, 4};
  if (std::holds_alternative<MaxUnpool>(operation)) return {2};
  if (std::holds_alternative<Stft>(operation)) return {1, 3};
  if (std::holds_alternative<Col2Im>(operation) || std::holds_alternative<Dft>(operation) ||
      std::holds_alternative<Quantize>(operation) ||
      std::holds_alternative<Dequantize>(operation)) {
    return {1, 2};
  }
  return {};
}

bool IsDynamic(const Operation& operation) {
  return std::holds_alternative<NonZero>(operation) ||
         std::holds_alternative<Compress>(operation) || std::holds_alternative<Unique>(operation) ||
         std::holds_alternative<NonMaxSuppression>(operation) ||
         std::holds_alternative<If>(operation) || std::holds_alternative<Loop>(operation) ||
         std::holds_alternative<Scan>(operation);
}

std::vector<std::shared_ptr<const Graph>> Bodies(const Operation& operation) {
  if (const auto* branches = std::get_if<If>(&operation))
    return {branches->then_branch, branches->else_branch};
  if (const auto* loop = std::get_if<Loop>(&operation)) return {loop->body};
  if (const auto* scan = std::get_if<Scan>(&operation)) return {scan->body};
  return {};
}

bool MayDecideShapes(const Value& value) {
  constexpr int64_t kMost = 64;
  if (!value.shape || value.shape->size() > 1 || value.quantization) return false;
  return value.shape->empty() || (*value.shape)[0] <= kMost;
}

}  // namespace fourfold::graph
