#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Reduces src over the dimensions marked in `reduced` (as many as src has). dst has src's type and
// is row-major with the remaining dimensions in order. src has either layout.
//   Real numbers are collected in double. Results of integers are exact, in two's complement where
//   they overflow; kMean, kL2, kLogSum and kLogSumExp of them are truncated. Of booleans there are
//   kMax and kMin. Over nothing: 0 of sums, 1 of kProd, the lowest (-infinity) of kMax, the highest
//   of kMin, -infinity of logarithms, NaN (integers: 0) of kMean.
//
//   inputs   src        outputs  dst
struct ReduceSpec {
  enum class Operation : uint8_t {
    kMean,
    kSum,
    kMax,
    kMin,
    kProd,
    kSumSquare,
    kL1,
    kL2,
    kLogSum,
    kLogSumExp
  };
  Operation operation = Operation::kMean;
  TensorSpec src;
  std::vector<bool> reduced;
};

std::span<const Kernel<ReduceSpec>> ReduceKernels();

}  // namespace fourfold::kernels
