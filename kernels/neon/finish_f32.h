#pragma once

#include <vector>

#include "kernels/accumulate.h"

namespace fourfold::kernels::neon {

// What becomes of float sums: dst = activation(sum + bias + residual). Immutable, thread-safe.
class FinishF32 {
 public:
  // Copies the bias.
  FinishF32(const Accumulation& sum, int64_t channels);

  bool residual() const { return residual_; }

  // Neighbouring channels of one output position.
  struct Stretch {
    const float* sums;  // readable up to a multiple of 4
    int64_t channel;    // the first
    int64_t count;
    const float* residual;  // at the first channel; null for none; may be dst
    float* dst;             // at the first channel
  };
  void Store(const Stretch& stretch) const;

 private:
  std::vector<float> bias_;  // [channels], then zeros
  const Activation activation_;
  const bool residual_;
};

}  // namespace fourfold::kernels::neon
