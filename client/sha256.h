#pragma once

#include <memory>
#include <string>

namespace fourfold::client {

// SHA-256 of bytes that come in pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(const void* bytes, size_t count);
  // 64 lower-case hexadecimal digits. Call once, last.
  std::string Finish();

 private:
  struct Context;  // OpenSSL's
  const std::unique_ptr<Context> context_;
};

}  // namespace fourfold::client
