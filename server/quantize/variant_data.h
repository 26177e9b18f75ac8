#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/base/file_system.h"
#include "server/onnx/export.h"

namespace fourfold::quantize {

// The file of a large variant's constants ("fp32.onnx.data") on its way: made when the first bytes
// come, in place of an older one when all are there. Not thread-safe.
class VariantData {
 public:
  // folder "": there can be none.
  VariantData(std::string folder, std::string name);
  ~VariantData();
  VariantData(const VariantData&) = delete;
  VariantData& operator=(const VariantData&) = delete;

  // For an export that writes here; borrows this.
  onnx::ExportOptions Options(size_t constant_bytes_max);

  // Puts the file into place, on disk; removes an older one if nothing was written.
  absl::Status Finish();

  int64_t bytes() const { return bytes_; }

 private:
  std::string path() const { return folder_ + "/" + name_; }
  std::string pending_path() const { return path() + ".tmp"; }
  absl::Status Append(std::span<const std::byte> bytes);

  const std::string folder_;
  const std::string name_;
  std::unique_ptr<base::WritableFile> file_;  // null before the first bytes
  int64_t bytes_ = 0;
};

}  // namespace fourfold::quantize
