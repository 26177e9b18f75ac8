#include "server/quantize/variant_data.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/string_view.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"

namespace fourfold::quantize {

VariantData::VariantData(std::string folder, std::string name)
    : folder_(std::move(folder)), name_(std::move(name)) {}

VariantData::~VariantData() {
  if (file_) unlink(pending_path().c_str());
}

onnx::ExportOptions VariantData::Options(size_t constant_bytes_max) {
  onnx::ExportOptions options;
  options.constant_bytes_max = constant_bytes_max;
  options.data_location = name_;
  if (!folder_.empty()) {
    options.append_data = [this](std::span<const std::byte> bytes) { return Append(bytes); };
  }
  return options;
}

absl::Status VariantData::Append(std::span<const std::byte> bytes) {
  if (!file_) {
    ASSIGN_OR_RETURN(file_, base::RealFileSystem().Create(pending_path()));
  }
  RETURN_IF_ERROR(
      file_->Append(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())));
  bytes_ += static_cast<int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status VariantData::Finish() {
  if (folder_.empty()) return absl::OkStatus();
  if (!file_) return base::RemoveTree(path());  // of an earlier, larger model
  RETURN_IF_ERROR(file_->Sync());
  RETURN_IF_ERROR(base::RealFileSystem().Rename(pending_path(), path()));
  file_.reset();
  return base::RealFileSystem().Sync(folder_);
}

}  // namespace fourfold::quantize
