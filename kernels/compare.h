#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst = a op b, booleans, row-major with numpy broadcasting (a and b may have fewer dimensions). a
// and b have one type: any of kEqual, numbers of the orders, booleans of kAnd, kOr and kXor. A
// comparison with NaN is false.
//
//   inputs   a, b       outputs  dst
struct CompareSpec {
  enum class Operation : uint8_t {
    kEqual,
    kGreater,
    kGreaterOrEqual,
    kLess,
    kLessOrEqual,
    kAnd,
    kOr,
    kXor,
  };
  Operation operation = Operation::kEqual;
  ElementType type = ElementType::kFloat32;  // of a and b
  Dims a;
  Dims b;
  Dims dst;
};

std::span<const Kernel<CompareSpec>> CompareKernels();

}  // namespace fourfold::kernels
