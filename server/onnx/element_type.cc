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

constexpr std::pair<int32_t, const char*> kYoungTypes[] = {
    {17, "FLOAT8E4M3FN"},  {18, "FLOAT8E4M3FNUZ"}, {19, "FLOAT8E5M2"}, {20, "FLOAT8E5M2FNUZ"},
    {kOnnxUint4, "UINT4"}, {kOnnxInt4, "INT4"},    {23, "FLOAT4E2M1"},
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
  for (const auto& [number, name] : kYoungTypes) {
    if (number == onnx_type) return name;
  }
  return absl::StrCat("number ", onnx_type);
}

}  // namespace fourfold::onnx
