#pragma once

#include "kernels/arithmetic.h"
#include "kernels/tensor.h"

namespace fourfold::graph {

// True where storing a number as `type` with these parameters clips at least as hard as the
// activation does, so that the activation need not be computed: a ReLU into uint8 with zero point
// 0. False for every activation that is not a clip.
bool ImpliedBySaturation(const kernels::Activation& activation, kernels::ElementType type,
                         kernels::QuantParams params);

}  // namespace fourfold::graph
