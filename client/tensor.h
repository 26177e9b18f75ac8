#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fourfold::client {

// A named array that owns its elements.
struct Tensor {
  std::string name;
  std::string datatype;        // Open Inference Protocol: "FP32", "INT64", "UINT8", ...
  std::vector<int64_t> shape;  // first axis: samples
  std::string bytes;           // row-major, little-endian
};

// A tensor of a model as the server describes it.
struct TensorDescription {
  std::string name;
  std::string datatype;
  std::vector<int64_t> shape;  // with the batch axis; -1: any size
};

}  // namespace fourfold::client
