#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/samples/dtype.h"
#include "client/samples/image_options.h"

namespace fourfold::samples {

struct SourceOptions {
  ImageOptions images;                   // for folders of pictures
  std::string labels_path;               // for folders of pictures: a CSV of file,class
  std::string input_name = "input";      // for folders of pictures: which input they are
  int64_t max_bytes = int64_t{8} << 30;  // of an .npz, unpacked
  int64_t max_samples = 1'000'000;       // more is refused
};

// One of the model's inputs, as the samples have it.
struct SampleInput {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> dims;  // of one sample: without the sample axis
};

// One sample. Movable only; it borrows from its source, which must outlive it.
struct Sample {
  Sample() = default;
  Sample(Sample&&) = default;
  Sample& operator=(Sample&&) = default;

  // Per input of the source: product(dims) elements in C order. May be unaligned.
  std::vector<std::span<const std::byte>> inputs;
  std::vector<float> decoded;  // what `inputs` points at, if it was decoded for this sample
};

// Samples for calibration and evaluation, read one at a time: their number costs no memory, save
// for an .npz, which is unpacked as a whole. Thread-safe: it does not change after Open.
class SampleSource {
 public:
  // `path` is
  //   - FILE.npz: arrays named like the model's inputs, first axis = sample; `labels` are labels;
  //   - a folder with samples.json, {"inputs": [{"name": "x", "file": "0.npy"}, ...],
  //     "labels": "labels.npy"}: the same as .npy files in it, mapped; labels may be left out;
  //   - a folder of pictures: those that options.labels_path lists, in its order; or one folder
  //     per class, classes numbered from 0 by sorted name; or unlabelled pictures by sorted name.
  // Errors: NOT_FOUND; INVALID_ARGUMENT for files that are malformed or contradict each other, or
  // for no samples at all; RESOURCE_EXHAUSTED past a limit.
  static absl::StatusOr<std::unique_ptr<SampleSource>> Open(const std::string& path,
                                                            const SourceOptions& options);

  virtual ~SampleSource() = default;

  virtual int64_t size() const = 0;                            // at least 1
  virtual const std::vector<SampleInput>& inputs() const = 0;  // at least one
  // One class per sample, from 0; absent if the samples are not labelled.
  virtual const std::optional<std::vector<int64_t>>& labels() const = 0;

  // Sample `index`, from 0 to size() - 1. Errors: OUT_OF_RANGE; as CheckFinite; for pictures
  // that cannot be decoded, or differ in size from the first, INVALID_ARGUMENT.
  virtual absl::StatusOr<Sample> Read(int64_t index) const = 0;
};

// INVALID_ARGUMENT, naming array, sample and element, if a float element is NaN or infinite.
absl::Status CheckFinite(const SampleInput& input, std::span<const std::byte> data, int64_t sample);

}  // namespace fourfold::samples
