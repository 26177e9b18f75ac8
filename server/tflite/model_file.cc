#include "server/tflite/model_file.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/names.h"
#include "server/tflite/import.h"

namespace fourfold::tflite {
namespace {

constexpr size_t kIdentifierEnd = 8;  // root offset, "TFL3"
constexpr uint32_t kVersion = 3;

// Tables that a model within the limits can have: tensors with their quantization, operators with
// their options, operator codes, buffers.
uint32_t MaxTables(const graph::ImportLimits& limits) {
  constexpr size_t kMost = 1u << 30;
  return static_cast<uint32_t>(std::min(kMost, 1000 + 5 * limits.values + 4 * limits.nodes));
}

absl::Status CheckCount(size_t count, size_t limit, const char* what) {
  if (count <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the model has ", count, " ", what, ", at most ", limit, " are allowed"));
}

}  // namespace

bool IsModel(std::span<const std::byte> file) {
  return file.size() >= kIdentifierEnd &&
         std::memcmp(file.data() + sizeof(flatbuffers::uoffset_t), schema::ModelIdentifier(),
                     flatbuffers::FlatBufferBuilder::kFileIdentifierLength) == 0;
}

absl::StatusOr<ModelFile> ModelFile::Open(std::span<const std::byte> file,
                                          const graph::ImportLimits& limits) {
  if (file.size() > limits.file_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the model has ", file.size(), " bytes, at most ", limits.file_bytes, " are allowed"));
  }
  if (!IsModel(file)) {
    return absl::InvalidArgumentError(
        "not a TensorFlow Lite model: the bytes 4 to 7 are not \"TFL3\"");
  }
  ModelFile result(file);
  if (reinterpret_cast<uintptr_t>(file.data()) % alignof(uint64_t) != 0) {
    result.aligned_.resize((file.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t));
    std::memcpy(result.aligned_.data(), file.data(), file.size());
    result.file_ = std::as_bytes(std::span(result.aligned_)).first(file.size());
  }
  // Tables lie in the first 2 GiB of a larger file, data of buffers may lie behind them.
  constexpr size_t kMostTables = FLATBUFFERS_MAX_BUFFER_SIZE - 1;
  constexpr uint32_t kDepth = 16;  // of tables in tables: a model's have 4
  const auto* bytes = reinterpret_cast<const uint8_t*>(result.file_.data());
  flatbuffers::Verifier verifier(bytes, std::min(file.size(), kMostTables), kDepth,
                                 MaxTables(limits));
  if (!schema::VerifyModelBuffer(verifier)) {
    return absl::InvalidArgumentError(
        "the TensorFlow Lite model is truncated or damaged: an offset in it leads outside, or it "
        "has more tables than are allowed");
  }
  result.model_ = schema::GetModel(bytes);
  if (result.model_->version() != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat("the TensorFlow Lite model has version ",
                                                   result.model_->version(), ", ", kVersion,
                                                   " is wanted"));
  }
  if (result.model_->subgraphs() == nullptr || result.model_->subgraphs()->size() == 0) {
    return absl::InvalidArgumentError("the TensorFlow Lite model has no subgraph");
  }
  const schema::SubGraph& main = result.main();
  RETURN_IF_ERROR(CheckCount(result.tensor_count(), limits.values, "tensors"));
  RETURN_IF_ERROR(
      CheckCount(main.operators() ? main.operators()->size() : 0, limits.nodes, "operators"));
  return result;
}

absl::StatusOr<ModelFile::Code> ModelFile::CodeOf(const schema::Operator& op) const {
  const auto* codes = model_->operator_codes();
  const size_t count = codes == nullptr ? 0 : codes->size();
  if (op.opcode_index() >= count) {
    return absl::InvalidArgumentError(absl::StrCat("has the operator code ", op.opcode_index(),
                                                   ", the model has ", count, " of them"));
  }
  const schema::OperatorCode& entry = *codes->Get(op.opcode_index());
  const int number =
      std::max<int>(entry.deprecated_builtin_code(), static_cast<int>(entry.builtin_code()));
  const auto code = static_cast<schema::BuiltinOperator>(number);
  std::string name = schema::EnumNameBuiltinOperator(code);
  if (name.empty()) name = absl::StrCat("operator ", number);
  if (code == schema::BuiltinOperator::CUSTOM && entry.custom_code() != nullptr) {
    absl::StrAppend(&name, " ",
                    graph::Quoted({entry.custom_code()->c_str(), entry.custom_code()->size()}));
  }
  return Code{code, std::move(name)};
}

absl::StatusOr<std::span<const std::byte>> ModelFile::Buffer(uint32_t index) const {
  const auto* buffers = model_->buffers();
  const size_t count = buffers == nullptr ? 0 : buffers->size();
  if (index == 0 && count == 0) return std::span<const std::byte>();
  if (index >= count) {
    return absl::InvalidArgumentError(
        absl::StrCat("has the buffer ", index, ", the model has ", count, " of them"));
  }
  const schema::Buffer& buffer = *buffers->Get(index);
  if (buffer.offset() > 1) {  // 0 and 1 mean: in the table
    if (buffer.offset() > file_.size() || buffer.size() > file_.size() - buffer.offset()) {
      return absl::InvalidArgumentError(
          absl::StrCat("has its data at bytes ", buffer.offset(), " and ", buffer.size(),
                       " following ones, the file has ", file_.size()));
    }
    return file_.subspan(buffer.offset(), buffer.size());
  }
  if (buffer.data() == nullptr) return std::span<const std::byte>();
  return std::as_bytes(std::span(buffer.data()->data(), buffer.data()->size()));
}

}  // namespace fourfold::tflite
