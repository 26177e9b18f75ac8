#include "client/external_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <unordered_set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"
#include "google/protobuf/wire_format_lite.h"

namespace fourfold::client {
namespace {

namespace fs = std::filesystem;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr size_t kFilesMax = 10'000;  // as many as the server takes
constexpr int kDeepest = 50;          // messages in messages

// The messages of onnx.proto that lead to tensors.
enum class Message : uint8_t {
  kOther,
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparseTensor,
  kTraining,
  kFunction,
};

struct Field {
  Message outer;
  int number;
  Message inner;
};

constexpr std::array kFields = {
    Field{Message::kModel, 7, Message::kGraph},
    Field{Message::kModel, 20, Message::kTraining},
    Field{Message::kModel, 25, Message::kFunction},
    Field{Message::kGraph, 1, Message::kNode},
    Field{Message::kGraph, 5, Message::kTensor},
    Field{Message::kGraph, 15, Message::kSparseTensor},
    Field{Message::kNode, 5, Message::kAttribute},
    Field{Message::kAttribute, 5, Message::kTensor},
    Field{Message::kAttribute, 6, Message::kGraph},
    Field{Message::kAttribute, 10, Message::kTensor},
    Field{Message::kAttribute, 11, Message::kGraph},
    Field{Message::kAttribute, 22, Message::kSparseTensor},
    Field{Message::kAttribute, 23, Message::kSparseTensor},
    Field{Message::kSparseTensor, 1, Message::kTensor},
    Field{Message::kSparseTensor, 2, Message::kTensor},
    Field{Message::kTraining, 1, Message::kGraph},
    Field{Message::kTraining, 2, Message::kGraph},
    Field{Message::kFunction, 7, Message::kNode},
};

// Fields of TensorProto and of the entries in it.
constexpr int kExternalData = 13;
constexpr int kDataLocation = 14;
constexpr uint64_t kExternal = 1;
constexpr int kKey = 1;
constexpr int kValue = 2;

Message InnerMessage(Message outer, int number) {
  const auto* const field = std::find_if(kFields.begin(), kFields.end(), [&](const Field& f) {
    return f.outer == outer && f.number == number;
  });
  return field == kFields.end() ? Message::kOther : field->inner;
}

// Gathers the locations that an encoded model names. All methods: false if it is broken.
class LocationReader {
 public:
  explicit LocationReader(CodedInputStream& stream) : stream_(stream) {}

  const std::vector<std::string>& locations() const { return locations_; }

  bool Read(Message message, int depth) {
    if (depth > kDeepest) return false;
    std::string location;  // of a tensor
    bool is_external = false;
    while (const uint32_t tag = stream_.ReadTag()) {
      const int number = WireFormatLite::GetTagFieldNumber(tag);
      const Message inner = InnerMessage(message, number);
      if (inner != Message::kOther) {
        if (!Inside(tag, [&] { return Read(inner, depth + 1); })) return false;
      } else if (message == Message::kTensor && number == kExternalData) {
        if (!Inside(tag, [&] { return ReadEntry(location); })) return false;
      } else if (message == Message::kTensor && number == kDataLocation) {
        uint64_t value = 0;
        if (!stream_.ReadVarint64(&value)) return false;
        is_external = value == kExternal;
      } else if (!WireFormatLite::SkipField(&stream_, tag)) {
        return false;
      }
    }
    if (is_external && !location.empty() && seen_.insert(location).second) {
      locations_.push_back(location);
    }
    return stream_.ConsumedEntireMessage() && locations_.size() <= kFilesMax;
  }

 private:
  template <typename Body>
  bool Inside(uint32_t tag, const Body& body) {
    int length = 0;
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED ||
        !stream_.ReadVarintSizeAsInt(&length)) {
      return false;
    }
    const CodedInputStream::Limit outer = stream_.PushLimit(length);
    const bool good = body();
    stream_.PopLimit(outer);
    return good;
  }

  // One key with its value.
  bool ReadEntry(std::string& location) {
    constexpr int kTextMax = 4096;
    std::string key;
    std::string value;
    while (const uint32_t tag = stream_.ReadTag()) {
      const int number = WireFormatLite::GetTagFieldNumber(tag);
      if (number != kKey && number != kValue) {
        if (!WireFormatLite::SkipField(&stream_, tag)) return false;
        continue;
      }
      int length = 0;
      if (!stream_.ReadVarintSizeAsInt(&length) || length > kTextMax ||
          !stream_.ReadString(number == kKey ? &key : &value, length)) {
        return false;
      }
    }
    if (key == "location") location = value;
    return stream_.ConsumedEntireMessage();
  }

  CodedInputStream& stream_;
  std::vector<std::string> locations_;
  std::unordered_set<std::string> seen_;
};

absl::StatusOr<std::vector<std::string>> ReadLocations(const std::string& model_path) {
  const int fd = open(model_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", model_path));
  google::protobuf::io::FileInputStream file(fd);
  file.SetCloseOnDelete(true);
  CodedInputStream stream(&file);
  LocationReader reader(stream);
  if (reader.Read(Message::kModel, 0)) return reader.locations();
  if (reader.locations().size() > kFilesMax) {
    return absl::ResourceExhaustedError(absl::StrCat(
        model_path, " keeps its weights in more than ", kFilesMax,
        " files; save it with one file beside it (onnx.save_model, all_tensors_to_one_file)"));
  }
  return std::vector<std::string>();
}

absl::StatusOr<ExternalFile> Locate(const fs::path& folder, const std::string& location) {
  const std::string shown = absl::CHexEscape(absl::string_view(location).substr(0, 256));
  const std::vector<absl::string_view> parts = absl::StrSplit(location, '/');
  if (location[0] == '/' || std::find(parts.begin(), parts.end(), "..") != parts.end() ||
      location.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("the model keeps weights in \"", shown,
                                                   "\", wanted a file below the model's folder"));
  }
  std::error_code error;
  const fs::path path = fs::canonical(folder / location, error);
  if (error) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("the model keeps weights in \"", shown,
                                                           "\", which cannot be opened beside it"));
  }
  const fs::path inside = path.lexically_relative(folder);
  if (inside.empty() || *inside.begin() == "..") {
    return absl::InvalidArgumentError(absl::StrCat("the model keeps weights in \"", shown,
                                                   "\", a link to ", path.string(),
                                                   ", wanted a file below the model's folder"));
  }
  if (!fs::is_regular_file(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model keeps weights in \"", shown, "\", which is not a file"));
  }
  const auto bytes = fs::file_size(path, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot read ", shown));
  return ExternalFile{location, path.string(), static_cast<int64_t>(bytes)};
}

}  // namespace

absl::StatusOr<std::vector<ExternalFile>> FindExternalFiles(const std::string& model_path) {
  const absl::StatusOr<std::vector<std::string>> locations = ReadLocations(model_path);
  if (!locations.ok()) return locations.status();
  std::vector<ExternalFile> files;
  if (locations->empty()) return files;
  std::error_code error;
  const fs::path parent = fs::path(model_path).parent_path();
  const fs::path folder = fs::canonical(parent.empty() ? "." : parent, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot open ", model_path));
  for (const std::string& location : *locations) {
    absl::StatusOr<ExternalFile> file = Locate(folder, location);
    if (!file.ok()) return file.status();
    files.push_back(*std::move(file));
  }
  return files;
}

}  // namespace fourfold::client
