#include "server/onnx/names.h"

#include <gtest/gtest.h>

namespace fourfold::onnx {
namespace {

TEST(ShortenedTest, KeepsShortNames) {
  EXPECT_EQ(Shortened("conv1"), "conv1");
  EXPECT_EQ(Shortened(std::string(32, 'x')), std::string(32, 'x'));
}

TEST(ShortenedTest, KeepsTheEndOfLongNamesFromASeparatorOn) {
  EXPECT_EQ(Shortened("model/batch_normalization_6/FusedBatchNormV3;model/conv2d_7/Conv2D"),
            "model/conv2d_7/Conv2D");
  EXPECT_EQ(Shortened(std::string(40, 'a') + "/" + std::string(40, 'b')), std::string(32, 'b'));
  EXPECT_EQ(Shortened(std::string(40, 'a') + "/b"), std::string(30, 'a') + "/b");
}

TEST(PrintableTest, TextStaysAsItIs) {
  EXPECT_EQ(Quoted("conv/größe"), "\"conv/größe\"");
  EXPECT_TRUE(graph::IsPrintable("größe", 7));
  EXPECT_FALSE(graph::IsPrintable("größe", 6));
}

TEST(PrintableTest, WhatIsNoTextIsEscaped) {
  EXPECT_EQ(Quoted("a\n\x1b\x7f"), "\"a\\n\\033\\177\"");
  // A lone byte, a surrogate, too long a form of '/', a character beyond the last, half of one.
  for (const std::string bad :
       {"\xff", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_FALSE(graph::IsPrintable(bad, 100)) << Quoted(bad);
    EXPECT_EQ(Quoted(bad).substr(0, 2), "\"\\");
  }
  EXPECT_FALSE(graph::IsPrintable("a\x7f", 100));
}

TEST(PrintableTest, LongNamesAreCutBetweenCharacters) {
  EXPECT_EQ(graph::Printable("12345", 5), "12345");
  EXPECT_EQ(graph::Printable("123456", 5), "12345...");
  EXPECT_EQ(graph::Printable("123€", 5), "123...");
}

}  // namespace
}  // namespace fourfold::onnx
