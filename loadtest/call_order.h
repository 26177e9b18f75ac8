#pragma once

#include <cstddef>
#include <cstdint>

namespace fourfold::loadtest {

// One request of a run.
struct Call {
  int64_t index = 0;  // from 0, in the order of sending
  int64_t round = 0;  // each round calls every target once, with the same input
  size_t target = 0;  // which of the compared variants; 0 if nothing is compared
  size_t input = 0;   // which of the prepared inputs
};

// Says which request comes when: rounds of one request to each target, in an order that is drawn
// anew for each round, so that whatever drifts or recurs on the machine hits all targets alike.
// Inputs are taken in turn. Stateless: the same seed gives the same order. Thread-safe.
class CallOrder {
 public:
  // Both at least 1; at most kTargetsMax targets.
  static constexpr size_t kTargetsMax = 16;
  CallOrder(size_t targets, size_t inputs, uint64_t seed)
      : targets_(targets), inputs_(inputs), seed_(seed) {}

  Call At(int64_t index) const;

 private:
  const size_t targets_;
  const size_t inputs_;
  const uint64_t seed_;
};

}  // namespace fourfold::loadtest
