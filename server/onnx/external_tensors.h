#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "onnx/onnx.pb.h"
#include "server/onnx/external_data.h"

namespace fourfold::onnx {

// The tensors of one import whose elements lie in files beside the model. Every byte belongs to one
// tensor, or to several that name exactly the same range (tied weights).
class ExternalTensors {
 public:
  // `files` is borrowed and may be null: there are none. At most `bytes_max` bytes are handed out,
  // all tensors together.
  ExternalTensors(ExternalData* files, size_t bytes_max) : files_(files), bytes_max_(bytes_max) {}

  // The `wanted` bytes of a tensor whose data_location is EXTERNAL. INVALID_ARGUMENT without a
  // location, for an offset or length that is no number, a range that is not `wanted` long, leaves
  // the file or cuts into another tensor's, files that cannot be had, and over the limit.
  absl::StatusOr<ExternalFile> Find(const ::onnx::TensorProto& tensor, size_t wanted);

 private:
  struct OpenFile {
    ExternalFile file;
    std::map<size_t, size_t> ranges;  // taken: first byte to the byte behind the last
  };

  absl::StatusOr<OpenFile*> Open(const std::string& location);

  ExternalData* const files_;
  const size_t bytes_max_;
  size_t bytes_ = 0;
  std::map<std::string, OpenFile> open_;  // by location
};

}  // namespace fourfold::onnx
