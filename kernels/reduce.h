#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Reduces float32 src over the dimensions marked in `reduced` (as many as src has). dst is
// row-major with the remaining dimensions in order. src has either layout.
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
