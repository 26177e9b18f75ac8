#include <array>
#include <cmath>

#include "kernels/convolution.h"
#include "kernels/matmul.h"
#include "testing.h"

// What is NEON's alone: which row serves what on which CPU, and that all activations give the
// reference's bytes. Built for 64-bit ARM only.
namespace fourfold::kernels {
namespace {

using testing::Random;

struct Product {
  std::vector<int8_t> weights;
  std::vector<float> multiplier;
  MatMulSpec spec;

  Product(int64_t m, int64_t n, int64_t k, ElementType dst_type) {
    weights.assign(static_cast<size_t>(n * k), 3);
    multiplier.assign(static_cast<size_t>(n), 0.01f);
    spec = {
        .src_type = ElementType::kUint8, .dst_type = dst_type, .m = m, .n = n, .k = k, .sum = {}};
    spec.sum.arithmetic = Arithmetic::kStaticInt8;
    spec.sum.weights = weights.data();
    spec.sum.weights_type = ElementType::kInt8;
    spec.sum.multiplier = multiplier;
  }
};

struct Convolved {
  std::vector<int8_t> weights;
  std::vector<float> multiplier;
  ConvolutionSpec spec;

  Convolved(int64_t channels, int64_t outputs, int64_t groups) {
    weights.assign(static_cast<size_t>(outputs * channels / groups * 9), 3);
    multiplier.assign(static_cast<size_t>(outputs), 0.01f);
    spec = {.src = {.type = ElementType::kUint8,
                    .dims = {1, channels, 6, 6},
                    .layout = Layout::kChannelsLast},
            .dst = {.type = ElementType::kUint8,
                    .dims = {1, outputs, 6, 6},
                    .layout = Layout::kChannelsLast},
            .weights = {outputs, channels / groups, 3, 3},
            .groups = groups,
            .strides = {1, 1},
            .dilations = {1, 1},
            .pads_begin = {1, 1},
            .pads_end = {1, 1},
            .sum = {}};
    spec.sum.arithmetic = Arithmetic::kStaticInt8;
    spec.sum.weights = weights.data();
    spec.sum.weights_type = ElementType::kInt8;
    spec.sum.multiplier = multiplier;
  }
};

template <typename Spec>
std::string Chosen(std::span<const Kernel<Spec>> table, const Spec& spec, CpuFeatures features) {
  const PreparedPtr kernel = PrepareFirst(table, spec, {.features = features});
  return kernel == nullptr ? "none" : std::string(kernel->implementation());
}

TEST(NeonInt8Test, EachLevelOfTheCpuHasItsRow) {
  const Product product(4, 16, 32, ElementType::kUint8);
  const Convolved convolved(32, 16, 1), coloured(3, 16, 1), depthwise(16, 16, 16);
  const std::array<std::pair<CpuFeatures, std::string>, 3> levels = {{
      {kNeon, "4x4c16"},
      {kNeon | kNeonDot, "4x16c4_dot"},
      {kNeon | kNeonDot | kNeonI8mm, "4x16c8_i8mm"},
  }};
  for (const auto& [features, tile] : levels) {
    EXPECT_EQ(Chosen(MatMulKernels(), product.spec, features), "neon/gemm_s8_" + tile);
    EXPECT_EQ(Chosen(ConvolutionKernels(), convolved.spec, features), "neon/indirect_s8_" + tile);
    EXPECT_EQ(Chosen(ConvolutionKernels(), coloured.spec, features), "neon/gathered_s8_" + tile);
    EXPECT_EQ(Chosen(ConvolutionKernels(), depthwise.spec, features), "neon/depthwise_s8");
  }
}

TEST(NeonInt8Test, WhatIsNotServedIsLeftToTheReference) {
  Convolved rows(32, 16, 1);
  rows.spec.src.layout = rows.spec.dst.layout = Layout::kRowMajor;
  EXPECT_EQ(Chosen(ConvolutionKernels(), rows.spec, DetectCpuFeatures()), "reference/direct");
  Product transposed(4, 16, 32, ElementType::kUint8);
  transposed.spec.transpose_lhs = true;
  EXPECT_EQ(Chosen(MatMulKernels(), transposed.spec, DetectCpuFeatures()), "reference/direct");
}

// -128 times -128, twice, leaves 16 bits: the kernels that add pairs there must not take it.
TEST(NeonInt8Test, PairsOfMinus128AreNotAddedIn16Bits) {
  Product product(4, 16, 32, ElementType::kFloat32);
  product.spec.src_type = ElementType::kInt8;
  const std::vector<int8_t> src(4 * 32, -128);
  const auto expect_exact = [&](const std::string& baseline) {
    EXPECT_EQ(Chosen(MatMulKernels(), product.spec, kNeon), baseline);
    testing::ExpectEnginesAgree<float>(MatMulKernels(), product.spec, {src.data()}, 4 * 16, 0);
  };
  product.weights[16 * 1] = product.weights[16 * 9] = -128;  // column 0, depths 1 and 9
  expect_exact("reference/direct");
  product.weights[16 * 9] = -127;
  expect_exact("neon/gemm_s8_4x4c16");

  Convolved depthwise(16, 16, 16);
  depthwise.weights[2] = depthwise.weights[3] = -128;
  // As one of many groups it is gathered: other weights make pairs there.
  EXPECT_EQ(Chosen(ConvolutionKernels(), depthwise.spec, kNeon), "neon/gathered_s8_4x4c16");
  depthwise.weights[3] = -127;
  EXPECT_EQ(Chosen(ConvolutionKernels(), depthwise.spec, kNeon), "neon/depthwise_s8");
}

TEST(NeonInt8Test, PreparationsOfOneIdShareTheirPackedWeights) {
  Product product(4, 20, 32, ElementType::kUint8);
  product.spec.sum.weights_id = 7;
  PackedWeights packed;
  const PrepareContext context{.features = kNeon, .packed = &packed};
  const PreparedPtr four = PrepareFirst(MatMulKernels(), product.spec, context);
  product.spec.m = 9;
  const PreparedPtr nine = PrepareFirst(MatMulKernels(), product.spec, context);
  // Two blocks of 16 columns: sums, then 32 weights each.
  EXPECT_EQ(packed.bytes(), 2u * 16 * (4 + 32));
  EXPECT_EQ(nine->packed_bytes(), packed.bytes());
}

class NeonActivationTest : public ::testing::TestWithParam<Activation::Kind> {};

TEST_P(NeonActivationTest, GivesTheReferencesBytes) {
  Random random(static_cast<uint32_t>(GetParam()));
  Product product(7, 19, 21, ElementType::kFloat32);
  for (int8_t& weight : product.weights) weight = static_cast<int8_t>(random.Integer(-127, 127));
  for (float& multiplier : product.multiplier) multiplier = random.Real(-0.0005f, 0.0005f);
  product.spec.sum.activation = {GetParam(), 0.1f, 0.9f};
  const std::vector<uint8_t> src = random.Integers<uint8_t>(7 * 21);
  std::vector<float> residual = random.Reals(7 * 19);
  residual[3] = NAN;
  residual[4] = INFINITY;
  residual[5] = -INFINITY;
  const auto expect_same = [&](auto type, const std::vector<const void*>& inputs) {
    using T = decltype(type);
    const auto want =
        testing::RunEngine<T>(MatMulKernels(), "reference", product.spec, inputs, 7 * 19);
    const auto got = testing::RunEngine<T>(MatMulKernels(), "neon", product.spec, inputs, 7 * 19);
    ASSERT_EQ(got.size(), want.size());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(T)), 0);
  };
  product.spec.sum.residual = true;
  expect_same(0.0f, {src.data(), residual.data()});
  product.spec.sum.residual = false;
  product.spec.dst_type = ElementType::kUint8;
  product.spec.sum.dst_scale_inverse = 300.0f;  // some saturate
  product.spec.sum.dst_zero_point = 20;
  expect_same(uint8_t{0}, {src.data()});
  product.spec.dst_type = ElementType::kInt8;
  product.spec.sum.dst_zero_point = -128;
  expect_same(int8_t{0}, {src.data()});
}

INSTANTIATE_TEST_SUITE_P(Kinds, NeonActivationTest,
                         ::testing::Values(Activation::Kind::kNone, Activation::Kind::kRelu,
                                           Activation::Kind::kClip, Activation::Kind::kLeakyRelu,
                                           Activation::Kind::kSigmoid, Activation::Kind::kTanh,
                                           Activation::Kind::kHardSwish, Activation::Kind::kSwish,
                                           Activation::Kind::kElu));

}  // namespace
}  // namespace fourfold::kernels
