#pragma once

#include <cstdint>

#include "kernels/recurrent.h"

namespace fourfold::kernels::composed {

// x[i] = function(x[i]). Sigmoid and tanh come from a polynomial of exp, the same bits on every
// CPU, within 4e-7 (absolute) of the exact value.
void ApplyGate(const RecurrentSpec::GateFunction& function, float* x, int64_t count);

}  // namespace fourfold::kernels::composed
