#include "kernels/tensor.h"

namespace fourfold::kernels {

size_t ElementSize(ElementType type) {
  switch (type) {
    case ElementType::kInt8:
    case ElementType::kUint8:
    case ElementType::kBool: return 1;
    case ElementType::kFloat16:
    case ElementType::kBFloat16:
    case ElementType::kInt16:
    case ElementType::kUint16: return 2;
    case ElementType::kFloat32:
    case ElementType::kInt32:
    case ElementType::kUint32: return 4;
    case ElementType::kFloat64:
    case ElementType::kInt64:
    case ElementType::kUint64: return 8;
  }
  return 0;
}

std::string_view ElementTypeName(ElementType type) {
  switch (type) {
    case ElementType::kFloat32: return "float32";
    case ElementType::kFloat16: return "float16";
    case ElementType::kBFloat16: return "bfloat16";
    case ElementType::kFloat64: return "float64";
    case ElementType::kInt8: return "int8";
    case ElementType::kUint8: return "uint8";
    case ElementType::kInt16: return "int16";
    case ElementType::kUint16: return "uint16";
    case ElementType::kInt32: return "int32";
    case ElementType::kUint32: return "uint32";
    case ElementType::kInt64: return "int64";
    case ElementType::kUint64: return "uint64";
    case ElementType::kBool: return "bool";
  }
  return "unknown";
}

int64_t ElementCount(const Dims& dims) {
  int64_t count = 1;
  for (int64_t dim : dims) count *= dim;
  return count;
}

size_t ByteSize(const TensorSpec& spec) {
  return static_cast<size_t>(ElementCount(spec.dims)) * ElementSize(spec.type);
}

std::vector<int64_t> Strides(const Dims& dims, Layout layout) {
  const size_t rank = dims.size();
  std::vector<int64_t> strides(rank, 1);
  if (rank == 0) return strides;
  int64_t step = 1;
  if (layout == Layout::kChannelsLast && rank >= 3) {
    strides[1] = step;
    step *= dims[1];
    for (size_t i = rank; i-- > 2;) {
      strides[i] = step;
      step *= dims[i];
    }
    strides[0] = step;
    return strides;
  }
  for (size_t i = rank; i-- > 0;) {
    strides[i] = step;
    step *= dims[i];
  }
  return strides;
}

}  // namespace fourfold::kernels
