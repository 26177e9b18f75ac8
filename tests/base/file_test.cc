#include "server/base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "tests/testing/temporary_directory.h"

namespace fourfold::base {
namespace {

TEST(FileTest, WritesAtomicallyAndLeavesNoOtherFile) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.Write("a", "old");
  ASSERT_TRUE(WriteFileAtomically(path, "new").ok());
  EXPECT_EQ(ReadFile(path).value(), "new");
  EXPECT_THAT(directory.Files(), ::testing::ElementsAre("a"));
}

TEST(FileTest, SaysNotFound) {
  EXPECT_EQ(ReadFile("/no/such/file").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MappedFile::Open("/no/such/file").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ListDirectory("/no/such/directory").status().code(), absl::StatusCode::kNotFound);
}

TEST(FileTest, MapsBytesAndEmptyFiles) {
  const testing::TemporaryDirectory directory;
  const auto mapped = MappedFile::Open(directory.Write("a", "bytes"));
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()),
      "bytes");
  EXPECT_TRUE(MappedFile::Open(directory.Write("b", ""))->bytes().empty());
}

TEST(FileTest, RemovesTreesWithoutFollowingLinks) {
  const testing::TemporaryDirectory directory;
  directory.Write("keep/file", "1");
  directory.Write("tree/sub/file", "2");
  std::filesystem::create_symlink(directory.path() + "/keep", directory.path() + "/tree/link");
  ASSERT_TRUE(RemoveTree(directory.path() + "/tree").ok());
  EXPECT_THAT(directory.Files(), ::testing::ElementsAre("keep/file"));
  EXPECT_TRUE(RemoveTree(directory.path() + "/tree").ok()) << "removing nothing is fine";
}

TEST(ErrnoStatusTest, ChoosesTheCode) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "x").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrnoStatus(EACCES, "x").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoStatus(EEXIST, "x").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrnoStatus(EIO, "x").code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace fourfold::base
