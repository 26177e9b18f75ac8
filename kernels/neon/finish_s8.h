#pragma once

#include <cstdint>
#include <vector>

#include "kernels/accumulate.h"

namespace fourfold::kernels::neon {

// What becomes of int32 sums, as accumulate.h describes for the two integer arithmetics; the
// reference's bytes. Immutable, thread-safe.
//
// All integer kernels multiply signed bytes: a uint8 source is read as value - 128 (its highest bit
// flipped), an int8 source as it is. So with s the source as it was multiplied and z its zero point
// less 128 or 0, the sum that accumulate.h means is
//   sum((s - z) * w) = sum(s * w) - z * sum(w),
// modulo 2^32, hence exactly wherever it fits int32.
class FinishS8 {
 public:
  // Copies bias and multiplier.
  FinishS8(const Accumulation& sum, ElementType src_type, ElementType dst_type, int64_t channels);

  // A stretch of channels of one output position.
  struct Stretch {
    const int32_t* sums;         // sum(s * w) of each channel; readable up to a multiple of 16
    const int32_t* weight_sums;  // sum(w) of each channel; likewise
    int64_t channel;             // the first
    int64_t count;
    QuantParams src;        // scale for kDynamicInt8 only
    const float* residual;  // at the first channel; null for none; may be dst
    void* dst;              // at the first channel
  };
  void Store(const Stretch& stretch) const;

  // What is added to a source byte to make it signed, modulo 256: 128 or 0.
  uint8_t flip() const { return flip_; }

 private:
  const Arithmetic arithmetic_;
  const ElementType dst_type_;
  const uint8_t flip_;
  std::vector<float> bias_;        // [channels], filled up with zeros to the width of a store
  std::vector<float> multiplier_;  // likewise
  const int32_t dst_zero_point_;
  const float dst_scale_inverse_;
  const Activation activation_;
};

}  // namespace fourfold::kernels::neon
