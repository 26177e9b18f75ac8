#include "server/onnx/external_tensors.h"

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/names.h"

namespace fourfold::onnx {
namespace {

// The entries of TensorProto.external_data that mean something here ("checksum" does not).
struct Place {
  std::string location;
  size_t offset = 0;
  std::optional<size_t> length;
};

absl::StatusOr<size_t> ParseBytes(const std::string& key, const std::string& text) {
  uint64_t value = 0;
  if (text.empty() || text[0] == '-' || text[0] == '+' || !absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(absl::StrCat("its external data has the ", key, " ",
                                                   Quoted(text), ", wanted a number of bytes"));
  }
  return size_t{value};
}

absl::StatusOr<Place> ReadPlace(const ::onnx::TensorProto& tensor) {
  std::map<std::string, const std::string*> entries;
  for (const auto& entry : tensor.external_data()) {
    if (!entries.try_emplace(entry.key(), &entry.value()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("its external data states ", Quoted(entry.key()), " twice"));
    }
  }
  Place place;
  if (const auto location = entries.find("location"); location != entries.end()) {
    place.location = *location->second;
  }
  if (place.location.empty()) {
    return absl::InvalidArgumentError("its external data states no location");
  }
  if (const auto offset = entries.find("offset"); offset != entries.end()) {
    ASSIGN_OR_RETURN(place.offset, ParseBytes("offset", *offset->second));
  }
  if (const auto length = entries.find("length"); length != entries.end()) {
    ASSIGN_OR_RETURN(place.length, ParseBytes("length", *length->second));
  }
  return place;
}

// Whether [first, end) is free or exactly one that is taken; takes it.
bool TakeRange(std::map<size_t, size_t>& ranges, size_t first, size_t end) {
  const auto next = ranges.lower_bound(first);
  if (next != ranges.end() && next->first == first && next->second == end) return true;
  if (next != ranges.end() && next->first < end) return false;
  if (next != ranges.begin() && std::prev(next)->second > first) return false;
  ranges.emplace_hint(next, first, end);
  return true;
}

}  // namespace

absl::StatusOr<ExternalTensors::OpenFile*> ExternalTensors::Open(const std::string& location) {
  if (files_ == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "keeps its data in another file, ", Quoted(location), ", and only the model is here"));
  }
  if (const auto known = open_.find(location); known != open_.end()) return &known->second;
  ASSIGN_OR_RETURN(ExternalFile file, files_->Open(location));
  return &open_.emplace(location, OpenFile{std::move(file), {}}).first->second;
}

absl::StatusOr<ExternalFile> ExternalTensors::Find(const ::onnx::TensorProto& tensor,
                                                   size_t wanted) {
  ASSIGN_OR_RETURN(const Place place, ReadPlace(tensor));
  ASSIGN_OR_RETURN(OpenFile* const open, Open(place.location));
  if (place.length && *place.length != wanted) {
    return absl::InvalidArgumentError(absl::StrCat("its external data has ", *place.length,
                                                   " bytes, its type and shape want ", wanted));
  }
  const std::span<const std::byte> bytes = open->file.bytes;
  if (place.offset > bytes.size() || wanted > bytes.size() - place.offset) {
    return absl::InvalidArgumentError(absl::StrCat("wants ", wanted, " bytes from byte ",
                                                   place.offset, " of ", Quoted(place.location),
                                                   ", which has ", bytes.size(), " bytes"));
  }
  if (wanted > bytes_max_ - bytes_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "takes the tensors in external data to more than ", bytes_max_, " bytes, the limit"));
  }
  bytes_ += wanted;
  if (wanted > 0 && !TakeRange(open->ranges, place.offset, place.offset + wanted)) {
    return absl::InvalidArgumentError(
        absl::StrCat("its bytes ", place.offset, " to ", place.offset + wanted, " of ",
                     Quoted(place.location), " overlap with those of another tensor"));
  }
  return ExternalFile{open->file.owner, bytes.subspan(place.offset, wanted)};
}

}  // namespace fourfold::onnx
