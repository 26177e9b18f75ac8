// Convolutions, products and pools against plain loops over the file's own layout: N,H,W,C.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/testing/graph_builder.h"
#include "tests/tflite/model_builder.h"

namespace fourfold::tflite {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;
using Activation = schema::ActivationFunctionType;

std::vector<float> Varied(int64_t count, int seed) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>((i * 7 + seed * 13) % 17 - 8) / 8.0f);
  }
  return values;
}

struct Image {
  int h, w, c;
  int64_t count() const { return int64_t{h} * w * c; }
};

struct Layer {
  int out_channels, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  bool same;
  bool depthwise;
};

// TensorFlow's rule: SAME keeps ceil(size / stride) outputs and puts the odd padding at the end.
void Positions(int size, int kernel, int stride, int dilation, bool same, int& count, int& before) {
  const int extent = (kernel - 1) * dilation + 1;
  count = same ? (size + stride - 1) / stride : (size - extent + stride) / stride;
  before = same ? std::max(0, (count - 1) * stride + extent - size) / 2 : 0;
}

std::vector<float> ConvByHand(const std::vector<float>& x, const Image& image,
                              const std::vector<float>& w, const std::vector<float>& bias,
                              const Layer& l) {
  int rows, columns, top, left;
  Positions(image.h, l.kernel_h, l.stride_h, l.dilation_h, l.same, rows, top);
  Positions(image.w, l.kernel_w, l.stride_w, l.dilation_w, l.same, columns, left);
  std::vector<float> y;
  for (int r = 0; r < rows; ++r) {
    for (int s = 0; s < columns; ++s) {
      for (int o = 0; o < l.out_channels; ++o) {
        double sum = bias[o];
        for (int i = 0; i < l.kernel_h; ++i) {
          for (int j = 0; j < l.kernel_w; ++j) {
            const int at_h = r * l.stride_h - top + i * l.dilation_h;
            const int at_w = s * l.stride_w - left + j * l.dilation_w;
            if (at_h < 0 || at_h >= image.h || at_w < 0 || at_w >= image.w) continue;
            const float* pixel = x.data() + (at_h * image.w + at_w) * image.c;
            if (l.depthwise) {  // filter [1, H, W, C * multiplier]
              const int multiplier = l.out_channels / image.c;
              sum += pixel[o / multiplier] * w[(i * l.kernel_w + j) * l.out_channels + o];
            } else {  // filter [O, H, W, C]
              for (int c = 0; c < image.c; ++c)
                sum += pixel[c] * w[((o * l.kernel_h + i) * l.kernel_w + j) * image.c + c];
            }
          }
        }
        y.push_back(static_cast<float>(sum));
      }
    }
  }
  return y;
}

class ConvTest : public ::testing::TestWithParam<Layer> {};

TEST_P(ConvTest, AnswersLikePlainLoops) {
  const Layer& l = GetParam();
  const Image image{7, 6, 4};
  const int64_t weights =
      int64_t{l.out_channels} * l.kernel_h * l.kernel_w * (l.depthwise ? 1 : image.c);
  const std::vector<float> x = Varied(image.count(), 1), w = Varied(weights, 2),
                           bias = Varied(l.out_channels, 3);
  ModelBuilder b;
  const int in = b.Input("x", {1, image.h, image.w, image.c});
  const int y = b.Tensor("y", {});
  const auto padding = l.same ? schema::Padding::SAME : schema::Padding::VALID;
  if (l.depthwise) {
    const int filter = b.Floats("w", {1, l.kernel_h, l.kernel_w, l.out_channels}, w);
    b.Operator(Code::DEPTHWISE_CONV_2D, {in, filter, b.Floats("b", {l.out_channels}, bias)}, {y},
               schema::CreateDepthwiseConv2DOptions(b.fbb, padding, l.stride_w, l.stride_h,
                                                    l.out_channels / image.c, Activation::NONE,
                                                    l.dilation_w, l.dilation_h));
  } else {
    const int filter = b.Floats("w", {l.out_channels, l.kernel_h, l.kernel_w, image.c}, w);
    b.Operator(Code::CONV_2D, {in, filter, b.Floats("b", {l.out_channels}, bias)}, {y},
               schema::CreateConv2DOptions(b.fbb, padding, l.stride_w, l.stride_h, Activation::NONE,
                                           l.dilation_w, l.dilation_h));
  }
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {x}),
              Pointwise(FloatNear(1e-5f), ConvByHand(x, image, w, bias, l)));
}

INSTANTIATE_TEST_SUITE_P(
    Layers, ConvTest,
    ::testing::Values(Layer{5, 1, 1, 1, 1, 1, 1, true, false},
                      Layer{5, 3, 3, 1, 1, 1, 1, true, false},
                      Layer{5, 3, 2, 2, 1, 1, 1, true, false},  // odd padding at the end
                      Layer{5, 3, 3, 2, 2, 1, 1, false, false},
                      Layer{3, 3, 3, 1, 1, 2, 2, true, false},  // dilated
                      Layer{4, 3, 3, 2, 2, 1, 1, true, true},
                      Layer{8, 3, 2, 1, 2, 1, 1, false, true},  // two filters a channel
                      Layer{4, 2, 2, 1, 1, 2, 2, true, true}),
    [](const auto& info) {
      const Layer& l = info.param;
      return absl::StrCat(l.depthwise ? "Depthwise" : "Conv", l.out_channels, "Kernel", l.kernel_h,
                          "x", l.kernel_w, "Stride", l.stride_h, "x", l.stride_w, "Dilation",
                          l.dilation_h, l.same ? "Same" : "Valid");
    });

TEST(Conv2dTest, GroupsFollowFromTheFilter) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 1, 1, 4});
  const int w = b.Floats("w", {2, 1, 1, 2}, {1, 2, 3, 4});  // two groups of two channels
  const int y = b.Tensor("y", {});
  b.Operator(Code::CONV_2D, {x, w}, {y},
             schema::CreateConv2DOptions(b.fbb, schema::Padding::VALID, 1, 1));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, 1, 10, 100}}), ::testing::ElementsAre(3, 430));
}

TEST(Conv2dTest, FusedActivationBoundsTheResult) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 1, 1, 1});
  const int w = b.Floats("w", {3, 1, 1, 1}, {-1, 1, 10});
  const int y = b.Tensor("y", {});
  b.Operator(Code::CONV_2D, {x, w}, {y},
             schema::CreateConv2DOptions(b.fbb, schema::Padding::SAME, 1, 1, Activation::RELU6));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{2}}), ::testing::ElementsAre(0, 2, 6));
}

TEST(Conv2dTest, UnknownBatchTakesSeveralSamples) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 1, 1, 2}, schema::TensorType::FLOAT32, {}, {-1, 1, 1, 2});
  const int w = b.Floats("w", {1, 1, 1, 2}, {1, 10});
  const int y = b.Tensor("y", {1, 1, 1, 1});
  b.Operator(Code::CONV_2D, {x, w}, {y},
             schema::CreateConv2DOptions(b.fbb, schema::Padding::SAME, 1, 1));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, 2, 3, 4}}, 2), ::testing::ElementsAre(21, 43));
}

TEST(ChainTest, ConvolutionsInARowLeaveNoTransposeBetweenThem) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 4, 4, 2});
  int at = x;
  for (int i = 0; i < 3; ++i) {
    const int w = b.Floats(absl::StrCat("w", i), {2, 3, 3, 2}, Varied(36, i));
    const int y = b.Tensor(absl::StrCat("y", i), {1, 4, 4, 2});
    b.Operator(Code::CONV_2D, {at, w}, {y},
               schema::CreateConv2DOptions(b.fbb, schema::Padding::SAME, 1, 1, Activation::RELU));
    at = y;
  }
  b.Output(at);
  EXPECT_EQ(testing::Count<graph::Transpose>(Imported(b.Bytes())), 2u);  // in and out
}

TEST(FullyConnectedTest, MultipliesRowsOfWeights) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 3});
  const int w = b.Floats("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  const int y = b.Tensor("y", {1, 2});
  b.Operator(Code::FULLY_CONNECTED, {x, w, b.Floats("b", {2}, {0.5f, -100})}, {y},
             schema::CreateFullyConnectedOptions(b.fbb, Activation::RELU));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, 10, 100}}), ::testing::ElementsAre(321.5f, 554));
}

TEST(FullyConnectedTest, FlattensAnImageInTheFilesOrder) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2, 1, 2});
  const int w = b.Floats("w", {1, 4}, {1, 10, 100, 1000});
  const int y = b.Tensor("y", {1, 1});
  b.Operator(Code::FULLY_CONNECTED, {x, w, -1}, {y}, schema::CreateFullyConnectedOptions(b.fbb));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, 2, 3, 4}}), ::testing::ElementsAre(4321));
}

TEST(FullyConnectedTest, KeepsDimensionsWhereAsked) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2, 2});
  const int w = b.Floats("w", {1, 2}, {1, 10});
  const int y = b.Tensor("y", {1, 2, 1});
  b.Operator(Code::FULLY_CONNECTED, {x, w}, {y},
             schema::CreateFullyConnectedOptions(b.fbb, Activation::NONE,
                                                 schema::WeightsFormat::DEFAULT, true));
  b.Output(y);
  const auto file = b.Bytes();
  EXPECT_THAT(Answer(file, {{1, 2, 3, 4}}), ::testing::ElementsAre(21, 43));
  const graph::Graph graph = Imported(file);
  EXPECT_EQ(*graph.value(graph.outputs[0]).shape, (graph::Shape{1, 2, 1}));
}

TEST(BatchMatMulTest, TransposesAsTheOptionsSay) {
  ModelBuilder b;
  const int lhs = b.Input("lhs", {1, 2, 1}), rhs = b.Input("rhs", {1, 3, 2});
  const int y = b.Tensor("y", {1, 1, 3});
  b.Operator(Code::BATCH_MATMUL, {lhs, rhs}, {y},
             schema::CreateBatchMatMulOptions(b.fbb, true, true));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, 10}, {1, 2, 3, 4, 5, 6}}), ::testing::ElementsAre(21, 43, 65));
}

TEST(PoolTest, AverageOfSameDividesByElementsInTheImage) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 1, 3, 1});
  const int y = b.Tensor("y", {1, 1, 3, 1});
  b.Operator(Code::AVERAGE_POOL_2D, {x}, {y},
             schema::CreatePool2DOptions(b.fbb, schema::Padding::SAME, 1, 1, 3, 1));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, 3, 8}}), ::testing::ElementsAre(2, 4, 5.5f));
}

TEST(PoolTest, MaximumKeepsChannelsApart) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2, 2, 2});
  const int y = b.Tensor("y", {1, 1, 1, 2});
  b.Operator(Code::MAX_POOL_2D, {x}, {y},
             schema::CreatePool2DOptions(b.fbb, schema::Padding::VALID, 2, 2, 2, 2));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, -1, 2, -2, 3, -3, 4, -4}}), ::testing::ElementsAre(4, -1));
}

// Two steps of one cell, by the equations: i, f, o = sigmoid, g = tanh of w x + r h + b;
// c = clip(f c + i g), h = o tanh(c).
std::vector<float> LstmByHand(const std::vector<float>& x, const std::vector<float>& w,
                              const std::vector<float>& r, const std::vector<float>& b,
                              float clip) {
  double c = 0, h = 0;
  std::vector<float> result;
  for (float step : x) {
    double z[4];
    for (int gate = 0; gate < 4; ++gate) z[gate] = w[gate] * step + r[gate] * h + b[gate];
    const auto sigmoid = [](double value) { return 1 / (1 + std::exp(-value)); };
    c = sigmoid(z[1]) * c + sigmoid(z[0]) * std::tanh(z[2]);
    if (clip > 0) c = std::clamp<double>(c, -clip, clip);
    h = sigmoid(z[3]) * std::tanh(c);
    result.push_back(static_cast<float>(h));
  }
  return result;
}

class LstmTest : public ::testing::TestWithParam<std::tuple<float, bool>> {};

TEST_P(LstmTest, FollowsTheEquationsFromAStateOfZeros) {
  const auto [clip, time_major] = GetParam();
  const std::vector<float> x = {1, -2, 3, 0.5f};
  const std::vector<float> w = {0.5f, -0.25f, 1, 0.75f}, r = {1, 0.5f, -0.5f, 0.25f},
                           bias = {0.1f, 0.2f, -0.3f, 0.4f};
  ModelBuilder b;
  const int steps = static_cast<int>(x.size());
  const ModelBuilder::Shape shape =
      time_major ? ModelBuilder::Shape{steps, 1, 1} : ModelBuilder::Shape{1, steps, 1};
  std::vector<int32_t> inputs = {b.Input("x", shape)};
  for (float value : w) inputs.push_back(b.Floats("w", {1, 1}, {value}));
  for (float value : r) inputs.push_back(b.Floats("r", {1, 1}, {value}));
  inputs.insert(inputs.end(), 3, -1);
  for (float value : bias) inputs.push_back(b.Floats("b", {1}, {value}));
  inputs.insert(inputs.end(), 2, -1);
  for (const char* name : {"h", "c"}) {
    inputs.push_back(b.Tensor(name, {1, 1}, schema::TensorType::FLOAT32, {}, {}, true));
  }
  const int y = b.Tensor("y", shape);
  b.Operator(Code::UNIDIRECTIONAL_SEQUENCE_LSTM, inputs, {y},
             schema::CreateUnidirectionalSequenceLSTMOptions(b.fbb, Activation::TANH, clip, 0.0f,
                                                             time_major));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {x}), Pointwise(FloatNear(1e-6f), LstmByHand(x, w, r, bias, clip)));
}
INSTANTIATE_TEST_SUITE_P(Forms, LstmTest,
                         ::testing::Combine(::testing::Values(0.0f, 0.25f, 10.0f),
                                            ::testing::Bool()));

TEST(SoftmaxTest, BetaScalesTheLogits) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2}), y = b.Tensor("y", {1, 2});
  b.Operator(Code::SOFTMAX, {x}, {y}, schema::CreateSoftmaxOptions(b.fbb, 2.0f));
  b.Output(y);
  const float p = 1.0f / (1.0f + std::exp(-2.0f));
  EXPECT_THAT(Answer(b.Bytes(), {{2, 1}}), Pointwise(FloatNear(1e-6f), {p, 1 - p}));
}

TEST(LogSoftmaxTest, IsTheLogarithm) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2}), y = b.Tensor("y", {1, 2});
  b.Operator(Code::LOG_SOFTMAX, {x}, {y});
  b.Output(y);
  const float low = -std::log(1.0f + std::exp(1.0f));
  EXPECT_THAT(Answer(b.Bytes(), {{0, 1}}), Pointwise(FloatNear(1e-5f), {low, low + 1}));
}

}  // namespace
}  // namespace fourfold::tflite
