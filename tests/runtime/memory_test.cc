#include "server/runtime/memory.h"

#include <gtest/gtest.h>

#include <random>

namespace fourfold::runtime {
namespace {

Storage Arena(size_t bytes, int first, int last) {
  Storage storage;
  storage.bytes = bytes;
  storage.first_step = first;
  storage.last_step = last;
  return storage;
}

size_t Padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

bool Overlap(const Storage& a, const Storage& b) {
  const bool in_time = a.first_step <= b.last_step && b.first_step <= a.last_step;
  const bool in_space = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
  return in_time && in_space;
}

// No plan can do with less than the largest sum of what lives at one step.
size_t LargestSumAtOneStep(const std::vector<Storage>& storages, int steps) {
  size_t largest = 0;
  for (int step = 0; step < steps; ++step) {
    size_t sum = 0;
    for (const Storage& storage : storages) {
      if (storage.first_step <= step && step <= storage.last_step) sum += Padded(storage.bytes);
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

TEST(PlaceStoragesTest, NothingThatLivesTogetherOverlaps) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    constexpr int kSteps = 20;
    std::vector<Storage> storages;
    size_t sum = 0;
    for (size_t i = 0, n = random() % 40; i < n; ++i) {
      const int first = static_cast<int>(random() % kSteps);
      storages.push_back(Arena(1 + random() % 5000, first,
                               std::min<int>(kSteps - 1, first + static_cast<int>(random() % 6))));
      sum += Padded(storages.back().bytes);
    }
    const size_t total = PlaceStorages(storages);
    EXPECT_LE(total, sum);
    EXPECT_GE(total, LargestSumAtOneStep(storages, kSteps));
    for (size_t i = 0; i < storages.size(); ++i) {
      EXPECT_EQ(storages[i].offset % 64, 0u);
      EXPECT_LE(storages[i].offset + storages[i].bytes, total);
      for (size_t j = 0; j < i; ++j)
        EXPECT_FALSE(Overlap(storages[i], storages[j])) << i << " and " << j;
    }
  }
}

TEST(PlaceStoragesTest, AChainNeedsTwoNeighboursOnly) {
  std::vector<Storage> storages;
  for (int i = 0; i < 10; ++i) storages.push_back(Arena(1000, i, i + 1));
  EXPECT_EQ(PlaceStorages(storages), 2 * Padded(1000));
}

TEST(PlaceStoragesTest, TakesNoPlaceForInputsOutputsAndConstants) {
  std::vector<Storage> storages = {Arena(1000, 0, 5), Arena(1000, 0, 5), Arena(1000, 0, 5)};
  storages[0].kind = Storage::Kind::kInput;
  storages[1].kind = Storage::Kind::kConstant;
  storages[2].kind = Storage::Kind::kOutput;
  EXPECT_EQ(PlaceStorages(storages), 0u);
}

TEST(PlaceStoragesTest, NothingNeedsNothing) {
  std::vector<Storage> none;
  EXPECT_EQ(PlaceStorages(none), 0u);
}

}  // namespace
}  // namespace fourfold::runtime
