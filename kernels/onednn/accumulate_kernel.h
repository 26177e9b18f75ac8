#pragma once

#include <memory>

#include "kernels/accumulate.h"
#include "kernels/onednn/epilogue.h"
#include "kernels/onednn/primitive.h"

namespace fourfold::kernels::onednn {

// Zero points at addresses that outlive the primitive which reads them.
struct ZeroPoints {
  int32_t src = 0;
  int32_t dst = 0;
};

// A convolution or a matrix product as one primitive. Inputs and outputs as in their headers.
// With dynamic int8 the primitive computes one sample and is executed for each, so that a result
// cannot depend on the rest of its batch.
class AccumulateKernel final : public PreparedKernel {
 public:
  struct Parts {
    std::unique_ptr<const ZeroPoints> zero_points;
    PackedConstant weights;  // data null: an input
    Epilogue::Residual residual = Epilogue::Residual::kNone;
    bool dynamic = false;
    int64_t samples = 1;                                 // executions per call
    size_t src_bytes = 0;                                // of one execution
    size_t dst_bytes = 0;                                // of one execution
    std::unique_ptr<const CompiledPrimitive> primitive;  // its operands point into the others
  };

  explicit AccumulateKernel(Parts parts);

  void Run(const RunArgs& args) const override;
  std::string_view implementation() const override { return parts_.primitive->implementation(); }
  size_t scratch_bytes() const override;
  size_t packed_bytes() const override { return parts_.weights.bytes; }

 private:
  const Parts parts_;
  const bool tolerates_alias_;      // dst and the residual operand may be one buffer
  const size_t primitive_scratch_;  // rounded up; the copy of an aliased residual follows
};

// Whether the sizes of bias and multiplier, the types and the longest sum fit what kernels here
// take.
bool Acceptable(const Accumulation& sum, ElementType src_type, ElementType dst_type,
                int64_t channels, int64_t sum_length);

// Whether integer products are exact with these weights: the CPU has 8-bit dot products, or no pair
// saturates (only uint8 sources; see PairSumsFit).
bool CpuIsExact(CpuFeatures features);

}  // namespace fourfold::kernels::onednn
