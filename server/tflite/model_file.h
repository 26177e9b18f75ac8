#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/import_limits.h"
#include "tflite/schema_generated.h"

namespace fourfold::tflite {

// A file whose tables have been verified: each offset, length and string lies inside of it. What
// the numbers in them mean has not been checked. Borrows the bytes.
class ModelFile {
 public:
  // INVALID_ARGUMENT: not a TensorFlow Lite file of version 3, damaged, without a subgraph, or over
  // a limit.
  static absl::StatusOr<ModelFile> Open(std::span<const std::byte> file,
                                        const graph::ImportLimits& limits);

  const schema::Model& model() const { return *model_; }
  const schema::SubGraph& main() const { return *model_->subgraphs()->Get(0); }
  size_t tensor_count() const { return main().tensors() ? main().tensors()->size() : 0; }

  // The operator that an operator's index means; its name is "CUSTOM name" for a custom one and
  // "operator 999" for a number that is not known. INVALID_ARGUMENT for an index out of range.
  struct Code {
    schema::BuiltinOperator builtin;
    std::string name;
  };
  absl::StatusOr<Code> CodeOf(const schema::Operator& op) const;

  // The bytes of a buffer, empty where it has none. INVALID_ARGUMENT for an index out of range and
  // for data outside of the file.
  absl::StatusOr<std::span<const std::byte>> Buffer(uint32_t index) const;

 private:
  explicit ModelFile(std::span<const std::byte> file) : file_(file) {}

  std::span<const std::byte> file_;
  std::vector<uint64_t> aligned_;  // a copy of a file that does not begin at a multiple of 8 bytes
  const schema::Model* model_ = nullptr;
};

}  // namespace fourfold::tflite
