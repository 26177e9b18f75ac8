#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/base/file_system.h"
#include "server/store/npy_writer.h"

namespace fourfold::store {

// One input's elements of a batch of samples; borrowed.
struct SampleTensor {
  std::string input;                // name; empty: the model's only input
  std::string descr;                // NumPy's element type: "<f4"
  std::vector<int64_t> item_shape;  // of one sample
  absl::string_view bytes;
};

struct SampleBatch {
  int64_t count = 0;
  std::vector<SampleTensor> tensors;
  std::vector<int64_t> labels;  // empty: none
};

// Writes samples batch by batch into a directory: one .npy per input (first axis = sample),
// labels.npy if there are labels, and samples.json that names them:
//   {"inputs": [{"name": "x", "file": "0.npy"}], "labels": "labels.npy"}
// Not thread-safe.
class SampleWriter {
 public:
  // `what` names the set in messages: "calibration".
  SampleWriter(base::FileSystem& files, std::string directory, std::string what)
      : files_(files), directory_(std::move(directory)), what_(std::move(what)) {}

  // INVALID_ARGUMENT if inputs, types, shapes or the presence of labels differ from earlier
  // batches.
  absl::Status Append(const SampleBatch& batch);
  absl::Status Seal();
  int64_t count() const { return count_; }

 private:
  struct Input {
    std::string name;
    std::string descr;
    std::vector<int64_t> item_shape;
    std::unique_ptr<NpyWriter> writer;
  };

  absl::Status Begin(const SampleBatch& batch);

  base::FileSystem& files_;  // outlives this
  const std::string directory_;
  const std::string what_;
  std::vector<Input> inputs_;  // empty before the first batch
  std::unique_ptr<NpyWriter> labels_;
  int64_t count_ = 0;
};

}  // namespace fourfold::store
