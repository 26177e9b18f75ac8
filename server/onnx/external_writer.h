#pragma once

#include "absl/status/status.h"
#include "onnx/onnx.pb.h"
#include "server/graph/tensor.h"
#include "server/onnx/export.h"

namespace fourfold::onnx {

// Writes the elements of an export's large constants to a file beside the model, one after another
// as they come, each at a multiple of a memory page's size. Borrows the options.
class ExternalWriter {
 public:
  explicit ExternalWriter(const ExportOptions& options) : options_(options) {}

  // Whether a tensor of that size goes to the other file.
  bool Takes(const graph::Tensor& tensor) const {
    return tensor.bytes() >= options_.external_tensor_bytes_min;
  }

  // Writes the elements and states their place in `proto`. The file's error.
  absl::Status Write(const graph::Tensor& tensor, ::onnx::TensorProto& proto);

 private:
  const ExportOptions& options_;
  size_t bytes_ = 0;  // written so far
};

}  // namespace fourfold::onnx
