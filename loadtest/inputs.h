#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/samples/image_options.h"

namespace fourfold::loadtest {

struct InputOptions {
  // [TENSOR=]FILE.npy, one per input of the model, whose first axis is the batch axis; or a single
  // FILE.npz or folder, as client/samples reads them. Empty: random inputs.
  std::vector<std::string> paths;
  samples::ImageOptions images;
  int64_t batch = 1;                     // samples per request
  int64_t samples_max = 256;             // samples to read; the rest of the files is not used
  int64_t bytes_max = int64_t{1} << 30;  // of all requests together
  uint64_t seed = 1;                     // of random inputs
};

// The requests of a run, each of `batch` samples in the files' order; too few samples for one
// request are repeated. Without files: 16 requests of random numbers, floats uniform from 0 to 1,
// integers 0 or 1. Errors: as reading the files; INVALID_ARGUMENT if files and the model's
// `inputs` do not fit, or random inputs are wanted for a model whose sizes are not known;
// UNIMPLEMENTED for random BYTES or BF16; RESOURCE_EXHAUSTED past bytes_max.
absl::StatusOr<std::vector<client::InferRequest>> MakeRequests(
    const std::vector<client::TensorDescription>& inputs, const InputOptions& options);

}  // namespace fourfold::loadtest
