// Follows the elements of shapes through the arithmetic that models do on them.
#include <algorithm>
#include <limits>

#include "server/graph/infer_node.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

std::optional<int64_t> IntegerArithmetic(Binary::Operation operation, int64_t a, int64_t b) {
  const uint64_t ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  switch (operation) {
    case Binary::Operation::kAdd: return static_cast<int64_t>(ua + ub);
    case Binary::Operation::kSub: return static_cast<int64_t>(ua - ub);
    case Binary::Operation::kMul: return static_cast<int64_t>(ua * ub);
    case Binary::Operation::kDiv:
      if (b == 0 || (b == -1 && a == std::numeric_limits<int64_t>::min())) return std::nullopt;
      return a / b;
    case Binary::Operation::kMax: return std::max(a, b);
    case Binary::Operation::kMin: return std::min(a, b);
    case Binary::Operation::kPow: {
      if (b < 0) return std::nullopt;
      uint64_t result = 1, base = ua;
      for (uint64_t exponent = ub; exponent != 0; exponent >>= 1) {
        if (exponent & 1) result *= base;
        base *= base;
      }
      return static_cast<int64_t>(result);
    }
    default: return std::nullopt;
  }
  return std::nullopt;
}

namespace {

std::optional<KnownIntegers> OfShape(const NodeView& view, const ShapeOf& shape_of) {
  if (!view.shape(0)) return std::nullopt;
  const int64_t rank = static_cast<int64_t>(view.shape(0)->size());
  const SliceRange range = ResolveSlice(shape_of.start, shape_of.end.value_or(rank), 1, rank);
  KnownIntegers result;
  for (int64_t i = 0; i < range.count; ++i) {
    const int64_t dim = (*view.shape(0))[static_cast<size_t>(range.start + i)];
    result.push_back(dim == kUnknownDim ? std::nullopt : std::optional<int64_t>(dim));
  }
  return result;
}

std::optional<KnownIntegers> OfGather(const NodeView& view) {
  const std::optional<KnownIntegers> x = view.integers(0);
  const std::optional<std::vector<int64_t>> indices = view.known_integers(1);
  if (!x || !indices || !view.shape(0) || view.shape(0)->size() != 1) return std::nullopt;
  KnownIntegers result;
  for (int64_t index : *indices) {
    const std::optional<size_t> at = NormalizeAxis(index, x->size());
    if (!at) return std::nullopt;
    result.push_back((*x)[*at]);
  }
  return result;
}

std::optional<KnownIntegers> OfConcat(const NodeView& view) {
  KnownIntegers result;
  for (size_t i = 0; i < view.node().inputs.size(); ++i) {
    const std::optional<KnownIntegers> part = view.integers(i);
    if (!part || !view.shape(i) || view.shape(i)->size() != 1) return std::nullopt;
    result.insert(result.end(), part->begin(), part->end());
  }
  return result;
}

std::optional<KnownIntegers> OfSlice(const NodeView& view) {
  const std::optional<KnownIntegers> x = view.integers(0);
  const auto starts = view.known_integers(1), ends = view.known_integers(2);
  const auto steps = view.has(4) ? view.known_integers(4) : std::vector<int64_t>{1};
  if (!x || !starts || !ends || !steps || starts->size() != 1 || ends->size() != 1 ||
      steps->size() != 1 || steps->front() == 0 || !view.shape(0) || view.shape(0)->size() != 1) {
    return std::nullopt;
  }
  const SliceRange range =
      ResolveSlice(starts->front(), ends->front(), steps->front(), static_cast<int64_t>(x->size()));
  KnownIntegers result;
  for (int64_t i = 0; i < range.count; ++i)
    result.push_back((*x)[static_cast<size_t>(range.start + i * range.step)]);
  return result;
}

std::optional<KnownIntegers> OfBinary(const NodeView& view, const Binary& binary) {
  const std::optional<KnownIntegers> a = view.integers(0), b = view.integers(1);
  if (!a || !b || (a->size() != b->size() && a->size() != 1 && b->size() != 1)) return std::nullopt;
  KnownIntegers result(a->size() == 1 ? b->size() : a->size());
  for (size_t i = 0; i < result.size(); ++i) {
    const std::optional<int64_t>& lhs = (*a)[a->size() == 1 ? 0 : i];
    const std::optional<int64_t>& rhs = (*b)[b->size() == 1 ? 0 : i];
    if (lhs && rhs) result[i] = IntegerArithmetic(binary.operation, *lhs, *rhs);
  }
  return result;
}

}  // namespace

std::optional<KnownIntegers> PropagateIntegers(const NodeView& view) {
  const Node& node = view.node();
  if (const auto* shape_of = node.as<ShapeOf>()) return OfShape(view, *shape_of);
  if (node.inputs.empty() || !view.has(0) || view.type(0) != DataType::kInt64) {
    // Shapes are int64; a cast to and from int32 keeps them.
    if (node.inputs.empty() || !view.has(0) || view.type(0) != DataType::kInt32)
      return std::nullopt;
  }
  if (node.as<Gather>()) return OfGather(view);
  if (node.as<Concat>()) return OfConcat(view);
  if (node.as<Slice>()) return OfSlice(view);
  if (const auto* binary = node.as<Binary>()) return OfBinary(view, *binary);
  if (const auto* cast = node.as<Cast>()) {
    if (cast->to != DataType::kInt64 && cast->to != DataType::kInt32) return std::nullopt;
    return view.integers(0);
  }
  if (node.as<Squeeze>() || node.as<Unsqueeze>() || node.as<Reshape>() || node.as<Identity>()) {
    return view.integers(0);
  }
  return std::nullopt;
}

}  // namespace fourfold::graph
