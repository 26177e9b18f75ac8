#include "server/tflite/tensor_info.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/names.h"
#include "server/graph/shapes.h"

namespace fourfold::tflite {
namespace {

using graph::DataType;
using graph::Quantization;
using graph::Shape;

std::string TypeText(schema::TensorType type) {
  const char* name = schema::EnumNameTensorType(type);
  return *name != '\0' ? name : absl::StrCat("type ", static_cast<int>(type));
}

// The dimensions; -1 for those that a call decides.
absl::StatusOr<std::optional<Shape>> ReadShape(const schema::Tensor& tensor, bool is_constant,
                                               const graph::ImportLimits& limits) {
  const auto* dims = tensor.shape();
  if ((dims == nullptr || dims->size() == 0) && !is_constant && !tensor.has_rank()) {
    return std::nullopt;
  }
  if (dims == nullptr) return Shape{};
  const auto* signature = tensor.shape_signature();
  const bool has_signature =
      !is_constant && signature != nullptr && signature->size() == dims->size();
  Shape shape;
  if (dims->size() > limits.rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", dims->size(), " dimensions, at most ", limits.rank, " are allowed"));
  }
  int64_t count = 1;
  for (flatbuffers::uoffset_t d = 0; d < dims->size(); ++d) {
    int64_t dim = dims->Get(d);
    if (has_signature && signature->Get(d) == -1) dim = graph::kUnknownDim;
    if (dim < 0 && (dim != graph::kUnknownDim || is_constant)) {
      return absl::InvalidArgumentError(absl::StrCat("has the dimension ", dim));
    }
    shape.push_back(dim);
    if (dim > 0 && dim > limits.tensor_elements / count) {
      return absl::InvalidArgumentError(absl::StrCat("has the shape ", graph::ShapeText(shape),
                                                     " and more, at most ", limits.tensor_elements,
                                                     " elements are allowed"));
    }
    if (dim > 0) count *= dim;
  }
  return shape;
}

std::pair<int64_t, int64_t> RangeOf(DataType type) {
  switch (type) {
    case DataType::kInt8: return {-128, 127};
    case DataType::kUint8: return {0, 255};
    default: return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
  }
}

// Nothing where the tensor has no scale: older converters note ranges only.
absl::StatusOr<std::optional<Quantization>> ReadQuantization(const schema::Tensor& tensor,
                                                             const TensorInfo& info) {
  const schema::QuantizationParameters* parameters = tensor.quantization();
  if (parameters == nullptr) return std::nullopt;
  if (parameters->details_type() != schema::QuantizationDetails::NONE) {
    return absl::UnimplementedError("custom quantization");
  }
  const size_t count = parameters->scale() == nullptr ? 0 : parameters->scale()->size();
  if (count == 0 || graph::IsFloatingPoint(info.type)) return std::nullopt;
  if (info.type == DataType::kInt16) return absl::UnimplementedError("16-bit quantization");
  if (info.type != DataType::kInt8 && info.type != DataType::kUint8 &&
      info.type != DataType::kInt32) {
    return std::nullopt;
  }
  Quantization how;
  const size_t zeros = parameters->zero_point() == nullptr ? 0 : parameters->zero_point()->size();
  if (zeros > 1 && zeros != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", count, " scales and ", zeros, " zero points"));
  }
  const auto [low, high] = RangeOf(info.type);
  for (size_t i = 0; i < count; ++i) {
    const auto at = static_cast<flatbuffers::uoffset_t>(i);
    const float scale = parameters->scale()->Get(at);
    const int64_t zero = zeros == 0 ? 0 : parameters->zero_point()->Get(zeros == 1 ? 0 : at);
    if (!std::isfinite(scale) || scale < 0.0f || (scale == 0.0f && !info.is_constant)) {
      return absl::InvalidArgumentError(
          absl::StrCat("has the scale ", scale, ", wanted a finite one above 0"));
    }
    if (zero < low || zero > high) {
      return absl::InvalidArgumentError(
          absl::StrCat("has the zero point ", zero, ", wanted ", low, " to ", high));
    }
    how.scale.push_back(scale);
    how.zero_point.push_back(static_cast<int32_t>(zero));
  }
  if (count == 1) return how;
  const int axis = parameters->quantized_dimension();
  if (!info.shape || axis < 0 || static_cast<size_t>(axis) >= info.shape->size() ||
      (*info.shape)[static_cast<size_t>(axis)] != static_cast<int64_t>(count)) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", count, " scales along dimension ", axis, " of the shape ",
                     info.shape ? graph::ShapeText(*info.shape) : "?"));
  }
  if (!info.is_constant) return absl::UnimplementedError("an activation with several scales");
  how.axis = axis;
  return how;
}

absl::StatusOr<TensorInfo> Read(const ModelFile& file, const schema::Tensor& tensor,
                                const graph::ImportLimits& limits) {
  TensorInfo info;
  if (tensor.name() != nullptr) info.name = tensor.name()->str();
  const std::optional<DataType> type = ElementTypeOf(tensor.type());
  if (!type)
    return absl::UnimplementedError(absl::StrCat("element type ", TypeText(tensor.type())));
  info.type = *type;
  info.is_variable = tensor.is_variable();
  if (tensor.sparsity() != nullptr) return absl::UnimplementedError("sparse storage");
  ASSIGN_OR_RETURN(info.data, file.Buffer(tensor.buffer()));
  info.is_constant = !info.data.empty();
  ASSIGN_OR_RETURN(info.shape, ReadShape(tensor, info.is_constant, limits));
  if (info.is_constant) {
    const auto count = static_cast<size_t>(*graph::KnownCount(*info.shape));
    const size_t wanted = count * graph::ElementSize(info.type);
    if (info.data.size() != wanted) {
      return absl::InvalidArgumentError(
          absl::StrCat("holds ", info.data.size(), " bytes, ", graph::TypeText(info.type), " ",
                       graph::ShapeText(*info.shape), " wants ", wanted));
    }
  }
  ASSIGN_OR_RETURN(info.quantization, ReadQuantization(tensor, info));
  return info;
}

}  // namespace

std::optional<DataType> ElementTypeOf(schema::TensorType type) {
  switch (type) {
    case schema::TensorType::FLOAT32: return DataType::kFloat32;
    case schema::TensorType::FLOAT16: return DataType::kFloat16;
    case schema::TensorType::INT32: return DataType::kInt32;
    case schema::TensorType::UINT8: return DataType::kUint8;
    case schema::TensorType::INT64: return DataType::kInt64;
    case schema::TensorType::BOOL: return DataType::kBool;
    case schema::TensorType::INT16: return DataType::kInt16;
    case schema::TensorType::INT8: return DataType::kInt8;
    case schema::TensorType::FLOAT64: return DataType::kFloat64;
    case schema::TensorType::UINT64: return DataType::kUint64;
    case schema::TensorType::UINT32: return DataType::kUint32;
    case schema::TensorType::UINT16: return DataType::kUint16;
    default: return std::nullopt;
  }
}

std::string TensorText(const ModelFile& file, int index) {
  std::string text = absl::StrCat("tensor ", index);
  if (index < 0 || static_cast<size_t>(index) >= file.tensor_count()) return text;
  const auto* name = file.main().tensors()->Get(static_cast<flatbuffers::uoffset_t>(index))->name();
  if (name != nullptr) absl::StrAppend(&text, " ", graph::Quoted({name->c_str(), name->size()}));
  return text;
}

absl::StatusOr<TensorInfo> ReadTensor(const ModelFile& file, int index,
                                      const graph::ImportLimits& limits) {
  if (index < 0 || static_cast<size_t>(index) >= file.tensor_count()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor ", index, " is not there, the model has ", file.tensor_count(), " of them"));
  }
  const schema::Tensor& tensor =
      *file.main().tensors()->Get(static_cast<flatbuffers::uoffset_t>(index));
  absl::StatusOr<TensorInfo> info = Read(file, tensor, limits);
  if (info.ok()) return info;
  return absl::Status(info.status().code(),
                      absl::StrCat(TensorText(file, index), " ", info.status().message()));
}

graph::TensorPtr TensorInfo::Constant(const std::vector<int64_t>& permutation) const {
  if (type == DataType::kBool) {  // never permuted: no weights
    std::vector<uint8_t> flags;
    for (std::byte flag : data) flags.push_back(flag != std::byte{0});
    return graph::Tensor::Of(type, *shape, flags);
  }
  if (permutation.empty()) return graph::Tensor::Copy(type, *shape, data);
  const size_t rank = shape->size(), size = graph::ElementSize(type);
  Shape dims(rank);
  std::vector<size_t> strides(rank, size);  // of the file's dimensions, in bytes
  for (size_t d = rank; d-- > 1;) strides[d - 1] = strides[d] * static_cast<size_t>((*shape)[d]);
  std::vector<size_t> steps(rank);
  for (size_t d = 0; d < rank; ++d) {
    dims[d] = (*shape)[static_cast<size_t>(permutation[d])];
    steps[d] = strides[static_cast<size_t>(permutation[d])];
  }
  std::vector<std::byte> bytes(data.size());
  std::vector<int64_t> at(rank, 0);
  size_t from = 0;
  for (size_t to = 0; to < bytes.size(); to += size) {
    std::memcpy(bytes.data() + to, data.data() + from, size);
    for (size_t d = rank; d-- > 0;) {
      from += steps[d];
      if (++at[d] < dims[d]) break;
      from -= steps[d] * static_cast<size_t>(dims[d]);
      at[d] = 0;
    }
  }
  return graph::Tensor::Copy(type, dims, bytes);
}

}  // namespace fourfold::tflite
