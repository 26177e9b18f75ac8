#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/base/file_system.h"
#include "server/store/sample_writer.h"

namespace fourfold::store {

// What one upload may hold.
struct UploadLimits {
  int64_t upload_bytes_max = int64_t{4} << 30;  // model, its external data and samples together
  int64_t external_files_max = 10'000;          // of external data
  int64_t samples_max = 100'000;                // calibration and evaluation together
};

enum class SampleSet { kCalibration, kEvaluation };

// The directory of one upload while it is received and worked on, removed with all that is in it
// when the object goes. Holds the version number that the upload will get. Not thread-safe.
//   model.onnx  external/  calibration/  evaluation/  out/
// External data is what the model keeps in other files; the names that it gives them are no names
// of ours: they are stored as external/0, external/1, ..., and external/files.json says which is
// which: {"files": [{"location": "weights.bin", "file": "0"}]}
class Staging {
 public:
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const std::string& model() const { return model_; }
  int64_t version() const { return version_; }
  const std::string& directory() const { return directory_; }
  std::string model_path() const { return directory_ + "/model.onnx"; }
  std::string output_directory() const { return directory_ + "/out"; }
  // The path of files.json; nothing where no external data was given.
  std::optional<std::string> external_listing() const;
  // Nothing where no sample of the set was given.
  std::optional<std::string> samples_directory(SampleSet set) const;

  int64_t bytes() const { return bytes_; }  // of all that was received
  int64_t model_bytes() const { return model_bytes_; }
  int64_t external_bytes() const { return external_bytes_; }
  int64_t samples(SampleSet set) const;

  // RESOURCE_EXHAUSTED if so many bytes would be over the limit: said before they come.
  absl::Status Expect(int64_t bytes) const;

  // RESOURCE_EXHAUSTED over a limit or when the disk is full.
  absl::Status AppendModel(absl::string_view bytes);
  // A new file of external data, which takes the bytes that follow. INVALID_ARGUMENT for a name
  // that is no path below the model's folder, or that came before; RESOURCE_EXHAUSTED.
  absl::Status BeginExternal(const std::string& location);
  // As AppendModel; INVALID_ARGUMENT before the first BeginExternal.
  absl::Status AppendExternal(absl::string_view bytes);
  // As AppendModel, and INVALID_ARGUMENT as SampleWriter.
  absl::Status AppendSamples(SampleSet set, const SampleBatch& batch);

  // Ends receiving: files get their final form, out/ is made. INVALID_ARGUMENT if there is no
  // model.
  absl::Status Seal();

 private:
  friend class ModelStore;
  Staging(base::FileSystem& files, std::string directory, std::string model, int64_t version,
          UploadLimits limits, std::function<void()> release);

  SampleWriter& writer(SampleSet set) {
    return set == SampleSet::kCalibration ? calibration_ : evaluation_;
  }
  const SampleWriter& writer(SampleSet set) const {
    return set == SampleSet::kCalibration ? calibration_ : evaluation_;
  }
  absl::Status Take(int64_t bytes);
  std::string external_directory() const { return directory_ + "/external"; }
  absl::Status WriteListing();

  base::FileSystem& files_;  // outlives this
  const std::string directory_;
  const std::string model_;
  const int64_t version_;
  const UploadLimits limits_;
  const std::function<void()> release_;  // gives the version number back
  std::unique_ptr<base::WritableFile> model_file_;
  std::unique_ptr<base::WritableFile> external_file_;
  std::vector<std::string> locations_;       // of external data: the i-th is in external/i
  std::unordered_set<std::string> located_;  // the same
  SampleWriter calibration_;
  SampleWriter evaluation_;
  int64_t model_bytes_ = 0;
  int64_t external_bytes_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace fourfold::store
