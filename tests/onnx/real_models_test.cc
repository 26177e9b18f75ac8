#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace fourfold::onnx {
namespace {

using ::testing::HasSubstr;

class RealModelTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    bytes_ = ReadSharedModel(GetParam());
    if (bytes_.empty())
      GTEST_SKIP() << "shared/data/models/" << GetParam() << " is not beside the checkout";
  }
  std::string bytes_;
};

TEST_P(RealModelTest, IsTheSameAfterExportAndImport) {
  const auto first = ImportBytes(bytes_);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_FALSE(first->nodes.empty());
  const auto file = Export(*first);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto second = ImportBytes(*file);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(Structure(*first), Structure(*second));
}

INSTANTIATE_TEST_SUITE_P(
    Models, RealModelTest,
    ::testing::Values("fp32/cifar10_resnet20.onnx", "fp32/cifar10_resnet8.onnx",
                      "fp32/imagenet_mobilenet_v1_0.25_128.onnx",
                      "fp32/imagenet_mobilenet_v2_1.0_224_DEQUANTIZED.onnx",
                      "fp32/imagenet_squeezenet1.1.onnx", "fp32/kws_dscnn.onnx",
                      "fp32/mnist_cnn_cntk.onnx", "fp32/toycar_autoencoder_mlp.onnx",
                      "fp32/vww_mobilenetv1_0.25_96.onnx",
                      "quantized/cifar10_resnet8_qdq_int8.onnx",
                      "quantized/imagenet_mobilenet_v2_1.0_224_PTQ_qdq_int8_perchannel.onnx",
                      "quantized/kws_dscnn_qdq_int8.onnx", "quantized/mnist_tiny_fp16.onnx",
                      "quantized/toycar_autoencoder_qdq_int8.onnx"),
    [](const auto& info) {
      std::string name = info.param;
      for (char& c : name) {
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
      }
      return name;
    });

}  // namespace
}  // namespace fourfold::onnx
