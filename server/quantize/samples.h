#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/tensor.h"
#include "server/runtime/model.h"

namespace fourfold::quantize {

// One array of a sample set: the tensor that it feeds and what one sample of it looks like.
struct SampleInput {
  std::string name;  // empty: the model's only input
  graph::DataType type = graph::DataType::kFloat32;
  graph::Shape shape;  // without the sample axis
};

// Samples for calibration and evaluation, read one at a time: any number of them costs the memory
// of one. Thread-safe.
class SampleSet {
 public:
  virtual ~SampleSet() = default;
  virtual int64_t size() const = 0;
  virtual const std::vector<SampleInput>& inputs() const = 0;

  // The arrays of one sample, in the order of inputs().
  virtual absl::StatusOr<std::vector<std::vector<std::byte>>> Read(int64_t index) const = 0;

  // The class of each sample; empty where there are no labels.
  virtual std::span<const int64_t> labels() const = 0;
};

// Which array of a set feeds which input of a model, and the model's input shapes for one sample.
struct SampleBinding {
  std::vector<size_t> array;               // by model input
  std::vector<graph::Shape> input_shapes;  // by model input, batch 1
};

// INVALID_ARGUMENT if a model input has no array, or one of another type or shape. `what` names the
// set in messages ("calibration samples").
absl::StatusOr<SampleBinding> BindSamples(const runtime::Model& model, const SampleSet& samples,
                                          const std::string& what);

// Calls visit(worker, index, inputs) for each sample below `end`, from `workers` threads, with the
// inputs in the model's order. Stops at the first error and returns it; a sample that holds NaN or
// infinity is INVALID_ARGUMENT naming array and index.
using Visit = std::function<absl::Status(int worker, int64_t index,
                                         const std::vector<std::vector<std::byte>>& inputs)>;
absl::Status VisitSamples(const SampleSet& samples, const SampleBinding& binding, int64_t end,
                          int workers, const Visit& visit);

}  // namespace fourfold::quantize
