#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/file_system.h"

namespace fourfold::store {

// Writes an array of unknown length as .npy (format 1.0), item after item. The header has a fixed
// size and is written again with the count at Seal. Not thread-safe.
class NpyWriter {
 public:
  // `descr` is NumPy's element type ("<f4"), `item_shape` the shape behind the first axis.
  // INVALID_ARGUMENT if the header has no room for the shape.
  static absl::StatusOr<std::unique_ptr<NpyWriter>> Create(base::FileSystem& files,
                                                           const std::string& path,
                                                           std::string descr,
                                                           std::vector<int64_t> item_shape);

  // `bytes` of `count` items, row-major, little-endian.
  absl::Status Append(int64_t count, absl::string_view bytes);
  absl::Status Seal();
  int64_t count() const { return count_; }

 private:
  NpyWriter(std::unique_ptr<base::WritableFile> file, std::string descr,
            std::vector<int64_t> item_shape)
      : descr_(std::move(descr)), item_shape_(std::move(item_shape)), file_(std::move(file)) {}

  absl::StatusOr<std::string> Header() const;

  const std::string descr_;
  const std::vector<int64_t> item_shape_;
  std::unique_ptr<base::WritableFile> file_;
  int64_t count_ = 0;
};

}  // namespace fourfold::store
