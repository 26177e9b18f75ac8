#include "client/datatype.h"

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace fourfold::client {
namespace {

struct Row {
  samples::DType dtype;
  const char* name;
};

constexpr std::array kRows = {
    Row{samples::DType::kBool, "BOOL"},     Row{samples::DType::kFloat16, "FP16"},
    Row{samples::DType::kFloat32, "FP32"},  Row{samples::DType::kFloat64, "FP64"},
    Row{samples::DType::kInt8, "INT8"},     Row{samples::DType::kInt16, "INT16"},
    Row{samples::DType::kInt32, "INT32"},   Row{samples::DType::kInt64, "INT64"},
    Row{samples::DType::kUint8, "UINT8"},   Row{samples::DType::kUint16, "UINT16"},
    Row{samples::DType::kUint32, "UINT32"}, Row{samples::DType::kUint64, "UINT64"},
};

}  // namespace

const char* DatatypeName(samples::DType dtype) {
  for (const Row& row : kRows) {
    if (row.dtype == dtype) return row.name;
  }
  return "";  // not reached: the table has all
}

absl::StatusOr<samples::DType> ParseDatatype(const std::string& name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  if (name == "BYTES" || name == "BF16") {
    return absl::UnimplementedError(absl::StrCat("tensors of ", name, " have no .npy form"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name, "\" is not a datatype, wanted FP32, INT64, UINT8, ..."));
}

}  // namespace fourfold::client
