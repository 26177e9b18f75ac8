#pragma once

#include <vector>

#include "server/graph/graph.h"

namespace fourfold::graph {

// A plan is made for known shapes, so values that decide shapes (the shape operand of Reshape) or
// what is computed (axes, bounds of Slice) have to be known when it is made.

// The inputs of a node whose contents a plan has to know, by position.
std::vector<size_t> ContentInputs(const Operation& operation);

// Whether the shapes of its outputs depend on what the data are (NonZero), or which nodes run does
// (If, Loop, Scan): such a node runs between plans, not in one.
bool IsDynamic(const Operation& operation);

// The graphs inside of an operation: If's branches, the body of Loop and Scan.
std::vector<std::shared_ptr<const Graph>> Bodies(const Operation& operation);

// Whether a value of this type and shape is small enough that a plan may be kept for each of its
// contents: at most 64 elements in at most one dimension, which may be unknown.
bool MayDecideShapes(const Value& value);

}  // namespace fourfold::graph
