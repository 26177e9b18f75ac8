#include "loadtest/call_order.h"

#include <array>
#include <utility>

namespace fourfold::loadtest {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): a generator whose whole state is one number, so that any
// round's order is found without going through those before it.
uint64_t Next(uint64_t& state) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

Call CallOrder::At(int64_t index) const {
  const int64_t round = index / static_cast<int64_t>(targets_);
  const auto place = static_cast<size_t>(index % static_cast<int64_t>(targets_));
  std::array<size_t, kTargetsMax> order = {};
  for (size_t i = 0; i < targets_; ++i) order[i] = i;
  uint64_t state = seed_;
  state = Next(state) ^ static_cast<uint64_t>(round);
  for (size_t i = targets_; i > 1; --i) std::swap(order[i - 1], order[Next(state) % i]);
  return {index, round, order[place], static_cast<size_t>(round % static_cast<int64_t>(inputs_))};
}

}  // namespace fourfold::loadtest
