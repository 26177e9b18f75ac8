// Operations element by element, and those that collapse or walk one axis.
#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using Outputs = absl::StatusOr<std::vector<Inferred>>;

bool IsInteger(DataType type) { return !IsFloatingPoint(type) && type != DataType::kBool; }

bool IsUnsigned(DataType type) {
  return type == DataType::kUint8 || type == DataType::kUint16 || type == DataType::kUint32 ||
         type == DataType::kUint64;
}

absl::Status Refuse(const NodeView& view, size_t i, const char* wanted) {
  return view.Error("input ", i, " '", view.value(i).name, "' is ", TypeText(view.type(i)),
                    ", wanted ", wanted);
}

absl::Status RequireNumber(const NodeView& view, size_t i) {
  return view.type(i) == DataType::kBool ? Refuse(view, i, "a numeric type") : absl::OkStatus();
}
absl::Status RequireInteger(const NodeView& view, size_t i) {
  return IsInteger(view.type(i)) ? absl::OkStatus() : Refuse(view, i, "an integer type");
}
absl::Status RequireBool(const NodeView& view, size_t i) {
  return view.type(i) == DataType::kBool ? absl::OkStatus() : Refuse(view, i, "bool");
}

absl::Status RequireEqualTypes(const NodeView& view, size_t a, size_t b) {
  if (view.type(a) == view.type(b)) return absl::OkStatus();
  return view.Error("got '", view.value(a).name, "' of ", TypeText(view.type(a)), " and '",
                    view.value(b).name, "' of ", TypeText(view.type(b)), ", wanted equal types");
}

// The broadcast of the first `count` inputs.
Outputs Broadcasted(const NodeView& view, DataType type, size_t count) {
  Inferred result{type, Shape{}};
  for (size_t i = 0; i < count; ++i) {
    if (!view.shape(i)) return std::vector<Inferred>{{type, std::nullopt}};
    const std::optional<Shape> sum = Broadcast(*result.shape, *view.shape(i));
    if (!sum) {
      std::string shapes = view.Text(0);
      for (size_t k = 1; k < count; ++k)
        absl::StrAppend(&shapes, k + 1 == count ? " and " : ", ", view.Text(k));
      return view.Error("got ", shapes, ", wanted shapes that broadcast");
    }
    result.shape = sum;
  }
  return std::vector<Inferred>{std::move(result)};
}

Outputs Same(const NodeView& view) { return std::vector<Inferred>{{view.type(0), view.shape(0)}}; }

// A negative axis counted from the front; axis 0 of an unknown rank.
absl::StatusOr<size_t> AxisOf(const NodeView& view, int64_t axis) {
  if (!view.shape(0)) return size_t{0};
  const std::optional<size_t> dim = NormalizeAxis(axis, view.shape(0)->size());
  if (dim) return *dim;
  return view.Error("got axis ", axis, " of ", view.Text(0), ", wanted one of its dimensions");
}

// Flattening softmaxes also take the rank itself as their axis.
absl::Status CheckSoftmaxAxis(const NodeView& view, int64_t axis, bool flatten) {
  const bool end = flatten && view.shape(0) && axis == static_cast<int64_t>(view.shape(0)->size());
  return end ? absl::OkStatus() : AxisOf(view, axis).status();
}

}  // namespace

Outputs Infer(const NodeView& view, const Eltwise& eltwise) {
  using Function = Eltwise::Function;
  RETURN_IF_ERROR(view.RequireInputs(1));
  switch (eltwise.function) {
    case Function::kNot: RETURN_IF_ERROR(RequireBool(view, 0)); break;
    case Function::kBitwiseNot: RETURN_IF_ERROR(RequireInteger(view, 0)); break;
    case Function::kAbs:
    case Function::kNeg:
    case Function::kSign: RETURN_IF_ERROR(RequireNumber(view, 0)); break;
    case Function::kIsInf:
    case Function::kIsNan:
      RETURN_IF_ERROR(view.RequireFloat(0));
      return std::vector<Inferred>{{DataType::kBool, view.shape(0)}};
    case Function::kActivation:
      if (eltwise.activation.kind == kernels::Activation::Kind::kRelu ||
          eltwise.activation.kind == kernels::Activation::Kind::kClip) {
        RETURN_IF_ERROR(RequireNumber(view, 0));
        break;
      }
      [[fallthrough]];
    default: RETURN_IF_ERROR(view.RequireFloat(0)); break;
  }
  return Same(view);
}

Outputs Infer(const NodeView& view, const Binary& binary) {
  using Operation = Binary::Operation;
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(RequireNumber(view, 0));
  RETURN_IF_ERROR(RequireNumber(view, 1));
  if (binary.operation != Operation::kPow) RETURN_IF_ERROR(RequireEqualTypes(view, 0, 1));
  switch (binary.operation) {
    case Operation::kShiftLeft:
    case Operation::kShiftRight:
      if (!IsUnsigned(view.type(0))) return Refuse(view, 0, "an unsigned integer type");
      break;
    case Operation::kBitwiseAnd:
    case Operation::kBitwiseOr:
    case Operation::kBitwiseXor: RETURN_IF_ERROR(RequireInteger(view, 0)); break;
    default: break;
  }
  return Broadcasted(view, view.type(0), 2);
}

Outputs Infer(const NodeView& view, const PRelu&) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(RequireNumber(view, 0));
  RETURN_IF_ERROR(RequireEqualTypes(view, 0, 1));
  ASSIGN_OR_RETURN(const std::vector<Inferred> sum, Broadcasted(view, view.type(0), 2));
  if (sum[0].shape && !Compatible(*sum[0].shape, *view.shape(0))) {
    return view.Error("got a slope ", view.Text(1), ", wanted one that broadcasts to ",
                      view.Text(0));
  }
  return Same(view);
}

Outputs Infer(const NodeView& view, const Compare& compare) {
  using Operation = Compare::Operation;
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(RequireEqualTypes(view, 0, 1));
  switch (compare.operation) {
    case Operation::kEqual: break;
    case Operation::kAnd:
    case Operation::kOr:
    case Operation::kXor: RETURN_IF_ERROR(RequireBool(view, 0)); break;
    default: RETURN_IF_ERROR(RequireNumber(view, 0)); break;
  }
  return Broadcasted(view, DataType::kBool, 2);
}

Outputs Infer(const NodeView& view, const Where&) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  RETURN_IF_ERROR(RequireBool(view, 0));
  RETURN_IF_ERROR(RequireEqualTypes(view, 1, 2));
  return Broadcasted(view, view.type(1), 3);
}

Outputs Infer(const NodeView& view, const Softmax& softmax) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(CheckSoftmaxAxis(view, softmax.axis, softmax.flatten));
  return Same(view);
}

Outputs Infer(const NodeView& view, const Hardmax& hardmax) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(view.RequireFloat(0));
  RETURN_IF_ERROR(CheckSoftmaxAxis(view, hardmax.axis, hardmax.flatten));
  return Same(view);
}

Outputs Infer(const NodeView& view, const CumSum&) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  RETURN_IF_ERROR(RequireNumber(view, 0));
  RETURN_IF_ERROR(RequireInteger(view, 1));
  if (const auto axis = view.known_integers(1)) {
    if (axis->size() != 1) return view.Error("got axis ", view.Text(1), ", wanted one number");
    RETURN_IF_ERROR(AxisOf(view, axis->front()).status());
  }
  return Same(view);
}

Outputs Infer(const NodeView& view, const ArgReduce& reduce) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(RequireNumber(view, 0));
  ASSIGN_OR_RETURN(const size_t axis, AxisOf(view, reduce.axis));
  Inferred result{DataType::kInt64, view.shape(0)};
  if (result.shape) {
    if ((*result.shape)[axis] == 0) {
      return view.Error("got ", view.Text(0), ", wanted elements along axis ", reduce.axis);
    }
    if (reduce.keep_dims) {
      (*result.shape)[axis] = 1;
    } else {
      result.shape->erase(result.shape->begin() + static_cast<std::ptrdiff_t>(axis));
    }
  }
  return std::vector<Inferred>{std::move(result)};
}

}  // namespace fourfold::graph
