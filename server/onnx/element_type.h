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

}  // namespace fourfold::onnx
