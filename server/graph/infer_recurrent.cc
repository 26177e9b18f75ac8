#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/recurrent.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {
namespace {

// Inputs by position.
enum : size_t { kX, kWeights, kRecurrence, kBias, kLengths, kInitialH, kInitialC, kPeepholes };

absl::Status CheckAttributes(const NodeView& view, const Recurrent& recurrent) {
  constexpr int64_t kMostHidden = int64_t{1} << 24;
  const bool lstm = recurrent.kind == Recurrent::Kind::kLstm;
  if (recurrent.hidden_size < 1 || recurrent.hidden_size > kMostHidden) {
    return view.Error("got hidden size ", recurrent.hidden_size, ", wanted 1 to ", kMostHidden);
  }
  const size_t functions = lstm ? 3 : recurrent.kind == Recurrent::Kind::kGru ? 2 : 1;
  if (recurrent.functions.size() != functions) {
    return view.Error("got ", recurrent.functions.size(), " functions, wanted ", functions);
  }
  if (recurrent.clip && !(*recurrent.clip >= 0.0f)) {
    return view.Error("got clip ", *recurrent.clip, ", wanted at least 0");
  }
  if (!lstm && (view.has(kInitialC) || view.has(kPeepholes))) {
    return view.Error("has an initial cell state or peepholes, which an LSTM has only");
  }
  return absl::OkStatus();
}

absl::Status CheckOperand(const NodeView& view, size_t i, const Shape& wanted) {
  if (!view.has(i)) return absl::OkStatus();
  if (i == kLengths) {
    if (view.type(i) != DataType::kInt32) {
      return view.Error("input ", view.Text(i), " is ", TypeText(view.type(i)), ", wanted int32");
    }
  } else {
    RETURN_IF_ERROR(view.RequireFloat(i));
  }
  if (!view.shape(i) || Compatible(*view.shape(i), wanted)) return absl::OkStatus();
  return view.Error("got ", view.Text(i), ", wanted ", ShapeText(wanted));
}

}  // namespace

absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Recurrent& recurrent) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  RETURN_IF_ERROR(CheckAttributes(view, recurrent));
  Shape x = {kUnknownDim, kUnknownDim, kUnknownDim};
  if (view.shape(kX)) {
    if (view.shape(kX)->size() != 3) {
      return view.Error("got ", view.Text(kX), ", wanted [steps, samples, inputs]");
    }
    x = *view.shape(kX);
  }
  const auto& weights = view.shape(kWeights);
  if (x[2] == kUnknownDim && weights && weights->size() == 2) x[2] = (*weights)[1];
  const int64_t hidden = recurrent.hidden_size;
  const int64_t rows = GateCount(recurrent.kind) * hidden;
  const Shape state = {x[1], hidden};
  const Shape wanted[] = {x,      {rows, x[2]}, {rows, hidden}, {2 * rows},
                          {x[1]}, state,        state,          {3 * hidden}};
  for (size_t i = 0; i < std::size(wanted); ++i) {
    RETURN_IF_ERROR(CheckOperand(view, i, wanted[i]));
  }
  const DataType type = view.type(kX);
  std::vector<Inferred> outputs = {{type, Shape{x[0], x[1], hidden}}, {type, state}};
  if (recurrent.kind == Recurrent::Kind::kLstm) outputs.push_back({type, state});
  return outputs;
}

}  // namespace fourfold::graph
