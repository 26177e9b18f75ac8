#include "server/base/relative_path.h"

#include <gtest/gtest.h>

#include <string>

namespace fourfold::base {
namespace {

TEST(RelativePathTest, NamesBelowAFolderAreGood) {
  for (const char* path : {"w", "weights.bin", "./weights.bin", "a/b/c.data", "model.layers.0:0",
                           "...", "..weights", "onnx__MatMul_12", "mit leerzeichen/größe.bin"}) {
    EXPECT_TRUE(CheckRelativePath(path).ok()) << path;
  }
}

TEST(RelativePathTest, WhatMayLeadElsewhereIsRefused) {
  for (const char* path : {"", "/", "/etc/passwd", "..", "../w", "a/../w", "a/..", "a//w", "a/",
                           "a\\w", "w\n", "w\x7f"}) {
    EXPECT_EQ(CheckRelativePath(path).code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_FALSE(CheckRelativePath(absl::string_view("w\0", 2)).ok());
}

TEST(RelativePathTest, PathOfTheLimitIsGoodAndOneByteMoreIsNot) {
  EXPECT_TRUE(CheckRelativePath(std::string(1024, 'w')).ok());
  EXPECT_FALSE(CheckRelativePath(std::string(1025, 'w')).ok());
}

}  // namespace
}  // namespace fourfold::base
