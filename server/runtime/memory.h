#pragma once

#include <cstddef>
#include <vector>

#include "server/runtime/plan_impl.h"

namespace fourfold::runtime {

// Gives every arena storage an offset (multiple of 64) such that no two that live at the same step
// overlap, and returns the bytes needed. Greedy by size: the largest first, each at the lowest
// place that is free for its lifetime (Pisarchyk and Lee 2020, "greedy by size").
size_t PlaceStorages(std::vector<Storage>& storages);

}  // namespace fourfold::runtime
