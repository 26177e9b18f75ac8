#pragma once

#include <cstddef>
#include <cstdint>

namespace fourfold::graph {

// What a model file may hold, of whatever format. Everything is checked before memory is taken for
// it.
struct ImportLimits {
  size_t file_bytes = size_t{2} << 30;  // of the model's own file, which protobuf keeps below 2 GiB
  size_t external_bytes = size_t{64} << 30;  // of tensors in files beside it, all together
  size_t nodes = 100'000;
  size_t values = 400'000;
  size_t name_bytes = 1024;  // of an input or output; other names are cut
  size_t rank = 8;
  int64_t tensor_elements = int64_t{1} << 31;
};

}  // namespace fourfold::graph
