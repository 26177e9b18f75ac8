#include "server/onnx/element_type.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "onnx/onnx.pb.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using ::onnx::TensorProto;

constexpr std::pair<int32_t, DataType> kElementTypes[] = {
    {TensorProto::FLOAT, DataType::kFloat32},     {TensorProto::FLOAT16, DataType::kFloat16},
    {TensorProto::BFLOAT16, DataType::kBFloat16}, {TensorProto::DOUBLE, DataType::kFloat64},
    {TensorProto::INT8, DataType::kInt8},         {TensorProto::UINT8, DataType::kUint8},
    {TensorProto::INT16, DataType::kInt16},       {TensorProto::UINT16, DataType::kUint16},
    {TensorProto::INT32, DataType::kInt32},       {TensorProto::UINT32, DataType::kUint32},
    {TensorProto::INT64, DataType::kInt64},       {TensorProto::UINT64, DataType::kUint64},
    {TensorProto::BOOL, DataType::kBool},
};

}  // namespace

std::optional<DataType> ElementTypeOf(int32_t onnx_type) {
  for (const auto& [number, type] : kElementTypes) {
    if (number == onnx_type) return type;
  }
  return std::nullopt;
}

int32_t OnnxElementType(DataType type) {
  for (const auto& [number, ours] : kElementTypes) {
    if (ours == type) return number;
  }
  return TensorProto::UNDEFINED;
}

std::string OnnxTypeText(int32_t onnx_type) {
  if (TensorProto::DataType_IsValid(onnx_type)) {
    return TensorProto::DataType_Name(static_cast<TensorProto::DataType>(onnx_type));
  }
  return absl::StrCat("number ", onnx_type);
}

}  // namespace fourfold::onnx
