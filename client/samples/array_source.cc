#include "client/samples/array_source.h"

#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/samples/npy.h"
#include "client/samples/npz.h"
#include "nlohmann/json.hpp"

namespace fourfold::samples {
namespace {

constexpr size_t kSamplesFileBytesMax = 1 << 20;

class ArraySource final : public SampleSource {
 public:
  ArraySource(std::vector<SampleInput> inputs, std::vector<Array> arrays,
              std::optional<std::vector<int64_t>> labels)
      : inputs_(std::move(inputs)), arrays_(std::move(arrays)), labels_(std::move(labels)) {}

  int64_t size() const override { return arrays_[0].dims[0]; }
  const std::vector<SampleInput>& inputs() const override { return inputs_; }
  const std::optional<std::vector<int64_t>>& labels() const override { return labels_; }

  absl::StatusOr<Sample> Read(int64_t index) const override {
    if (index < 0 || index >= size()) {
      return absl::OutOfRangeError(absl::StrCat("sample ", index, " of ", size()));
    }
    Sample sample;
    for (size_t i = 0; i < arrays_.size(); ++i) {
      const std::span<const std::byte> data = arrays_[i].bytes.data;
      const size_t bytes = data.size() / static_cast<size_t>(size());
      sample.inputs.push_back(data.subspan(static_cast<size_t>(index) * bytes, bytes));
      absl::Status status = CheckFinite(inputs_[i], sample.inputs.back(), index);
      if (!status.ok()) return status;
    }
    return sample;
  }

 private:
  const std::vector<SampleInput> inputs_;
  const std::vector<Array> arrays_;  // as inputs_, each with the sample axis in front
  const std::optional<std::vector<int64_t>> labels_;
};

template <typename T>
bool AppendLabels(std::span<const std::byte> data, std::vector<int64_t>& labels) {
  for (size_t i = 0; i < data.size() / sizeof(T); ++i) {
    T value;
    std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
    if (!std::in_range<int64_t>(value) || std::cmp_less(value, 0)) return false;
    labels.push_back(static_cast<int64_t>(value));
  }
  return true;
}

bool AppendLabels(const Array& array, std::vector<int64_t>& labels) {
  const std::span<const std::byte> data = array.bytes.data;
  switch (array.dtype) {
    case DType::kInt8: return AppendLabels<int8_t>(data, labels);
    case DType::kInt16: return AppendLabels<int16_t>(data, labels);
    case DType::kInt32: return AppendLabels<int32_t>(data, labels);
    case DType::kInt64: return AppendLabels<int64_t>(data, labels);
    case DType::kUint8: return AppendLabels<uint8_t>(data, labels);
    case DType::kUint16: return AppendLabels<uint16_t>(data, labels);
    case DType::kUint32: return AppendLabels<uint32_t>(data, labels);
    case DType::kUint64: return AppendLabels<uint64_t>(data, labels);
    default: return false;
  }
}

absl::StatusOr<std::vector<int64_t>> ReadLabels(const Array& array, int64_t samples,
                                                const std::string& path) {
  const bool column = array.dims.size() == 2 && array.dims[1] == 1;
  if (!IsInteger(array.dtype) || (array.dims.size() != 1 && !column) || array.dims[0] != samples) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": labels are ", DescribeArray(array),
                                                   ", wanted integers [", samples,
                                                   "], one per sample"));
  }
  std::vector<int64_t> labels;
  labels.reserve(static_cast<size_t>(samples));
  if (!AppendLabels(array, labels)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": label ", labels.size(), " is out of range, wanted classes from 0 to 2^63-1"));
  }
  return labels;
}

// Checks that the arrays are samples of one set, and makes the source of them.
absl::StatusOr<std::unique_ptr<SampleSource>> MakeSource(std::vector<NamedArray> named,
                                                         const std::optional<Array>& label_array,
                                                         const std::string& path,
                                                         const SourceOptions& options) {
  if (!options.labels_path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": a file of labels goes with a folder of pictures; here, wanted an array '", kLabels,
        "'"));
  }
  if (named.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds no arrays named like a model's inputs"));
  }
  std::vector<SampleInput> inputs;
  std::vector<Array> arrays;
  for (NamedArray& entry : named) {
    const std::vector<int64_t>& dims = entry.array.dims;
    const std::string what =
        absl::StrCat(path, ": array '", entry.name, "' is ", DescribeArray(entry.array));
    if (dims.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(what, ", wanted samples on its first axis"));
    }
    if (entry.array.bytes.data.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(what, ", wanted at least one element"));
    }
    if (!arrays.empty() && dims[0] != arrays[0].dims[0]) {
      return absl::InvalidArgumentError(absl::StrCat(what, ", wanted ", arrays[0].dims[0],
                                                     " samples like array '", inputs[0].name, "'"));
    }
    if (dims[0] > options.max_samples) {
      return absl::ResourceExhaustedError(
          absl::StrCat(what, ", the limit is ", options.max_samples, " samples"));
    }
    inputs.push_back({entry.name, entry.array.dtype, {dims.begin() + 1, dims.end()}});
    arrays.push_back(std::move(entry.array));
  }
  std::optional<std::vector<int64_t>> labels;
  if (label_array.has_value()) {
    absl::StatusOr<std::vector<int64_t>> read = ReadLabels(*label_array, arrays[0].dims[0], path);
    if (!read.ok()) return read.status();
    labels = *std::move(read);
  }
  return std::make_unique<ArraySource>(std::move(inputs), std::move(arrays), std::move(labels));
}

absl::StatusOr<nlohmann::json> ReadJson(const std::string& path) {
  const absl::StatusOr<SharedBytes> file = MapFile(path);
  if (!file.ok()) return file.status();
  if (file->data.size() > kSamplesFileBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat(
        path, " has ", file->data.size(), " bytes, the limit is ", kSamplesFileBytesMax));
  }
  const char* const text = reinterpret_cast<const char*>(file->data.data());
  nlohmann::json json = nlohmann::json::parse(text, text + file->data.size(), nullptr,
                                              /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
  }
  return json;
}

// The array in the file that `name` names; only files of the folder itself are read.
absl::StatusOr<Array> ReadListed(const std::string& folder, const nlohmann::json& name) {
  const std::string* const file = name.get_ptr<const std::string*>();
  if (file == nullptr || file->empty() || file->find('/') != std::string::npos ||
      file->find('\0') != std::string::npos || (*file)[0] == '.') {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, "/", kSamplesFile, ": wanted the plain name of a file beside it, got ",
                     name.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  }
  return ReadNpyFile(absl::StrCat(folder, "/", *file));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SampleSource>> OpenNpz(const std::string& path,
                                                      const SourceOptions& options) {
  NpzOptions limits;
  limits.max_bytes = options.max_bytes;
  absl::StatusOr<std::vector<NamedArray>> members = ReadNpz(path, limits);
  if (!members.ok()) return members.status();
  std::vector<NamedArray> inputs;
  std::optional<Array> labels;
  for (NamedArray& member : *members) {
    if (member.name == kLabels) {
      labels = std::move(member.array);
    } else {
      inputs.push_back(std::move(member));
    }
  }
  return MakeSource(std::move(inputs), labels, path, options);
}

absl::StatusOr<std::unique_ptr<SampleSource>> OpenSamplesFolder(const std::string& path,
                                                                const SourceOptions& options) {
  const std::string list = absl::StrCat(path, "/", kSamplesFile);
  const absl::StatusOr<nlohmann::json> json = ReadJson(list);
  if (!json.ok()) return json.status();
  const auto inputs = json->find("inputs");
  if (inputs == json->end() || !inputs->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(list, ": wanted an array 'inputs'"));
  }
  std::vector<NamedArray> arrays;
  std::set<std::string> names;
  for (const nlohmann::json& input : *inputs) {
    if (!input.is_object() || !input.contains("name") || !input["name"].is_string() ||
        !input.contains("file") || !names.insert(input["name"].get<std::string>()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(list, ": wanted in each of 'inputs' a 'name' of its own and a 'file'"));
    }
    absl::StatusOr<Array> array = ReadListed(path, input["file"]);
    if (!array.ok()) return array.status();
    arrays.push_back({input["name"].get<std::string>(), *std::move(array)});
  }
  std::optional<Array> labels;
  if (const auto file = json->find("labels"); file != json->end() && !file->is_null()) {
    absl::StatusOr<Array> array = ReadListed(path, *file);
    if (!array.ok()) return array.status();
    labels = *std::move(array);
  }
  return MakeSource(std::move(arrays), labels, path, options);
}

}  // namespace fourfold::samples
