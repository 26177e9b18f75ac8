#include "server/rpc/datatype.h"

#include <array>

namespace fourfold::rpc {
namespace {

using graph::DataType;

struct Row {
  DataType type;
  absl::string_view name;
  absl::string_view descr;  // empty: none
};

constexpr std::array kRows = {
    Row{DataType::kFloat32, "FP32", "<f4"}, Row{DataType::kFloat16, "FP16", "<f2"},
    Row{DataType::kBFloat16, "BF16", ""},   Row{DataType::kFloat64, "FP64", "<f8"},
    Row{DataType::kInt8, "INT8", "|i1"},    Row{DataType::kUint8, "UINT8", "|u1"},
    Row{DataType::kInt16, "INT16", "<i2"},  Row{DataType::kUint16, "UINT16", "<u2"},
    Row{DataType::kInt32, "INT32", "<i4"},  Row{DataType::kUint32, "UINT32", "<u4"},
    Row{DataType::kInt64, "INT64", "<i8"},  Row{DataType::kUint64, "UINT64", "<u8"},
    Row{DataType::kBool, "BOOL", "|b1"},
};

}  // namespace

absl::string_view DatatypeName(DataType type) {
  for (const Row& row : kRows) {
    if (row.type == type) return row.name;
  }
  return "";
}

std::optional<DataType> DatatypeNamed(absl::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

std::optional<absl::string_view> NumpyDescr(DataType type) {
  for (const Row& row : kRows) {
    if (row.type == type && !row.descr.empty()) return row.descr;
  }
  return std::nullopt;
}

std::optional<int64_t> CheckedCount(const graph::Shape& shape) {
  int64_t count = 1;
  for (const int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count)) return std::nullopt;
  }
  return count;
}

std::optional<int64_t> CheckedBytes(DataType type, const graph::Shape& shape) {
  const std::optional<int64_t> count = CheckedCount(shape);
  int64_t bytes = 0;
  if (!count ||
      __builtin_mul_overflow(*count, static_cast<int64_t>(graph::ElementSize(type)), &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

}  // namespace fourfold::rpc
