#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel.h"

namespace fourfold::kernels::neon {

// The source of float16 arithmetic: each sample (an image, or a row of a matrix) multiplied by a
// power of two of its own and rounded to float16.
//
// The power is the largest with which max|x| * max(longest, 1) stays below 2^15, `longest` being
// the largest sum of weight magnitudes of a run (weights_f32.h). No sum of a run can then overflow:
// a product and each of its at most kHalfRun additions grow by at most (1 + 2^-11), so a partial
// sum stays below 2^15 * (1 + 2^-11)^65 < 33,830, and the largest half is 65,504. Scaling also
// keeps small samples away from float16's subnormal numbers. A sample with NaN or infinity, or
// whose power is out of float32's range, is left to float32 arithmetic. All of this looks at one
// sample at a time, so an answer does not depend on what it was batched with.
struct HalfSample {
  float scale = 0.0f;    // of the source
  float unscale = 0.0f;  // of the sums: 1 / scale; 0 where the sample is left to float32
};

HalfSample ScaleOf(float max_magnitude, float longest_run);

class HalfSource {
 public:
  HalfSource(int64_t samples, int64_t elements, float longest_run)
      : samples_(samples), elements_(elements), longest_run_(longest_run) {}

  // A multiple of 64. Laid out as halves() and samples() say.
  size_t scratch_bytes() const;

  // Fills the scratch from float32[samples, elements].
  void Make(const float* src, void* scratch, Parallel& parallel) const;

  const uint16_t* halves(const void* scratch) const {  // [samples, elements]
    return static_cast<const uint16_t*>(scratch);
  }
  const HalfSample* samples(const void* scratch) const;  // [samples]

 private:
  size_t half_bytes() const;
  size_t sample_bytes() const;

  const int64_t samples_;
  const int64_t elements_;
  const float longest_run_;
};

}  // namespace fourfold::kernels::neon
