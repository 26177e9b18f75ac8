#include "server/graph/recurrent.h"

namespace fourfold::graph {

int64_t GateCount(Recurrent::Kind kind) {
  switch (kind) {
    case Recurrent::Kind::kLstm: return 4;
    case Recurrent::Kind::kGru: return 3;
    case Recurrent::Kind::kRnn: return 1;
  }
  return 1;
}

// An LSTM's is o * h(c), a GRU's a mean of the candidate and the state before weighted by z, an
// RNN's f(...): bounded where these functions are, and z is between 0 and 1.
bool HasBoundedState(const Recurrent& recurrent) {
  using Function = Recurrent::Function;
  for (size_t i = 0; i < recurrent.functions.size(); ++i) {
    const Function function = recurrent.functions[i].function;
    const bool in_unit = function == Function::kSigmoid || function == Function::kHardSigmoid;
    if (recurrent.kind == Recurrent::Kind::kGru && i == 0 && !in_unit) return false;
    if (recurrent.kind == Recurrent::Kind::kLstm && i == 1) continue;  // of the cell only
    if (!in_unit && function != Function::kTanh && function != Function::kSoftsign) return false;
  }
  return true;
}

}  // namespace fourfold::graph
