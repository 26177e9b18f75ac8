#pragma once

#include <cmath>

#include "kernels/binary.h"

namespace fourfold::kernels::reference {

// Binary operations of plain numbers of any type, row-major and without an activation.
PreparedPtr PrepareTypedBinary(const BinarySpec& spec);

// The remainder of a / b with the sign of b.
template <typename Real>
Real FloorMod(Real a, Real b) {
  const Real remainder = std::fmod(a, b);
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

}  // namespace fourfold::kernels::reference
