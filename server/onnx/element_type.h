#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/graph/tensor.h"

namespace fourfold::onnx {

// Our element type for a number of onnx::TensorProto::DataType; nothing for those we lack (strings,
// complex numbers, 8-bit floats, 4-bit integers).
std::optional<graph::DataType> ElementTypeOf(int32_t onnx_type);

int32_t OnnxElementType(graph::DataType type);

// "STRING", "FLOAT8E4M3FN (17)", ...: for messages about types we lack.
std::string OnnxTypeText(int32_t onnx_type);

// Types that are younger than the messages that libonnx-dev installs.
inline constexpr int32_t kOnnxUint4 = 21;
inline constexpr int32_t kOnnxInt4 = 22;

inline bool IsFourBits(int32_t onnx_type) {
  return onnx_type == kOnnxUint4 || onnx_type == kOnnxInt4;
}

}  // namespace fourfold::onnx
