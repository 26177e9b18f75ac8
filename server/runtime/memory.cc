#include "server/runtime/memory.h"

#include <algorithm>
#include <numeric>

namespace fourfold::runtime {
namespace {

constexpr size_t kAlignment = 64;

size_t Aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool LiveTogether(const Storage& a, const Storage& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

}  // namespace

size_t PlaceStorages(std::vector<Storage>& storages) {
  std::vector<size_t> order;
  for (size_t i = 0; i < storages.size(); ++i) {
    if (storages[i].kind == Storage::Kind::kArena && storages[i].bytes > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return storages[a].bytes > storages[b].bytes; });

  std::vector<size_t> placed;  // by offset
  size_t total = 0;
  for (size_t i : order) {
    Storage& storage = storages[i];
    const size_t bytes = Aligned(storage.bytes);
    size_t offset = 0;
    for (size_t other : placed) {
      const Storage& neighbour = storages[other];
      if (!LiveTogether(storage, neighbour)) continue;
      if (offset + bytes <= neighbour.offset) break;
      offset = std::max(offset, neighbour.offset + Aligned(neighbour.bytes));
    }
    storage.offset = offset;
    total = std::max(total, offset + bytes);
    const auto position = std::lower_bound(
        placed.begin(), placed.end(), offset,
        [&](size_t other, size_t value) { return storages[other].offset < value; });
    placed.insert(position, i);
  }
  return total;
}

}  // namespace fourfold::runtime
