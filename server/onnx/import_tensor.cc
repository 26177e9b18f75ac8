#include "server/onnx/import_tensor.h"

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/element_type.h"
#include "server/onnx/names.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::Shape;
using graph::Tensor;
using graph::TensorPtr;

// The elements of a typed field, each converted to T (its low bits, as ONNX stores small types).
template <typename T, typename Field>
absl::StatusOr<TensorPtr> FromField(DataType type, Shape shape, int64_t count, const Field& field) {
  if (static_cast<int64_t>(field.size()) != count) {
    return absl::InvalidArgumentError(absl::StrCat("holds ", field.size(), " elements, its shape ",
                                                   graph::ShapeText(shape), " wants ", count));
  }
  std::vector<T> elements;
  elements.reserve(static_cast<size_t>(count));
  for (const auto element : field) elements.push_back(static_cast<T>(element));
  return Tensor::Of(type, std::move(shape), elements);
}

// A copy of the elements, with every true the same.
TensorPtr CopyOf(DataType type, Shape shape, std::span<const std::byte> bytes) {
  if (type != DataType::kBool) return Tensor::Copy(type, std::move(shape), bytes);
  std::vector<uint8_t> flags;
  flags.reserve(bytes.size());
  for (std::byte byte : bytes) flags.push_back(byte != std::byte{0});
  return Tensor::Of(type, std::move(shape), flags);
}

absl::StatusOr<TensorPtr> FromRaw(DataType type, Shape shape, int64_t count,
                                  const std::string& raw) {
  const size_t wanted = static_cast<size_t>(count) * graph::ElementSize(type);
  if (raw.size() != wanted) {
    return absl::InvalidArgumentError(absl::StrCat("holds ", raw.size(), " bytes, ",
                                                   graph::TypeText(type), " ",
                                                   graph::ShapeText(shape), " wants ", wanted));
  }
  return CopyOf(type, std::move(shape), std::as_bytes(std::span(raw)));
}

absl::StatusOr<TensorPtr> FromExternal(const ::onnx::TensorProto& tensor, DataType type,
                                       Shape shape, int64_t count, ExternalTensors* external) {
  if (external == nullptr) return absl::InvalidArgumentError("keeps its data in another file");
  const size_t element = graph::ElementSize(type);
  ASSIGN_OR_RETURN(const ExternalFile found,
                   external->Find(tensor, static_cast<size_t>(count) * element));
  const bool aligned = reinterpret_cast<uintptr_t>(found.bytes.data()) % element == 0;
  if (found.bytes.empty() || !aligned || type == DataType::kBool) {
    return CopyOf(type, std::move(shape), found.bytes);
  }
  return std::make_shared<const Tensor>(
      type, std::move(shape), std::shared_ptr<const void>(found.owner, found.bytes.data()));
}

absl::StatusOr<TensorPtr> FromFields(const ::onnx::TensorProto& tensor, DataType type, Shape shape,
                                     int64_t count) {
  switch (type) {
    case DataType::kFloat32:
      return FromField<float>(type, std::move(shape), count, tensor.float_data());
    case DataType::kFloat64:
      return FromField<double>(type, std::move(shape), count, tensor.double_data());
    case DataType::kInt8:
      return FromField<int8_t>(type, std::move(shape), count, tensor.int32_data());
    case DataType::kUint8:
      return FromField<uint8_t>(type, std::move(shape), count, tensor.int32_data());
    case DataType::kBool: {
      std::vector<uint8_t> flags;
      for (int32_t element : tensor.int32_data()) flags.push_back(element != 0);
      return FromField<uint8_t>(type, std::move(shape), count, std::span(flags));
    }
    case DataType::kInt16:
      return FromField<int16_t>(type, std::move(shape), count, tensor.int32_data());
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return FromField<uint16_t>(type, std::move(shape), count, tensor.int32_data());
    case DataType::kInt32:
      return FromField<int32_t>(type, std::move(shape), count, tensor.int32_data());
    case DataType::kUint32:
      return FromField<uint32_t>(type, std::move(shape), count, tensor.uint64_data());
    case DataType::kInt64:
      return FromField<int64_t>(type, std::move(shape), count, tensor.int64_data());
    case DataType::kUint64:
      return FromField<uint64_t>(type, std::move(shape), count, tensor.uint64_data());
  }
  return absl::InternalError("element type out of range");
}

bool HasFields(const ::onnx::TensorProto& tensor) {
  return tensor.float_data_size() > 0 || tensor.int32_data_size() > 0 ||
         tensor.int64_data_size() > 0 || tensor.double_data_size() > 0 ||
         tensor.uint64_data_size() > 0 || tensor.string_data_size() > 0;
}

// Two elements to a byte, the first in its low half; in a typed field, a byte to an element.
template <typename T>
absl::StatusOr<TensorPtr> Unpack(const ::onnx::TensorProto& tensor, DataType type, Shape shape,
                                 int64_t count) {
  const auto bytes =
      static_cast<int64_t>(tensor.has_raw_data() ? tensor.raw_data().size()
                                                 : static_cast<size_t>(tensor.int32_data_size()));
  if (bytes != (count + 1) / 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("holds ", bytes, " bytes, ", OnnxTypeText(tensor.data_type()), " ",
                     graph::ShapeText(shape), " wants ", (count + 1) / 2));
  }
  std::vector<T> elements;
  elements.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const int byte = tensor.has_raw_data()
                         ? static_cast<uint8_t>(tensor.raw_data()[static_cast<size_t>(i / 2)])
                         : tensor.int32_data(static_cast<int>(i / 2));
    const int nibble = (i % 2 == 0 ? byte : byte >> 4) & 0xF;
    elements.push_back(static_cast<T>(std::is_signed_v<T> && nibble > 7 ? nibble - 16 : nibble));
  }
  return Tensor::Of(type, std::move(shape), elements);
}

absl::StatusOr<TensorPtr> Import(const ::onnx::TensorProto& tensor, const ImportLimits& limits,
                                 ExternalTensors* external) {
  if (tensor.has_segment()) return absl::InvalidArgumentError("is a segment of a tensor");
  const std::optional<DataType> type = ElementTypeOf(tensor.data_type());
  const bool packed = IsFourBits(tensor.data_type());
  if (!type && !packed) {
    const std::string text = OnnxTypeText(tensor.data_type());
    if (tensor.data_type() == ::onnx::TensorProto::UNDEFINED) {
      return absl::InvalidArgumentError("has no element type");
    }
    return absl::UnimplementedError(absl::StrCat("element type ", text));
  }
  Shape shape(tensor.dims().begin(), tensor.dims().end());
  for (int64_t dim : shape) {
    if (dim < 0) return absl::InvalidArgumentError(absl::StrCat("has the dimension ", dim));
  }
  ASSIGN_OR_RETURN(const int64_t count, CheckedElementCount(shape, limits));
  if (tensor.data_location() == ::onnx::TensorProto::EXTERNAL) {
    if (tensor.has_raw_data() || HasFields(tensor)) {
      return absl::InvalidArgumentError(
          "holds its elements twice: in the model and in another file");
    }
    if (packed) {
      return absl::UnimplementedError(
          absl::StrCat("element type ", OnnxTypeText(tensor.data_type()), " in another file"));
    }
    return FromExternal(tensor, *type, std::move(shape), count, external);
  }
  if (tensor.has_raw_data() && HasFields(tensor)) {
    return absl::InvalidArgumentError("holds its elements twice: in raw_data and in a typed field");
  }
  if (tensor.data_type() == kOnnxInt4)
    return Unpack<int8_t>(tensor, DataType::kInt8, std::move(shape), count);
  if (packed) return Unpack<uint8_t>(tensor, DataType::kUint8, std::move(shape), count);
  if (tensor.has_raw_data()) return FromRaw(*type, std::move(shape), count, tensor.raw_data());
  return FromFields(tensor, *type, std::move(shape), count);
}

}  // namespace

absl::StatusOr<int64_t> CheckedElementCount(const Shape& shape, const ImportLimits& limits) {
  if (shape.size() > limits.rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", shape.size(), " dimensions, at most ", limits.rank, " are allowed"));
  }
  int64_t count = 1;
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim == graph::kUnknownDim) continue;
    if (dim < 0) return absl::InvalidArgumentError(absl::StrCat("has the dimension ", dim));
    if (dim == 0) {
      empty = true;
    } else if (dim > limits.tensor_elements / count) {
      return absl::InvalidArgumentError(absl::StrCat("has the shape ", graph::ShapeText(shape),
                                                     ", at most ", limits.tensor_elements,
                                                     " elements are allowed"));
    } else {
      count *= dim;
    }
  }
  return empty ? 0 : count;
}

absl::StatusOr<TensorPtr> ImportTensor(const ::onnx::TensorProto& tensor,
                                       const ImportLimits& limits, ExternalTensors* external) {
  absl::StatusOr<TensorPtr> result = Import(tensor, limits, external);
  if (result.ok()) return result;
  return absl::Status(result.status().code(), absl::StrCat("tensor ", Quoted(tensor.name()), ": ",
                                                           result.status().message()));
}

}  // namespace fourfold::onnx
