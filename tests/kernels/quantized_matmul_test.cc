#include "kernels/quantized_matmul.h"

#include "tests/kernels/testing.h"

namespace fourfold::kernels {
namespace {

using testing::ExpectEnginesAgree;
using testing::Fenced;
using testing::Random;
using testing::RunEngine;

// Operands of a spec as bytes; int8 is read from the same bits.
struct Operands {
  Fenced<uint8_t> lhs, rhs;
  Operands(const QuantizedMatMulSpec& spec, Random& random)
      : lhs(random.Integers<uint8_t>(spec.lhs_batch * spec.m * spec.k)),
        rhs(random.Integers<uint8_t>(spec.rhs_batch * spec.k * spec.n)) {}
};

int64_t Count(const QuantizedMatMulSpec& spec) {
  return std::max(spec.lhs_batch, spec.rhs_batch) * spec.m * spec.n;
}

TEST(QuantizedMatMulTest, MatchesAWorkedProduct) {
  // (3 - 1) (20 - 10) + (5 - 1) (7 - 10) = 8, times 0.5 * 0.25; as uint8 with scale 0.125: 8 + 100.
  QuantizedMatMulSpec spec{.m = 1, .n = 1, .k = 2, .lhs = {0.5f, 1}, .rhs = {0.25f, 10}};
  const std::vector<uint8_t> lhs = {3, 5}, rhs = {20, 7};
  const std::vector<const void*> inputs = {lhs.data(), rhs.data()};
  EXPECT_EQ(RunEngine<float>(QuantizedMatMulKernels(), "reference", spec, inputs, 1)[0], 1.0f);
  spec.dst_type = ElementType::kUint8;
  spec.dst = {0.125f, 100};
  EXPECT_EQ(RunEngine<uint8_t>(QuantizedMatMulKernels(), "reference", spec, inputs, 1)[0], 108);
}

TEST(QuantizedMatMulTest, EnginesAgreeOverShapesTypesAndTransposes) {
  Random random(1);
  for (const ElementType lhs : {ElementType::kUint8, ElementType::kInt8}) {
    for (const ElementType rhs : {ElementType::kUint8, ElementType::kInt8}) {
      for (const int transposes : {0, 1, 2, 3}) {
        for (const auto& [l, r, m, n, k] : {std::array<int64_t, 5>{1, 1, 1, 1, 1},
                                            {4, 4, 16, 16, 16},
                                            {3, 1, 5, 7, 9},
                                            {1, 2, 17, 33, 65},
                                            {2, 2, 3, 64, 130}}) {
          QuantizedMatMulSpec spec{.lhs_type = lhs,
                                   .rhs_type = rhs,
                                   .lhs_batch = l,
                                   .rhs_batch = r,
                                   .m = m,
                                   .n = n,
                                   .k = k,
                                   .transpose_lhs = (transposes & 1) != 0,
                                   .transpose_rhs = (transposes & 2) != 0};
          const int low = lhs == ElementType::kInt8 ? -128 : 0;
          spec.lhs = {0.013f, static_cast<int32_t>(random.Integer(low, low + 255))};
          spec.rhs = {0.021f, rhs == ElementType::kInt8 ? -7 : 131};
          const Operands operands(spec, random);
          const std::vector<const void*> inputs = {operands.lhs.data(), operands.rhs.data()};
          ExpectEnginesAgree<float>(QuantizedMatMulKernels(), spec, inputs, Count(spec), 0.0);
          spec.dst_type = ElementType::kUint8;
          spec.dst = {0.4f, 90};
          spec.activation = {Activation::Kind::kRelu};
          ExpectEnginesAgree<uint8_t>(QuantizedMatMulKernels(), spec, inputs, Count(spec), 0.0);
        }
      }
    }
  }
}

TEST(QuantizedMatMulTest, ScalesArriveForEachSample) {
  Random random(2);
  QuantizedMatMulSpec spec{.lhs_batch = 6, .rhs_batch = 6, .m = 4, .n = 5, .k = 7};
  spec.dynamic = true;
  spec.lhs_samples = 2;
  spec.rhs_samples = 3;
  const Operands operands(spec, random);
  const std::vector<QuantParams> lhs = {{0.1f, 3}, {2.0f, 250}};
  const std::vector<QuantParams> rhs = {{0.3f, 0}, {0.01f, 128}, {1.0f, 17}};
  const std::vector<float> got = ExpectEnginesAgree<float>(
      QuantizedMatMulKernels(), spec,
      {operands.lhs.data(), operands.rhs.data(), lhs.data(), rhs.data()}, Count(spec), 0.0);
  // Batch 4 is of lhs's second sample and of rhs's third.
  int32_t sum = 0;
  for (int64_t j = 0; j < 7; ++j)
    sum += (operands.lhs.data()[4 * 28 + j] - 250) * (operands.rhs.data()[4 * 35 + j * 5] - 17);
  EXPECT_EQ(got[4 * 20], static_cast<float>(sum) * 2.0f);
}

TEST(QuantizedMatMulTest, TakesTheLongestExactSumAndNoMore) {
  QuantizedMatMulSpec spec{.m = 1, .n = 1, .k = kMaxExactOperandSum};
  const std::vector<uint8_t> all(static_cast<size_t>(spec.k), 255);
  EXPECT_EQ(ExpectEnginesAgree<float>(QuantizedMatMulKernels(), spec, {all.data(), all.data()}, 1,
                                      0.0)[0],
            static_cast<float>(255 * 255 * kMaxExactOperandSum));
  ++spec.k;
  EXPECT_EQ(PrepareFirst(QuantizedMatMulKernels(), spec, {.features = DetectCpuFeatures()}),
            nullptr);
}

}  // namespace
}  // namespace fourfold::kernels
