#include "server/store/staging.h"

#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/log.h"
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
  const absl::Status removed = base::RemoveTree(directory_);
  if (!removed.ok()) base::LogError("store.staging_left", {{"error", removed}});
  release_();
}

std::optional<std::string> Staging::samples_directory(SampleSet set) const {
  if (samples(set) == 0) return std::nullopt;
  return directory_ + (set == SampleSet::kCalibration ? "/calibration" : "/evaluation");
}

int64_t Staging::samples(SampleSet set) const { return writer(set).count(); }

absl::Status Staging::Take(int64_t bytes) {
  if (bytes > limits_.upload_bytes_max - bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("upload of ", model_, ": more than ", limits_.upload_bytes_max,
                     " bytes, the limit --max_upload_bytes of this server"));
  }
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
  for (const SampleSet set : {SampleSet::kCalibration, SampleSet::kEvaluation}) {
    if (samples(set) > 0) RETURN_IF_ERROR(writer(set).Seal());
  }
  return files_.MakeDirectory(output_directory());
}

}  // namespace fourfold::store
