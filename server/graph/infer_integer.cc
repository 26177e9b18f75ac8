// Shapes of exact products of integers.

#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {
namespace {

// Both operands and the zero points that are there: 8 bits, a zero point of its operand's type.
absl::Status CheckTypes(const NodeView& view) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  for (size_t i = 0; i < 2; ++i) {
    if (view.type(i) == DataType::kInt8 || view.type(i) == DataType::kUint8) continue;
    return view.Error("got '", view.value(i).name, "' of ", TypeText(view.type(i)),
                      ", wanted int8 or uint8");
  }
  for (size_t i = 2; i < 4; ++i) {
    if (!view.has(i) || view.type(i) == view.type(i - 2)) continue;
    return view.Error("got a zero point '", view.value(i).name, "' of ", TypeText(view.type(i)),
                      " for '", view.value(i - 2).name, "' of ", TypeText(view.type(i - 2)));
  }
  return absl::OkStatus();
}

// A zero point is a number, or has one per slice: `count`, kUnknownDim where that is not known.
absl::Status CheckZeroPoint(const NodeView& view, size_t i, int64_t count) {
  if (!view.has(i) || !view.shape(i) || !IsStatic(*view.shape(i))) return absl::OkStatus();
  const int64_t given = ElementCount(*view.shape(i));
  if (given == 1 || count == kUnknownDim || given == count) return absl::OkStatus();
  return view.Error("got zero points ", view.Text(i), ", wanted 1 or ", count);
}

}  // namespace

absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const IntegerConv& conv) {
  RETURN_IF_ERROR(CheckTypes(view));
  RETURN_IF_ERROR(CheckZeroPoint(view, 2, 1));
  if (view.shape(1) && !view.shape(1)->empty())
    RETURN_IF_ERROR(CheckZeroPoint(view, 3, view.shape(1)->front()));
  Inferred result{DataType::kInt32, std::nullopt};
  ASSIGN_OR_RETURN(result.shape, ConvolvedShape(view, conv.window, conv.groups));
  return std::vector<Inferred>{std::move(result)};
}

absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const IntegerMatMul&) {
  RETURN_IF_ERROR(CheckTypes(view));
  Inferred result{DataType::kInt32, std::nullopt};
  ASSIGN_OR_RETURN(result.shape, MultipliedShape(view, MatMul{}));
  if (view.shape(0)) {
    const Shape& lhs = *view.shape(0);
    RETURN_IF_ERROR(CheckZeroPoint(view, 2, lhs.size() < 2 ? 1 : lhs[lhs.size() - 2]));
  }
  if (view.shape(1)) {
    const Shape& rhs = *view.shape(1);
    RETURN_IF_ERROR(CheckZeroPoint(view, 3, rhs.size() < 2 ? 1 : rhs.back()));
  }
  return std::vector<Inferred>{std::move(result)};
}

}  // namespace fourfold::graph
