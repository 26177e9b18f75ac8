#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client/client.h"
#include "loadtest/loop.h"

namespace fourfold::loadtest {

// How far answers are from the reference's answer to the same input.
struct Difference {
  int64_t rows = 0;        // samples whose largest output was looked for; 0: outputs are no classes
  int64_t rows_agree = 0;  // ... and is the same class
  double largest = 0;      // |difference|, as a share of the reference tensor's largest |value|
  double signal = 0;       // sum of squares of the reference
  double noise = 0;        // sum of squares of the difference

  void Add(const Difference& other);
  // Signal to quantization noise ratio, 10 log10(signal / noise); absent if there is no difference.
  std::optional<double> SqnrDb() const;
};

// Compares two answers; DATA_LOSS if tensors, datatypes or shapes differ, or a value is NaN where
// the reference's is none. Classes are looked for in the first output, if it is [samples, ...,
// classes] with only ones between.
absl::StatusOr<Difference> Compare(const client::InferResponse& answer,
                                   const client::InferResponse& reference);

struct AnswerFigures {
  int64_t checked = 0;
  Difference difference;     // all checked answers together
  int64_t inconsistent = 0;  // other bytes than this target's first answer to the same input
  int64_t malformed = 0;     // could not be compared
  std::string first_malformed;
};

// Checks every answer of a run. An answer with the same bytes as one that was compared before is
// not compared again. Warm-up is checked too. Thread-safe.
class AnswerCheck {
 public:
  // `references`: one per input.
  AnswerCheck(std::vector<client::InferResponse> references, size_t targets);

  void Add(const Observation& observation);
  AnswerFigures Figures(size_t target) const;

 private:
  // What is known of one target's first answer to one input.
  struct First {
    size_t hash;  // of all outputs' names, shapes and bytes
    Difference difference;
  };
  struct Target {
    std::vector<std::optional<First>> first;  // per input
    AnswerFigures figures;
  };

  const std::vector<client::InferResponse> references_;

  mutable absl::Mutex mutex_;
  std::vector<Target> targets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fourfold::loadtest
