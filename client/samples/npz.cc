#include "client/samples/npz.h"

#include <zip.h>

#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace fourfold::samples {
namespace {

constexpr absl::string_view kSuffix = ".npy";
// Deflate cannot shrink below 1:1032; a member that claims more lies about its size.
constexpr uint64_t kDeflateRatioMax = 1040;
// 1 January 1980, the first date a zip can hold: archives do not depend on the clock.
constexpr uint16_t kZipEpoch = 0x21;

struct ZipDiscard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using ZipHandle = std::unique_ptr<zip_t, ZipDiscard>;

struct ZipFileClose {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using ZipFileHandle = std::unique_ptr<zip_file_t, ZipFileClose>;

absl::Status OpenError(int code, const std::string& path) {
  if ((code == ZIP_ER_OPEN || code == ZIP_ER_READ) && errno != 0) {
    return FileError(errno, "cannot open", path);
  }
  if (code == ZIP_ER_NOENT) return FileError(ENOENT, "cannot open", path);
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const absl::Status status = absl::InvalidArgumentError(
      absl::StrCat(path, " is not an .npz: ", zip_error_strerror(&error)));
  zip_error_fini(&error);
  return status;
}

absl::Status Invalid(const std::string& what, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", problem));
}

// Unpacks one member whose size the limits have allowed.
absl::StatusOr<SharedBytes> Unpack(zip_t* archive, const zip_stat_t& stat,
                                   const std::string& what) {
  const ZipFileHandle file(zip_fopen_index(archive, stat.index, 0));
  if (file == nullptr) return Invalid(what, zip_strerror(archive));
  const size_t size = static_cast<size_t>(stat.size);
  std::shared_ptr<std::byte[]> buffer = std::make_shared_for_overwrite<std::byte[]>(size + 1);
  size_t filled = 0;
  while (filled <= size) {  // asks for one byte more than there should be: sees the end and the CRC
    const zip_int64_t got = zip_fread(file.get(), buffer.get() + filled, size + 1 - filled);
    if (got < 0) return Invalid(what, zip_file_strerror(file.get()));
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  if (filled != size) {
    return Invalid(what, absl::StrCat("the archive says ", size, " bytes, unpacked ",
                                      filled > size ? "more" : absl::StrCat(filled)));
  }
  return SharedBytes{{buffer.get(), size}, buffer};
}

absl::StatusOr<zip_stat_t> CheckMember(zip_t* archive, zip_uint64_t index,
                                       const std::string& path) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if (zip_stat_index(archive, index, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
    return Invalid(path, absl::StrCat("member ", index, " cannot be read"));
  }
  const std::string what = absl::StrCat(path, ": member '", stat.name, "'");
  if (!absl::EndsWith(stat.name, kSuffix) || stat.name == kSuffix) {
    return Invalid(what, "wanted a name ending in .npy");
  }
  if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE) {
    return Invalid(what, "is encrypted");
  }
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
    return Invalid(
        what, absl::StrCat("compression method ", stat.comp_method, ", wanted stored or deflated"));
  }
  const uint64_t ratio_max = stat.comp_method == ZIP_CM_STORE ? 1 : kDeflateRatioMax;
  if (stat.size / ratio_max > stat.comp_size) {
    return Invalid(what, absl::StrCat("the archive says ", stat.size, " bytes packed into ",
                                      stat.comp_size, ", which cannot be"));
  }
  return stat;
}

}  // namespace

absl::StatusOr<std::vector<NamedArray>> ReadNpz(const std::string& path,
                                                const NpzOptions& options) {
  int code = 0;
  errno = 0;
  const ZipHandle archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive == nullptr) return OpenError(code, path);
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count <= 0) return Invalid(path, "is an .npz without arrays");
  if (count > options.max_arrays) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, " has ", count, " members, the limit is ", options.max_arrays));
  }
  std::vector<zip_stat_t> stats;
  std::set<std::string> names;
  uint64_t budget = static_cast<uint64_t>(options.max_bytes);
  for (zip_int64_t i = 0; i < count; ++i) {
    absl::StatusOr<zip_stat_t> stat =
        CheckMember(archive.get(), static_cast<zip_uint64_t>(i), path);
    if (!stat.ok()) return stat.status();
    if (!names.insert(stat->name).second) {
      return Invalid(path, absl::StrCat("member '", stat->name, "' comes twice"));
    }
    if (stat->size > budget) {
      return absl::ResourceExhaustedError(absl::StrCat(
          path, ": with member '", stat->name, "' (", stat->size,
          " bytes) it unpacks to more than the limit of ", options.max_bytes, " bytes"));
    }
    budget -= stat->size;
    stats.push_back(*stat);
  }
  std::vector<NamedArray> arrays;
  for (const zip_stat_t& stat : stats) {
    const std::string what = absl::StrCat(path, ": member '", stat.name, "'");
    const absl::StatusOr<SharedBytes> bytes = Unpack(archive.get(), stat, what);
    if (!bytes.ok()) return bytes.status();
    absl::StatusOr<Array> array = ParseNpy(*bytes, what);
    if (!array.ok()) return array.status();
    arrays.push_back({std::string(absl::StripSuffix(stat.name, kSuffix)), *std::move(array)});
  }
  return arrays;
}

absl::Status WriteNpz(const std::string& path, std::span<const NamedArray> arrays) {
  if (arrays.empty()) return Invalid(path, "cannot write an .npz without arrays");
  int code = 0;
  errno = 0;
  ZipHandle archive(zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  if (archive == nullptr) return OpenError(code, path);
  std::set<std::string> names;
  std::vector<std::string> members;  // libzip reads them when the archive is closed
  members.reserve(arrays.size());
  for (const NamedArray& named : arrays) {
    if (named.name.empty() || !names.insert(named.name).second) {
      return Invalid(path, absl::StrCat("cannot write array '", named.name,
                                        "': its name is empty or comes twice"));
    }
    std::string& member = members.emplace_back(NpyHeader(named.array.dtype, named.array.dims));
    const std::span<const std::byte> data = named.array.bytes.data;
    member.append(reinterpret_cast<const char*>(data.data()), data.size());
    zip_source_t* const source = zip_source_buffer(archive.get(), member.data(), member.size(), 0);
    const zip_int64_t index =
        source == nullptr ? -1
                          : zip_file_add(archive.get(), absl::StrCat(named.name, kSuffix).c_str(),
                                         source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      if (source != nullptr) zip_source_free(source);
      return Invalid(path, absl::StrCat("cannot write array '", named.name,
                                        "': ", zip_strerror(archive.get())));
    }
    const zip_uint64_t added = static_cast<zip_uint64_t>(index);
    zip_set_file_compression(archive.get(), added, ZIP_CM_STORE, 0);
    zip_file_set_dostime(archive.get(), added, 0, kZipEpoch, 0);
  }
  if (zip_close(archive.get()) != 0) {
    const int error_number = zip_error_code_system(zip_get_error(archive.get()));
    if (error_number != 0) return FileError(error_number, "cannot write", path);
    return absl::UnavailableError(
        absl::StrCat("cannot write ", path, ": ", zip_strerror(archive.get())));
  }
  static_cast<void>(archive.release());  // zip_close has freed it
  return absl::OkStatus();
}

}  // namespace fourfold::samples
