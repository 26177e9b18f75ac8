#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/tensor.h"

namespace fourfold::client {

// One line of the list of models.
struct ModelSummary {
  std::string model;
  int64_t version = 0;            // the newest
  std::vector<int64_t> versions;  // ascending
  std::string default_variant;
  std::vector<std::string> variants;
  int64_t created_unix_ms = 0;
};

// A variant's files in the server's store.
struct VariantFile {
  std::string variant;
  std::string file;
  int64_t file_bytes = 0;
  std::string sha256;  // 64 lower-case hexadecimal digits
  // The file beside it with a large variant's weights; empty and 0 where there is none.
  std::string data_file = {};
  int64_t data_bytes = 0;
  std::string data_sha256 = {};
};

struct ModelDescription {
  std::string model;
  int64_t version = 0;
  std::vector<int64_t> versions;  // ascending
  std::string default_variant;
  std::vector<TensorDescription> inputs;
  std::vector<TensorDescription> outputs;
  std::vector<VariantFile> variants;
  int64_t created_unix_ms = 0;
  std::string batching;  // how requests are batched, or why they are not
};

struct ServerStatus {
  bool live = false;
  bool ready = false;
  std::string name;
  std::string version;
  std::vector<std::string> extensions;
};

}  // namespace fourfold::client
