#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "server/graph/tensor.h"

namespace fourfold::rpc {

// The Open Inference Protocol's name: "FP32", "INT64", ...
absl::string_view DatatypeName(graph::DataType type);

// Nothing for BYTES and for what the protocol does not know.
std::optional<graph::DataType> DatatypeNamed(absl::string_view name);

// NumPy's element type, "<f4"; nothing where NumPy has none (BF16).
std::optional<absl::string_view> NumpyDescr(graph::DataType type);

// Elements of a shape, or bytes of a tensor; nothing if a dimension is negative or the product
// overflows.
std::optional<int64_t> CheckedCount(const graph::Shape& shape);
std::optional<int64_t> CheckedBytes(graph::DataType type, const graph::Shape& shape);

}  // namespace fourfold::rpc
