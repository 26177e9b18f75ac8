#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/arithmetic.h"
#include "kernels/tensor.h"

namespace fourfold::kernels::reference {

// How an element type is computed with: it lies in memory as Stored and is a Number in between.
template <typename T>
struct Element {
  using Stored = T;
  using Number = T;
  static Number Load(Stored stored) { return stored; }
  static Stored Store(Number number) { return number; }
};
struct Float16Element {
  using Stored = uint16_t;
  using Number = float;
  static Number Load(Stored stored) { return HalfToFloat(stored); }
  static Stored Store(Number number) { return FloatToHalf(number); }
};
struct BFloat16Element {
  using Stored = uint16_t;
  using Number = float;
  static Number Load(Stored stored) { return BFloat16ToFloat(stored); }
  static Stored Store(Number number) { return FloatToBFloat16(number); }
};
struct BoolElement {
  using Stored = uint8_t;
  using Number = bool;
  static Number Load(Stored stored) { return stored != 0; }
  static Stored Store(Number number) { return number ? 1 : 0; }
};

// visit(Element<float>()), ... for the type.
template <typename Visit>
auto VisitElement(ElementType type, const Visit& visit) {
  switch (type) {
    case ElementType::kFloat32: return visit(Element<float>());
    case ElementType::kFloat16: return visit(Float16Element());
    case ElementType::kBFloat16: return visit(BFloat16Element());
    case ElementType::kFloat64: return visit(Element<double>());
    case ElementType::kInt8: return visit(Element<int8_t>());
    case ElementType::kUint8: return visit(Element<uint8_t>());
    case ElementType::kInt16: return visit(Element<int16_t>());
    case ElementType::kUint16: return visit(Element<uint16_t>());
    case ElementType::kInt32: return visit(Element<int32_t>());
    case ElementType::kUint32: return visit(Element<uint32_t>());
    case ElementType::kInt64: return visit(Element<int64_t>());
    case ElementType::kUint64: return visit(Element<uint64_t>());
    case ElementType::kBool: break;
  }
  return visit(BoolElement());
}

// visit(uint8_t()) ... visit(uint64_t()): elements of a size that are only moved.
template <typename Visit>
auto VisitSize(ElementType type, const Visit& visit) {
  switch (ElementSize(type)) {
    case 1: return visit(uint8_t());
    case 2: return visit(uint16_t());
    case 4: return visit(uint32_t());
    default: return visit(uint64_t());
  }
}

}  // namespace fourfold::kernels::reference
