#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace fourfold::onnx {

// A file's bytes, which stay where they are as long as `owner` or a copy of it lives.
struct ExternalFile {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

// The files in which a model keeps elements of tensors outside of its own file: ONNX external data.
// Used by one import at a time.
class ExternalData {
 public:
  virtual ~ExternalData() = default;

  // `location` is what the model says, not trusted. INVALID_ARGUMENT if it is no name that may be
  // opened, or if there is no such file.
  virtual absl::StatusOr<ExternalFile> Open(const std::string& location) = 0;
};

// The files below a model's folder, mapped. Locations that lead out of it, also by symbolic links,
// and what is no regular file are refused.
class ExternalFolder final : public ExternalData {
 public:
  // "": the present folder.
  explicit ExternalFolder(std::string folder) : folder_(std::move(folder)) {}
  absl::StatusOr<ExternalFile> Open(const std::string& location) override;

 private:
  const std::string folder_;
};

// Named files, mapped: location to path. The paths are ours; a location is only looked up.
class ExternalFiles final : public ExternalData {
 public:
  explicit ExternalFiles(std::map<std::string, std::string> paths) : paths_(std::move(paths)) {}
  absl::StatusOr<ExternalFile> Open(const std::string& location) override;

 private:
  const std::map<std::string, std::string> paths_;
};

}  // namespace fourfold::onnx
