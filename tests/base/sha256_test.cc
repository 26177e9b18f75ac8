#include "server/base/sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/testing/temporary_directory.h"

namespace fourfold::base {
namespace {

// FIPS 180-2, appendix B.
constexpr char kOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kOfMillionA[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256Test, IsThatOfTheStandard) {
  const std::string abc = "abc";
  EXPECT_EQ(Sha256Hex(std::as_bytes(std::span(abc))), kOfAbc);
}

TEST(Sha256Test, DigestsFilesInPieces) {
  const testing::TemporaryDirectory directory;
  const auto digest = DigestFile(directory.Write("a", std::string(1'000'000, 'a')));
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(digest->bytes, 1'000'000);
  EXPECT_EQ(digest->sha256, kOfMillionA);
  EXPECT_EQ(DigestFile(directory.path() + "/none").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace fourfold::base
