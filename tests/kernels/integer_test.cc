#include "kernels/integer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"

namespace fourfold::kernels {
namespace {

using ::testing::ElementsAre;
using testing::Random;

template <typename Spec>
std::vector<int32_t> Sums(std::span<const Kernel<Spec>> table, const Spec& spec,
                          const std::vector<const void*>& inputs, int64_t count, int threads = 1) {
  const PreparedPtr kernel = PrepareFirst(table, spec, {.threads = threads});
  if (kernel == nullptr) return {};
  return testing::RunKernel<int32_t>(*kernel, inputs, count, threads);
}

// ONNX's own example of the operator: test_matmulinteger.
TEST(IntegerMatMulTest, EqualsTheExampleOfOnnx) {
  const std::vector<uint8_t> a = {11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0}, a_zero = {12};
  const std::vector<uint8_t> b = {1, 4, 2, 5, 3, 6}, b_zero = {0};
  IntegerMatMulSpec spec{.m = 4, .n = 2, .k = 3, .lhs_zero_points = 1, .rhs_zero_points = 1};
  EXPECT_THAT(
      Sums(IntegerMatMulKernels(), spec, {a.data(), b.data(), a_zero.data(), b_zero.data()}, 8),
      ElementsAre(-38, -83, -44, -98, -50, -113, -56, -128));
}

TEST(IntegerMatMulTest, EveryRowAndColumnHasItsZeroPointAndBatchesBroadcast) {
  constexpr int64_t kM = 5, kN = 70, kK = 9;
  Random random(11);
  const std::vector<int8_t> a = random.Integers<int8_t>(3 * kM * kK, -128, 127);
  const std::vector<uint8_t> b = random.Integers<uint8_t>(2 * kK * kN, 0, 255);
  const std::vector<int8_t> a_zero = random.Integers<int8_t>(kM, -128, 127);
  const std::vector<uint8_t> b_zero = random.Integers<uint8_t>(kN, 0, 255);
  IntegerMatMulSpec spec{.lhs_type = ElementType::kInt8,
                         .rhs_type = ElementType::kUint8,
                         .lhs_batch = {1, 3},
                         .rhs_batch = {2, 1},
                         .m = kM,
                         .n = kN,
                         .k = kK,
                         .lhs_zero_points = kM,
                         .rhs_zero_points = kN};
  std::vector<int32_t> want;
  for (int64_t i = 0; i < 2 * 3 * kM * kN; ++i) {
    const int64_t n = i % kN, m = i / kN % kM, lhs = i / kN / kM % 3, rhs = i / kN / kM / 3;
    int32_t sum = 0;
    for (int64_t k = 0; k < kK; ++k) {
      sum += (a[static_cast<size_t>((lhs * kM + m) * kK + k)] - a_zero[static_cast<size_t>(m)]) *
             (b[static_cast<size_t>((rhs * kK + k) * kN + n)] - b_zero[static_cast<size_t>(n)]);
    }
    want.push_back(sum);
  }
  for (int threads : {1, 3}) {
    EXPECT_EQ(Sums(IntegerMatMulKernels(), spec, {a.data(), b.data(), a_zero.data(), b_zero.data()},
                   static_cast<int64_t>(want.size()), threads),
              want);
  }
}

TEST(IntegerMatMulTest, SumsBeyondInt32WrapAround) {
  constexpr int64_t kK = 40000;
  const std::vector<uint8_t> a(kK, 255), b(kK, 255);
  IntegerMatMulSpec spec{.m = 1, .n = 1, .k = kK};
  EXPECT_THAT(Sums(IntegerMatMulKernels(), spec, {a.data(), b.data(), nullptr, nullptr}, 1),
              ElementsAre(static_cast<int32_t>(static_cast<uint32_t>(kK * 255 * 255))));
}

// ONNX's own examples: test_basic_convinteger and test_convinteger_with_padding.
TEST(IntegerConvolutionTest, EqualsTheExamplesOfOnnx) {
  const std::vector<uint8_t> x = {2, 3, 4, 5, 6, 7, 8, 9, 10}, x_zero = {1}, w = {1, 1, 1, 1};
  IntegerConvolutionSpec spec{.src = {ElementType::kUint8, {1, 1, 3, 3}},
                              .weights = {ElementType::kUint8, {1, 1, 2, 2}},
                              .dst = {ElementType::kInt32, {1, 1, 2, 2}},
                              .strides = {1, 1},
                              .dilations = {1, 1},
                              .pads_begin = {0, 0},
                              .pads_end = {0, 0}};
  EXPECT_THAT(
      Sums(IntegerConvolutionKernels(), spec, {x.data(), w.data(), x_zero.data(), nullptr}, 4),
      ElementsAre(12, 16, 24, 28));
  spec.dst.dims = {1, 1, 4, 4};
  spec.pads_begin = spec.pads_end = {1, 1};
  EXPECT_THAT(
      Sums(IntegerConvolutionKernels(), spec, {x.data(), w.data(), x_zero.data(), nullptr}, 16),
      ElementsAre(1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9));
}

TEST(IntegerConvolutionTest, GroupsHaveTheirChannelsAndOutputsTheirZeroPoints) {
  const std::vector<int8_t> x = {1, 2, -3, 4};                          // [1, 2, 2]
  const std::vector<int8_t> w = {5, -6, 7, 8}, zeros = {1, 2, -3, -4};  // [4, 1, 1]
  const std::vector<int8_t> x_zero = {-1};
  const IntegerConvolutionSpec spec{.src = {ElementType::kInt8, {1, 2, 2}},
                                    .weights = {ElementType::kInt8, {4, 1, 1}},
                                    .dst = {ElementType::kInt32, {1, 4, 2}},
                                    .groups = 2,
                                    .strides = {1},
                                    .dilations = {1},
                                    .pads_begin = {0},
                                    .pads_end = {0},
                                    .weights_zero_points = 4};
  EXPECT_THAT(
      Sums(IntegerConvolutionKernels(), spec, {x.data(), w.data(), x_zero.data(), zeros.data()}, 8),
      ElementsAre(8, 12, -16, -24, -20, 50, -24, 60));
}

TEST(IntegerConvolutionTest, WhatDoesNotFitIsRefused) {
  IntegerConvolutionSpec spec{.src = {ElementType::kInt8, {1, 3, 2}},
                              .weights = {ElementType::kInt8, {4, 2, 1}},
                              .dst = {ElementType::kInt32, {1, 4, 2}},
                              .groups = 2,
                              .strides = {1},
                              .dilations = {1},
                              .pads_begin = {0},
                              .pads_end = {0}};
  EXPECT_EQ(PrepareFirst(IntegerConvolutionKernels(), spec, {}), nullptr);
  const IntegerMatMulSpec zeros{.m = 2, .n = 3, .k = 1, .lhs_zero_points = 3};
  EXPECT_EQ(PrepareFirst(IntegerMatMulKernels(), zeros, {}), nullptr);
}

}  // namespace
}  // namespace fourfold::kernels
