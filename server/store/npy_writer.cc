#include "server/store/npy_writer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"

namespace fourfold::store {
namespace {

constexpr size_t kHeaderBytes = 128;
constexpr size_t kPreambleBytes = 10;  // magic, version, length of the rest
constexpr size_t kCountDigits = 20;    // reserved, so that the final count always fits

}  // namespace

absl::StatusOr<std::unique_ptr<NpyWriter>> NpyWriter::Create(base::FileSystem& files,
                                                             const std::string& path,
                                                             std::string descr,
                                                             std::vector<int64_t> item_shape) {
  ASSIGN_OR_RETURN(std::unique_ptr<base::WritableFile> file, files.Create(path));
  std::unique_ptr<NpyWriter> writer(
      new NpyWriter(std::move(file), std::move(descr), std::move(item_shape)));
  ASSIGN_OR_RETURN(const std::string header, writer->Header());
  RETURN_IF_ERROR(writer->file_->Append(header));
  return writer;
}

absl::Status NpyWriter::Append(int64_t count, absl::string_view bytes) {
  RETURN_IF_ERROR(file_->Append(bytes));
  count_ += count;
  return absl::OkStatus();
}

absl::Status NpyWriter::Seal() {
  ASSIGN_OR_RETURN(const std::string header, Header());
  return file_->Overwrite(0, header);
}

absl::StatusOr<std::string> NpyWriter::Header() const {
  const std::string count = absl::StrCat(count_);
  std::string dict = absl::StrCat("{'descr': '", descr_, "', 'fortran_order': False, 'shape': (",
                                  count, ", ", absl::StrJoin(item_shape_, ", "), "), }");
  const size_t room = kHeaderBytes - kPreambleBytes - 1;
  if (dict.size() + kCountDigits - count.size() > room) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sample shape [", absl::StrJoin(item_shape_, ", "), "] is too long to be stored"));
  }
  dict.append(room - dict.size(), ' ');
  dict.push_back('\n');
  std::string header("\x93NUMPY\x01\x00", 8);
  header.push_back(static_cast<char>(dict.size() & 0xff));
  header.push_back(static_cast<char>(dict.size() >> 8));
  return header + dict;
}

}  // namespace fourfold::store
