#include "kernels/arithmetic.h"

#include <bit>
#include <cmath>

#include "gtest/gtest.h"

namespace fourfold::kernels {
namespace {

// From the format's definition: (-1)^s (1 + f) 2^(e - 15).
double ValueOfHalf(uint16_t half) {
  const int sign = half >> 15, exponent = half >> 10 & 31, fraction = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return sign != 0 ? -magnitude : magnitude;
}

TEST(ArithmeticTest, Float32BitsOfTheWorkedFigures) {
  EXPECT_EQ(std::bit_cast<float>(0x40C00000u), 6.0f);
  EXPECT_EQ(std::bit_cast<uint32_t>(-0.5f), 0xBF000000u);
}

TEST(ArithmeticTest, EveryHalfSurvivesTheRoundTrip) {
  for (uint32_t i = 0; i <= 0xFFFF; ++i) {
    const auto half = static_cast<uint16_t>(i);
    const float value = HalfToFloat(half);
    if ((half & 0x7C00) == 0x7C00 && (half & 0x3FF) != 0) {
      EXPECT_TRUE(std::isnan(value)) << i;
      EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(value)))) << i;
      continue;
    }
    if ((half & 0x7C00) != 0x7C00) {
      ASSERT_EQ(static_cast<double>(value), ValueOfHalf(half)) << i;
    }
    ASSERT_EQ(FloatToHalf(value), half);
  }
}

TEST(ArithmeticTest, HalvesRoundToTheNearestWithTiesToEven) {
  for (uint32_t i = 0; i < 0x7BFF; ++i) {
    const auto low = static_cast<uint16_t>(i), high = static_cast<uint16_t>(i + 1);
    const float middle = (HalfToFloat(low) + HalfToFloat(high)) / 2;  // exact in float32
    ASSERT_EQ(FloatToHalf(middle), i % 2 == 0 ? low : high) << i;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, 1e9f)), high) << i;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), low) << i;
  }
}

TEST(ArithmeticTest, HalvesOverflowToInfinityAndUnderflowToZero) {
  EXPECT_EQ(FloatToHalf(65504.0f), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65519.996f), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7C00);
  EXPECT_EQ(FloatToHalf(-1e30f), 0xFC00);
  EXPECT_EQ(FloatToHalf(INFINITY), 0x7C00);
  EXPECT_EQ(FloatToHalf(0x1p-24f), 0x0001);
  EXPECT_EQ(FloatToHalf(0x1p-25f), 0x0000);
  EXPECT_EQ(FloatToHalf(-1e-30f), 0x8000);
  EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(NAN))));
}

TEST(ArithmeticTest, BFloat16RoundsToEvenAndKeepsNaN) {
  for (uint32_t i = 0; i <= 0xFFFF; ++i) {
    const auto stored = static_cast<uint16_t>(i);
    const float value = BFloat16ToFloat(stored);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(BFloat16ToFloat(FloatToBFloat16(value))));
    } else {
      ASSERT_EQ(FloatToBFloat16(value), stored);
    }
  }
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3F808000u)), 0x3F80);
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3F818000u)), 0x3F82);
  EXPECT_EQ(FloatToBFloat16(std::numeric_limits<float>::max()), 0x7F80);
}

TEST(ArithmeticTest, RoundsHalfToEven) {
  EXPECT_EQ(RoundHalfToEven(0.5f), 0.0f);
  EXPECT_EQ(RoundHalfToEven(1.5f), 2.0f);
  EXPECT_EQ(RoundHalfToEven(2.5f), 2.0f);
  EXPECT_EQ(RoundHalfToEven(-2.5f), -2.0f);
}

TEST(ArithmeticTest, SaturatesAfterTheZeroPoint) {
  EXPECT_EQ(RoundAndSaturate<uint8_t>(2.5f, 3), 5);
  EXPECT_EQ(RoundAndSaturate<uint8_t>(255.0f, 1), 255);
  EXPECT_EQ(RoundAndSaturate<uint8_t>(-3.0f, 2), 0);
  EXPECT_EQ(RoundAndSaturate<int8_t>(-1e30f, 100), -128);
  EXPECT_EQ(RoundAndSaturate<int8_t>(INFINITY, -128), 127);
  EXPECT_EQ(RoundAndSaturate<int8_t>(NAN, -7), -7);
  EXPECT_EQ(RoundAndSaturate<int8_t>(-128.5f, 0), -128);
}

TEST(ArithmeticTest, StoresSignedBytesInTwosComplement) {
  EXPECT_EQ(std::bit_cast<uint8_t>(int8_t{49}), 0b00110001);
  EXPECT_EQ(std::bit_cast<uint8_t>(int8_t{-49}), 0b11001111);
}

}  // namespace
}  // namespace fourfold::kernels
