#pragma once

#include <numeric>

#include "kernels/reference/loops.h"

// What gathering and scattering share: checked indices and products of dimensions.
namespace fourfold::kernels::reference {

// Product of dims[begin], ..., dims[end - 1].
inline int64_t Product(const Dims& dims, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t d = begin; d < end; ++d) product *= dims[d];
  return product;
}

inline bool IsIndexType(ElementType type) {
  return type == ElementType::kInt32 || type == ElementType::kInt64;
}

// visit(int32_t()) or visit(int64_t()).
template <typename Visit>
auto VisitIndex(ElementType type, const Visit& visit) {
  return type == ElementType::kInt32 ? visit(int32_t()) : visit(int64_t());
}

// The index counted from the front, or -1 (and a fault) where it lies outside of the axis.
inline int64_t CheckedIndex(int64_t index, int64_t length, Fault* fault) {
  if (index < 0) index += length;
  if (index >= 0 && index < length) return index;
  if (fault != nullptr) fault->Report("an index lies outside of its axis");
  return -1;
}

// Rows of numbers that each are a position in the leading (or, behind batch dimensions, further)
// dimensions of an array.
struct Positions {
  Dims lengths;                  // of the dimensions that a position counts in
  std::vector<int64_t> strides;  // in slices
  int64_t slice = 1;             // elements behind one position

  Positions(const Dims& src, size_t begin, size_t end) {
    lengths.assign(src.begin() + static_cast<std::ptrdiff_t>(begin),
                   src.begin() + static_cast<std::ptrdiff_t>(end));
    strides = Strides(lengths, Layout::kRowMajor);
    slice = Product(src, end, src.size());
  }

  int64_t slices() const { return Product(lengths, 0, lengths.size()); }

  // The number of the slice that `position` points at; -1 (and a fault) outside.
  template <typename Index>
  int64_t At(const Index* position, Fault* fault) const {
    int64_t slice_number = 0;
    for (size_t d = 0; d < lengths.size(); ++d) {
      const int64_t index = CheckedIndex(static_cast<int64_t>(position[d]), lengths[d], fault);
      if (index < 0) return -1;
      slice_number += index * strides[d];
    }
    return slice_number;
  }
};

}  // namespace fourfold::kernels::reference
