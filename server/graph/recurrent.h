#pragma once

#include "server/graph/operations.h"

namespace fourfold::graph {

// Rows of weights per hidden unit: 4 of an LSTM, 3 of a GRU, 1 of an RNN.
int64_t GateCount(Recurrent::Kind kind);

// Whether no hidden state that the layer computes leaves [-1, 1], whatever its weights: 8-bit steps
// of 1/127 then serve all of them.
bool HasBoundedState(const Recurrent& recurrent);

}  // namespace fourfold::graph
