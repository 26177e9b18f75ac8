#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Einstein's summation of row-major arrays of any one number type: each dimension of each operand
// carries a label (0 or more), and so does each of dst.
//   dst[labels of dst] = sum over all other labels of the product of the operands' elements
// Equal labels have equal dimensions, or 1, which is repeated; a label twice on one operand means
// its diagonal. dst's labels are different ones. Real numbers are summed in double, integers in
// two's complement.
//
//   inputs   the operands        outputs  dst
struct EinsumSpec {
  ElementType type = ElementType::kFloat32;
  std::vector<Dims> operands;
  std::vector<std::vector<int>> labels;  // of each operand's dimensions
  std::vector<int> dst;                  // of dst's dimensions
};

std::span<const Kernel<EinsumSpec>> EinsumKernels();

}  // namespace fourfold::kernels
