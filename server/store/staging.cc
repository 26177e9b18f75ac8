#include "server/store/staging.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/log.h"
#include "server/base/relative_path.h"
#include "server/base/status_macros.h"

namespace fourfold::store {

Staging::Staging(base::FileSystem& files, std::string directory, std::string model, int64_t version,
                 UploadLimits limits, std::function<void()> release)
    : files_(files),
      directory_(std::move(directory)),
      model_(std::move(model)),
      version_(version),
      limits_(limits),
      release_(std::move(release)),
      calibration_(files, directory_ + "/calibration", "calibration"),
      evaluation_(files, directory_ + "/evaluation", "evaluation") {}

Staging::~Staging() {
  model_file_.reset();
  external_file_.reset();
  const absl::Status removed = base::RemoveTree(directory_);
  if (!removed.ok()) base::LogError("store.staging_left", {{"error", removed}});
  release_();
}

std::optional<std::string> Staging::samples_directory(SampleSet set) const {
  if (samples(set) == 0) return std::nullopt;
  return directory_ + (set == SampleSet::kCalibration ? "/calibration" : "/evaluation");
}

int64_t Staging::samples(SampleSet set) const { return writer(set).count(); }

std::optional<std::string> Staging::external_listing() const {
  if (locations_.empty()) return std::nullopt;
  return external_directory() + "/files.json";
}

absl::Status Staging::Expect(int64_t bytes) const {
  if (bytes > limits_.upload_bytes_max - bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("upload of ", model_, ": more than ", limits_.upload_bytes_max,
                     " bytes, the limit --max_upload_bytes of this server"));
  }
  return absl::OkStatus();
}

absl::Status Staging::Take(int64_t bytes) {
  RETURN_IF_ERROR(Expect(bytes));
  bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status Staging::AppendModel(absl::string_view bytes) {
  RETURN_IF_ERROR(Take(static_cast<int64_t>(bytes.size())));
  if (!model_file_) {
    ASSIGN_OR_RETURN(model_file_, files_.Create(model_path()));
  }
  RETURN_IF_ERROR(model_file_->Append(bytes));
  model_bytes_ += static_cast<int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status Staging::BeginExternal(const std::string& location) {
  RETURN_IF_ERROR(base::CheckRelativePath(location));
  if (static_cast<int64_t>(locations_.size()) >= limits_.external_files_max) {
    return absl::ResourceExhaustedError(absl::StrCat("upload of ", model_, ": more than ",
                                                     limits_.external_files_max,
                                                     " files of external data, the limit"));
  }
  if (!located_.insert(location).second) {
    return absl::InvalidArgumentError(absl::StrCat("upload of ", model_, ": the file \"",
                                                   absl::CHexEscape(location), "\" came twice"));
  }
  if (locations_.empty()) RETURN_IF_ERROR(files_.MakeDirectory(external_directory()));
  ASSIGN_OR_RETURN(external_file_,
                   files_.Create(absl::StrCat(external_directory(), "/", locations_.size())));
  locations_.push_back(location);
  return absl::OkStatus();
}

absl::Status Staging::AppendExternal(absl::string_view bytes) {
  if (!external_file_) {
    return absl::InvalidArgumentError(
        absl::StrCat("upload of ", model_, ": the first bytes of external data name no file"));
  }
  RETURN_IF_ERROR(Take(static_cast<int64_t>(bytes.size())));
  RETURN_IF_ERROR(external_file_->Append(bytes));
  external_bytes_ += static_cast<int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status Staging::WriteListing() {
  using Json = nlohmann::ordered_json;
  Json files = Json::array();
  for (size_t i = 0; i < locations_.size(); ++i) {
    files.push_back({{"location", locations_[i]}, {"file", absl::StrCat(i)}});
  }
  const Json listing = {{"files", std::move(files)}};
  ASSIGN_OR_RETURN(const auto file, files_.Create(*external_listing()));
  return file->Append(listing.dump(-1, ' ', false, Json::error_handler_t::replace));
}

absl::Status Staging::AppendSamples(SampleSet set, const SampleBatch& batch) {
  if (batch.count > limits_.samples_max - calibration_.count() - evaluation_.count()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("upload of ", model_, ": more than ", limits_.samples_max,
                     " samples, the limit --max_samples of this server"));
  }
  int64_t bytes = static_cast<int64_t>(batch.labels.size() * sizeof(int64_t));
  for (const SampleTensor& tensor : batch.tensors)
    bytes += static_cast<int64_t>(tensor.bytes.size());
  RETURN_IF_ERROR(Take(bytes));
  return writer(set).Append(batch);
}

absl::Status Staging::Seal() {
  if (model_bytes_ == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "upload of ", model_, ": the model is empty, wanted the bytes of an ONNX file"));
  }
  model_file_.reset();
  external_file_.reset();
  if (!locations_.empty()) RETURN_IF_ERROR(WriteListing());
  for (const SampleSet set : {SampleSet::kCalibration, SampleSet::kEvaluation}) {
    if (samples(set) > 0) RETURN_IF_ERROR(writer(set).Seal());
  }
  return files_.MakeDirectory(output_directory());
}

}  // namespace fourfold::store
