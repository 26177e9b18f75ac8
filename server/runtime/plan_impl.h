#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "kernels/kernel.h"
#include "server/runtime/plan.h"

namespace fourfold::runtime {

// A stretch of memory that a plan reads or writes.
struct Storage {
  enum class Kind : uint8_t { kArena, kConstant, kInput, kOutput };
  Kind kind = Kind::kArena;
  size_t bytes = 0;
  size_t offset = 0;               // kArena
  const void* constant = nullptr;  // kConstant
  size_t index = 0;                // kInput, kOutput

  // The steps between which the contents matter (kArena).
  int first_step = 0;
  int last_step = -1;
};

// A tensor in a storage (from its beginning).
struct View {
  int storage = -1;
  kernels::TensorSpec spec;
};

struct Step {
  kernels::PreparedPtr kernel;
  std::vector<int> inputs;   // storages, -1 where absent
  std::vector<int> outputs;  // storages, -1 where absent
  int scratch = -1;          // storage, -1 for none
};

struct Plan::Impl {
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::vector<Storage> storages;
  std::vector<Step> steps;
  std::vector<StepInfo> infos;  // of each step
  std::vector<std::pair<graph::ValueId, View>> observed;
  std::vector<std::shared_ptr<const void>> keep_alive;  // what kConstant storages point into
  size_t arena_bytes = 0;
  size_t constant_bytes = 0;
};

// As many inputs as a step may have, and as many outputs.
inline constexpr size_t kMaxOperands = 32;

}  // namespace fourfold::runtime
