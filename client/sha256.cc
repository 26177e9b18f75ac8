#include "client/sha256.h"

#include <openssl/evp.h>

#include <cassert>

#include "absl/strings/escaping.h"

namespace fourfold::client {

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest{EVP_MD_CTX_new(),
                                                                 &EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  [[maybe_unused]] const int done =
      EVP_DigestInit_ex(context_->digest.get(), EVP_sha256(), nullptr);
  assert(done == 1);
}

Sha256::~Sha256() = default;

void Sha256::Update(const void* bytes, size_t count) {
  [[maybe_unused]] const int done = EVP_DigestUpdate(context_->digest.get(), bytes, count);
  assert(done == 1);
}

std::string Sha256::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  [[maybe_unused]] const int done = EVP_DigestFinal_ex(context_->digest.get(), digest, &size);
  assert(done == 1);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace fourfold::client
