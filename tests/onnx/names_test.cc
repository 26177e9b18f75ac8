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

}  // namespace
}  // namespace fourfold::onnx
