#include "server/base/sha256.h"

#include <openssl/evp.h>

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/file.h"

namespace fourfold::base {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    [[maybe_unused]] const int ok = EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
    assert(ok == 1);
  }

  void Add(const void* data, size_t bytes) { EVP_DigestUpdate(context_.get(), data, bytes); }

  std::string Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &length);
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), length));
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string Sha256Hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.Add(bytes.data(), bytes.size());
  return hash.Hex();
}

absl::StatusOr<FileDigest> DigestFile(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                       &std::fclose);
  if (!file) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  Sha256 hash;
  FileDigest digest;
  std::vector<char> buffer(size_t{1} << 18);
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    hash.Add(buffer.data(), got);
    digest.bytes += static_cast<int64_t>(got);
  }
  if (std::ferror(file.get())) return ErrnoStatus(errno, absl::StrCat("cannot read ", path));
  digest.sha256 = hash.Hex();
  return digest;
}

}  // namespace fourfold::base
