// The worked figures of the lectures that stand behind the product, each under the slide it is
// from.

#include <gmock/gmock.h>

#include <bit>
#include <cmath>

#include "server/passes/passes.h"
#include "server/quantize/precision.h"
#include "server/quantize/weights.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::Compile;
using fourfold::testing::FromBytes;
using fourfold::testing::GraphBuilder;
using fourfold::testing::RunFloat;
using fourfold::testing::RunPlan;
using fourfold::testing::ToBytes;
using graph::DataType;
using graph::Graph;
using graph::Tensor;
using graph::ValueId;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

using Floats = std::vector<float>;

std::vector<int> Integers(const graph::Tensor& tensor) {
  const auto elements = tensor.as<int8_t>();
  return {elements.begin(), elements.end()};
}

// The int8 codes that a plan's quantize kernel stores.
std::vector<int> Codes(const Floats& values, float scale) {
  GraphBuilder b;
  b.Output(
      b.Quantize(b.Input("x", {static_cast<int64_t>(values.size())}), scale, 0, DataType::kInt8));
  Graph graph = b.Build();
  EXPECT_TRUE(passes::Optimize(graph).ok());
  const auto codes = FromBytes<int8_t>(RunPlan(*Compile(graph), {ToBytes(values)})[0]);
  return {codes.begin(), codes.end()};
}

// a (int8, a_scale) times constant integer codes (scale b_scale), as a plan computes it in int8.
float IntegerProduct(const Floats& a, float a_scale, const std::vector<int>& b_codes,
                     float b_scale) {
  const auto n = static_cast<int64_t>(a.size());
  GraphBuilder b;
  const ValueId x = b.QuantizeDequantize(b.Input("x", {1, n}), a_scale, 0, DataType::kInt8);
  b.Output(b.MatMul(x, b.QuantizedWeights({n, 1}, b_codes, {b_scale}, 1)));
  Graph graph = b.Build();
  EXPECT_TRUE(passes::Optimize(graph).ok());
  const auto plan = Compile(graph);
  for (const runtime::StepInfo& step : plan->steps()) {
    if (step.operation == "MatMul") {
      EXPECT_EQ(step.arithmetic, "int8");
    }
  }
  return FromBytes<float>(RunPlan(*plan, {ToBytes(a)})[0])[0];
}

// "Symmetric quantization: full and restricted range": [-2.2,-1.1,1.1,2.2] x [0.5,0.3,0.3,0.5] = 0.
TEST(LectureFiguresTest, SymmetricFullRangeIsBiased) {
  const Floats a = {-2.2f, -1.1f, 1.1f, 2.2f};
  const Floats w = {0.5f, 0.3f, 0.3f, 0.5f};
  const float a_scale = 2.2f / 128;
  const float w_scale = 0.5f / 128;
  EXPECT_THAT(Codes(a, a_scale), ElementsAre(-128, -64, 64, 127));
  EXPECT_THAT(Codes(w, w_scale), ElementsAre(127, 77, 77, 127));
  const float product = IntegerProduct(a, a_scale, Codes(w, w_scale), w_scale);
  EXPECT_NEAR(product / (a_scale * w_scale), -127, 1e-3);
  EXPECT_NEAR(product, -0.00853f, 5e-6);
}

TEST(LectureFiguresTest, SymmetricRestrictedRangeIsExact) {
  const Floats a = {-2.2f, -1.1f, 1.1f, 2.2f};
  const QuantizedWeights w =
      QuantizeWeights(*Tensor::Of<float>(DataType::kFloat32, {4, 1}, {0.5f, 0.3f, 0.3f, 0.5f}), 1);
  EXPECT_THAT(Integers(*w.tensor), ElementsAre(127, 76, 76, 127));
  EXPECT_THAT(Codes(a, 2.2f / 127), ElementsAre(-127, -64, 64, 127));
  EXPECT_EQ(IntegerProduct(a, 2.2f / 127, Integers(*w.tensor), w.quantization.scale[0]), 0.0f);
}

// "Quantized matrix multiplication": ranges 2 and 1, integers, floats, requantized to range 3.
TEST(LectureFiguresTest, MatrixProductInIntegersAndRequantized) {
  const float w_scale = 2.0f / 127;
  const float x_scale = 1.0f / 127;
  const float y_scale = 3.0f / 127;
  const Floats x = {0.35f, -0.51f};
  const QuantizedWeights w = QuantizeWeights(
      *Tensor::Of<float>(DataType::kFloat32, {2, 2}, {-1.54f, 0.22f, -0.26f, 0.65f}), 0,
      {w_scale, w_scale});
  EXPECT_THAT(Integers(*w.tensor), ElementsAre(-98, 14, -17, 41));
  EXPECT_THAT(Codes(x, x_scale), ElementsAre(44, -65));

  GraphBuilder b;
  graph::MatMul matmul;
  matmul.transpose_rhs = true;  // y = W x
  const ValueId y =
      b.MatMul(b.QuantizeDequantize(b.Input("x", {1, 2}), x_scale, 0, DataType::kInt8),
               b.QuantizedWeights({2, 2}, Integers(*w.tensor), w.quantization.scale, 0),
               GraphBuilder::kNone, matmul);
  b.Output(y).Output(b.Quantize(y, y_scale, 0, DataType::kInt8));
  Graph graph = b.Build();
  ASSERT_TRUE(passes::Optimize(graph).ok());
  const auto out = RunPlan(*Compile(graph), {ToBytes(x)});
  const Floats real = FromBytes<float>(out[0]);
  EXPECT_NEAR(real[0] / (w_scale * x_scale), -5222, 1e-2);
  EXPECT_NEAR(real[1] / (w_scale * x_scale), -3413, 1e-2);
  EXPECT_THAT(real, ElementsAre(FloatNear(-0.648f, 5e-4f), FloatNear(-0.423f, 5e-4f)));
  EXPECT_THAT(FromBytes<int8_t>(out[1]), ElementsAre(-27, -18));
}

const Floats kFourByFour = {2.09f,  -0.98f, 1.48f, 0.09f,  0.05f, -0.14f, -1.08f, 2.12f,
                            -0.91f, 1.92f,  0,     -1.03f, 1.87f, 0,      1.53f,  1.49f};

// Frobenius norm of what 2 bits lose: codes -1, 0, 1 (restricted range), so the scale is max |w|.
// Our quantizer stores 8 bits; its scale is max |w| / 127, hence 127 of them are the scale of 2
// bits.
double ErrorAtTwoBits(const Floats& weights, const std::vector<float>& scale_of_8_bits) {
  double squares = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const float scale = 127 * scale_of_8_bits[i / 4 % scale_of_8_bits.size()];
    const float code = std::clamp(kernels::RoundHalfToEven(weights[i] / scale), -1.0f, 1.0f);
    squares += std::pow(weights[i] - code * scale, 2);
  }
  return std::sqrt(squares);
}

// "Per-channel against per-tensor": 2 bits, S = (2.09, 2.12, 1.92, 1.87) against S = 2.12.
TEST(LectureFiguresTest, PerChannelLosesLessThanPerTensorAtTwoBits) {
  const auto rows =
      QuantizeWeights(*Tensor::Of(DataType::kFloat32, {4, 4}, kFourByFour), 0).quantization.scale;
  const auto whole =
      QuantizeWeights(*Tensor::Of(DataType::kFloat32, {1, 16}, kFourByFour), 0).quantization.scale;
  Floats largest;
  for (float scale : rows) largest.push_back(scale * 127);
  EXPECT_THAT(largest, Pointwise(FloatNear(1e-5f), Floats{2.09f, 2.12f, 1.92f, 1.87f}));
  EXPECT_NEAR(whole[0] * 127, 2.12f, 1e-5);
  EXPECT_NEAR(ErrorAtTwoBits(kFourByFour, rows), 2.08, 0.005);
  EXPECT_NEAR(ErrorAtTwoBits(kFourByFour, whole), 2.28, 0.005);
}

// "Number formats: integers": two's complement.
TEST(LectureFiguresTest, Int8IsTwosComplement) {
  const std::vector<int> codes = Codes({49, -49}, 1.0f);
  EXPECT_EQ(std::bit_cast<uint8_t>(static_cast<int8_t>(codes[0])), 0b00110001);
  EXPECT_EQ(std::bit_cast<uint8_t>(static_cast<int8_t>(codes[1])), 0b11001111);
}

// "Number formats: fixed point": a scale that is a power of two.
TEST(LectureFiguresTest, FixedPointIsAScaleOfAPowerOfTwo) {
  EXPECT_THAT(Codes({3.0625f}, 0x1p-4f), ElementsAre(49));
  GraphBuilder b;
  b.Output(b.QuantizeDequantize(b.Input("x", {1}), 0x1p-4f, 0, DataType::kInt8));
  Graph graph = b.Build();
  ASSERT_TRUE(passes::Optimize(graph).ok());
  EXPECT_THAT(RunFloat(graph, {{3.0625f}}), ElementsAre(49 * 0.0625f));
}

// "Number formats: IEEE 754": 6.0 and -0.5, float16 (-1)^s (1 + f) 2^(e - 15).
TEST(LectureFiguresTest, IeeeNumbers) {
  EXPECT_EQ(std::bit_cast<uint32_t>(6.0f), 0x40C00000u);
  EXPECT_EQ(std::bit_cast<uint32_t>(-0.5f), 0xBF000000u);
  EXPECT_EQ(kernels::FloatToHalf(6.0f), 0b0'10001'1000000000);
  EXPECT_EQ(kernels::FloatToHalf(-0.5f), 0b1'01110'0000000000);
  EXPECT_EQ(kernels::FloatToHalf(65536.0f), 0b0'11111'0000000000) << "overflow";
  EXPECT_EQ(kernels::HalfToFloat(1), 0x1p-24f) << "subnormal";
  EXPECT_TRUE(std::isnan(kernels::HalfToFloat(0b0'11111'0000000001)));
}

// "Affine quantization": [a1, a2] onto [-2^(B-1), 2^(B-1) - 1]. We store uint8: the codes are 128
// more.
TEST(LectureFiguresTest, AffineMapsTheRangeOntoAllCodes) {
  for (const Range range : {Range{-1, 3}, Range{0, 6}, Range{-5, 0}, Range{-0.1f, 1000}}) {
    const kernels::QuantParams params = AffineParams(range);
    const auto code = [&](float value) {
      return kernels::RoundAndSaturate<uint8_t>(value / params.scale, params.zero_point) - 128;
    };
    EXPECT_NEAR(code(range.low), -128, 1) << range.low;
    EXPECT_NEAR(code(range.high), 127, 1) << range.high;
    EXPECT_EQ(code(range.high) - code(range.low), 255);
    EXPECT_EQ(code(0) + 128, params.zero_point) << "the real 0 has a code of its own";
  }
}

// "Scale quantization": symmetric, no offset.
TEST(LectureFiguresTest, ScaleMapsWithZeroOffset) {
  const QuantizedWeights w =
      QuantizeWeights(*Tensor::Of<float>(DataType::kFloat32, {1, 3}, {-3, 0, 1.5f}), 0);
  EXPECT_THAT(w.quantization.zero_point, ElementsAre(0));
  EXPECT_THAT(Integers(*w.tensor), ElementsAre(-127, 0, 64));
}

}  // namespace
}  // namespace fourfold::quantize
