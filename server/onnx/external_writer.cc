#include "server/onnx/external_writer.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace fourfold::onnx {
namespace {

// What the ONNX specification asks for, so that tensors can be mapped one by one.
constexpr size_t kPageBytes = 4096;
constexpr std::array<std::byte, kPageBytes> kZeros = {};

void AddEntry(const char* key, std::string value, ::onnx::TensorProto& proto) {
  ::onnx::StringStringEntryProto& entry = *proto.add_external_data();
  entry.set_key(key);
  entry.set_value(std::move(value));
}

}  // namespace

absl::Status ExternalWriter::Write(const graph::Tensor& tensor, ::onnx::TensorProto& proto) {
  if (const size_t past = bytes_ % kPageBytes; past != 0) {
    const size_t padding = kPageBytes - past;
    RETURN_IF_ERROR(options_.append_data(std::span(kZeros).first(padding)));
    bytes_ += padding;
  }
  proto.set_data_location(::onnx::TensorProto::EXTERNAL);
  AddEntry("location", options_.data_location, proto);
  AddEntry("offset", absl::StrCat(bytes_), proto);
  AddEntry("length", absl::StrCat(tensor.bytes()), proto);
  RETURN_IF_ERROR(
      options_.append_data({static_cast<const std::byte*>(tensor.data()), tensor.bytes()}));
  bytes_ += tensor.bytes();
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
