#include "server/onnx/parse_model.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace fourfold::onnx {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr int kDeepest = 50;  // messages in messages; subgraphs in subgraphs take four each

// The messages of onnx.proto that hold further ones; kLeaf is everything else. (The file asks for
// protobuf's lite runtime, which has no descriptors to learn this from.)
enum class Message : uint8_t {
  kLeaf,
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparseTensor,
  kValueInfo,
  kType,
  kElement,
  kTensorType,
  kTraining,
  kFunction,
};

struct Field {
  Message outer;
  int number;
  Message inner;
};

constexpr Field kFields[] = {
    {Message::kModel, 7, Message::kGraph},
    {Message::kModel, 20, Message::kTraining},
    {Message::kModel, 25, Message::kFunction},
    {Message::kGraph, 1, Message::kNode},
    {Message::kGraph, 5, Message::kTensor},
    {Message::kGraph, 11, Message::kValueInfo},
    {Message::kGraph, 12, Message::kValueInfo},
    {Message::kGraph, 13, Message::kValueInfo},
    {Message::kGraph, 15, Message::kSparseTensor},
    {Message::kNode, 5, Message::kAttribute},
    {Message::kAttribute, 5, Message::kTensor},
    {Message::kAttribute, 6, Message::kGraph},
    {Message::kAttribute, 10, Message::kTensor},
    {Message::kAttribute, 11, Message::kGraph},
    {Message::kAttribute, 14, Message::kType},
    {Message::kAttribute, 15, Message::kType},
    {Message::kAttribute, 22, Message::kSparseTensor},
    {Message::kAttribute, 23, Message::kSparseTensor},
    {Message::kSparseTensor, 1, Message::kTensor},
    {Message::kSparseTensor, 2, Message::kTensor},
    {Message::kValueInfo, 2, Message::kType},
    {Message::kType, 1, Message::kTensorType},
    {Message::kType, 4, Message::kElement},
    {Message::kType, 5, Message::kElement},
    {Message::kType, 8, Message::kTensorType},
    {Message::kType, 9, Message::kElement},
    {Message::kElement, 1, Message::kType},
    {Message::kElement, 2, Message::kType},
    {Message::kTraining, 1, Message::kGraph},
    {Message::kTraining, 2, Message::kGraph},
    {Message::kFunction, 7, Message::kNode},
};

Message InnerMessage(Message outer, int number) {
  for (const Field& field : kFields) {
    if (field.outer == outer && field.number == number) return field.inner;
  }
  return Message::kLeaf;
}

// Counts messages and texts of an encoded message, without building any.
class Census {
 public:
  explicit Census(const ImportLimits& limits)
      : entries_max_(16 * (limits.nodes + limits.values)), nodes_max_(limits.nodes) {}

  // False: broken or over a limit, and `error` says how.
  bool Walk(CodedInputStream& stream, Message message, int depth) {
    if (depth > kDeepest) return Fail(absl::StrCat("messages nest deeper than ", kDeepest));
    while (const uint32_t tag = stream.ReadTag()) {
      if (!WalkField(stream, message, tag, depth)) return false;
    }
    return stream.ConsumedEntireMessage() || Fail("broken or truncated");
  }

  const std::string& error() const { return error_; }

 private:
  bool WalkField(CodedInputStream& stream, Message message, uint32_t tag, int depth) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      return WireFormatLite::SkipField(&stream, tag) || Fail("broken or truncated");
    }
    if (++entries_ > entries_max_)
      return Fail(absl::StrCat("holds more than ", entries_max_, " entries"));
    int length = 0;
    if (!stream.ReadVarintSizeAsInt(&length)) return Fail("broken or truncated");
    const Message inner = InnerMessage(message, WireFormatLite::GetTagFieldNumber(tag));
    if (inner == Message::kLeaf) return stream.Skip(length) || Fail("broken or truncated");
    if (inner == Message::kNode && ++nodes_ > nodes_max_) {
      return Fail(absl::StrCat("holds more than ", nodes_max_, " nodes"));
    }
    if (length > stream.BytesUntilLimit() && stream.BytesUntilLimit() >= 0) {
      return Fail("broken or truncated");
    }
    const CodedInputStream::Limit outer = stream.PushLimit(length);
    if (!Walk(stream, inner, depth + 1)) return false;
    stream.PopLimit(outer);
    return true;
  }

  bool Fail(std::string error) {
    if (error_.empty()) error_ = std::move(error);
    return false;
  }

  size_t entries_max_;
  size_t nodes_max_;
  size_t entries_ = 0;
  size_t nodes_ = 0;
  std::string error_;
};

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not a valid ONNX model: ", what));
}

}  // namespace

absl::Status ParseModel(std::span<const std::byte> file, const ImportLimits& limits,
                        ::onnx::ModelProto& model) {
  constexpr size_t kProtobufMax = std::numeric_limits<int>::max();
  const size_t bytes_max = std::min(limits.file_bytes, kProtobufMax);
  if (file.empty()) return Invalid("the file is empty");
  if (file.size() > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model has ", file.size(), " bytes, at most ", bytes_max, " are allowed"));
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(file.data());
  const int size = static_cast<int>(file.size());
  {
    CodedInputStream stream(bytes, size);
    const CodedInputStream::Limit whole = stream.PushLimit(size);
    Census census(limits);
    if (!census.Walk(stream, Message::kModel, 0)) return Invalid(census.error());
    stream.PopLimit(whole);
  }
  CodedInputStream stream(bytes, size);
  stream.SetRecursionLimit(2 * kDeepest);
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return Invalid("broken or truncated");
  }
  if (!model.has_graph()) return Invalid("it has no graph");
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
