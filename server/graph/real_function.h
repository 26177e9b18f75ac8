#pragma once

#include <optional>

#include "kernels/binary.h"
#include "kernels/eltwise.h"
#include "server/graph/graph.h"

namespace fourfold::graph {

// The function of real numbers that an Eltwise is, with its parameters and no count; nothing for
// those of booleans and integers, and for those that answer with a boolean.
std::optional<kernels::EltwiseSpec> RealFunction(const Eltwise& eltwise);

// The kernels' name of an operation.
kernels::BinarySpec::Operation PlainOperation(Binary::Operation operation);

}  // namespace fourfold::graph
