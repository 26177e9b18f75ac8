#include "server/runtime/stacked_plans.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/runtime/executor.h"

namespace fourfold::runtime {
namespace {

constexpr int64_t kDistinct = 3;  // different requests of a trial, repeated to fill the stack
// Float results may be summed up in another order; relative to the largest output.
constexpr double kFloatTolerance = 1e-4;

using Buffers = std::vector<std::string>;  // one for each tensor

// Floats between -1 and 1, other types 0 and 1: an integer may be an index.
Buffers RandomInputs(const Plan& plan, uint32_t seed) {
  std::minstd_rand random(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  Buffers inputs;
  for (const TensorInfo& info : plan.inputs()) {
    std::string& bytes = inputs.emplace_back(info.bytes(), '\0');
    if (info.type == graph::DataType::kFloat32) {
      for (size_t i = 0; i < bytes.size(); i += sizeof(float)) {
        const float value = uniform(random);
        std::memcpy(&bytes[i], &value, sizeof value);
      }
    } else {
      const size_t size = graph::ElementSize(info.type);
      for (size_t i = 0; i < bytes.size(); i += size) bytes[i] = static_cast<char>(random() % 2);
    }
  }
  return inputs;
}

absl::StatusOr<Buffers> RunOnce(const Plan& plan, const Buffers& inputs, Arena& arena,
                                kernels::Parallel& parallel) {
  Buffers outputs;
  for (const TensorInfo& info : plan.outputs()) outputs.emplace_back(info.bytes(), '\0');
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const std::string& input : inputs) from.push_back(input.data());
  for (std::string& output : outputs) to.push_back(output.data());
  RETURN_IF_ERROR(Run(plan, arena, from, to, parallel));
  return outputs;
}

bool HasIntegerArithmetic(const Plan& plan) {
  return std::any_of(plan.steps().begin(), plan.steps().end(), [](const StepInfo& step) {
    return step.arithmetic.find("int8") != std::string::npos;
  });
}

// Floats equal but for rounding.
bool Close(const std::string& alone, const std::string& stacked) {
  double largest = 0, difference = 0;
  for (size_t i = 0; i + sizeof(float) <= alone.size(); i += sizeof(float)) {
    float a, b;
    std::memcpy(&a, &alone[i], sizeof a);
    std::memcpy(&b, &stacked[i], sizeof b);
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a == b) continue;
    largest = std::max(largest, std::fabs(static_cast<double>(a)));
    const double d = std::fabs(static_cast<double>(a) - b);
    difference = std::isnan(d) ? INFINITY : std::max(difference, d);
  }
  return difference <= kFloatTolerance * largest;
}

// Whether `stacked` gives each of `count` requests what `single` gives it.
absl::Status Try(const Plan& single, const Plan& stacked, int64_t count,
                 kernels::Parallel& parallel) {
  Arena arena;
  std::vector<Buffers> inputs, alone;
  for (int64_t i = 0; i < std::min(count, kDistinct); ++i) {
    inputs.push_back(RandomInputs(single, static_cast<uint32_t>(i + 1)));
    ASSIGN_OR_RETURN(Buffers outputs, RunOnce(single, inputs.back(), arena, parallel));
    alone.push_back(std::move(outputs));
  }
  Buffers together(single.inputs().size());
  for (int64_t i = 0; i < count; ++i) {
    const Buffers& one = inputs[static_cast<size_t>(i) % inputs.size()];
    for (size_t t = 0; t < one.size(); ++t) together[t] += one[t];
  }
  ASSIGN_OR_RETURN(const Buffers outputs, RunOnce(stacked, together, arena, parallel));
  const bool exact = HasIntegerArithmetic(stacked);
  for (size_t t = 0; t < outputs.size(); ++t) {
    const TensorInfo& info = single.outputs()[t];
    for (int64_t i = 0; i < count; ++i) {
      const std::string& want = alone[static_cast<size_t>(i) % alone.size()][t];
      const std::string got = outputs[t].substr(static_cast<size_t>(i) * want.size(), want.size());
      if (got == want) continue;
      if (!exact && info.type == graph::DataType::kFloat32 && Close(want, got)) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("output ", info.name, " of request ", i, " of ", count,
                       " differs from what the request gets alone"));
    }
  }
  return absl::OkStatus();
}

// The plans' outputs are those of one request, `count` times.
absl::Status CheckShapes(const Plan& single, const Plan& stacked, int64_t count) {
  for (size_t t = 0; t < single.outputs().size(); ++t) {
    const TensorInfo& one = single.outputs()[t];
    const TensorInfo& all = stacked.outputs()[t];
    if (!one.shape.empty() && all.shape == Stacked({one.shape}, count).front()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("output ", one.name, " is ", graph::ShapeText(one.shape),
                     " for one request and ", graph::ShapeText(all.shape), " for ", count));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<graph::Shape> Stacked(std::vector<graph::Shape> shapes, int64_t count) {
  for (graph::Shape& shape : shapes) shape[0] *= count;
  return shapes;
}

StackedPlans::Entry* StackedPlans::FindEntry(const std::vector<graph::Shape>& shapes,
                                             int64_t count) const {
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->count != count || entry->shapes != shapes) continue;
    entries_.splice(entries_.begin(), entries_, entry);
    return &entries_.front();
  }
  return nullptr;
}

std::shared_ptr<const Plan> StackedPlans::Find(const std::vector<graph::Shape>& shapes,
                                               int64_t count) const {
  const absl::MutexLock lock(&mutex_);
  const Entry* entry = FindEntry(shapes, count);
  return entry != nullptr ? entry->plan : nullptr;
}

bool StackedPlans::Claim(const std::vector<graph::Shape>& shapes, int64_t count) {
  if (!model_.batchable() || shapes.empty()) return false;
  const absl::MutexLock lock(&mutex_);
  if (FindEntry(shapes, count) != nullptr) return false;
  entries_.push_front({shapes, count, nullptr});
  if (entries_.size() > plans_max_) entries_.pop_back();
  return true;
}

absl::Status StackedPlans::Prepare(const std::vector<graph::Shape>& shapes, int64_t count,
                                   kernels::Parallel& parallel) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> single, model_.PlanFor(shapes));
  ASSIGN_OR_RETURN(std::shared_ptr<const Plan> stacked,
                   model_.Compile(Stacked(shapes, count), model_.options().batch_arena_bytes_max));
  RETURN_IF_ERROR(CheckShapes(*single, *stacked, count));
  RETURN_IF_ERROR(Try(*single, *stacked, count, parallel));
  const absl::MutexLock lock(&mutex_);
  if (Entry* entry = FindEntry(shapes, count)) entry->plan = std::move(stacked);
  return absl::OkStatus();
}

}  // namespace fourfold::runtime
