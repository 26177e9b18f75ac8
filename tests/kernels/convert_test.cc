#include "kernels/convert.h"

#include <cmath>

#include "kernels/arithmetic.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

template <typename T, typename S>
std::vector<T> Converted(ElementType from, ElementType to, std::vector<S> src) {
  const ConvertSpec spec{
      .src_type = from, .dst_type = to, .count = static_cast<int64_t>(src.size())};
  return testing::RunEngine<T>(ConvertKernels(), "reference", spec, {src.data()}, spec.count, 3);
}

TEST(ConvertTest, FloatToIntegerTruncatesAndSaturates) {
  EXPECT_EQ((Converted<int8_t, float>(ElementType::kFloat32, ElementType::kInt8,
                                      {1.9f, -1.9f, 127.9f, 1e9f, -1e9f, NAN, INFINITY})),
            (std::vector<int8_t>{1, -1, 127, 127, -128, 0, 127}));
  EXPECT_EQ((Converted<int64_t, float>(ElementType::kFloat32, ElementType::kInt64,
                                       {1e30f, -1e30f, -2.5f})),
            (std::vector<int64_t>{std::numeric_limits<int64_t>::max(),
                                  std::numeric_limits<int64_t>::min(), -2}));
  EXPECT_EQ((Converted<uint32_t, double>(ElementType::kFloat64, ElementType::kUint32,
                                         {4294967295.0, 5e9, -1.0})),
            (std::vector<uint32_t>{4294967295u, 4294967295u, 0}));
}

TEST(ConvertTest, BoolsAreZeroOrOne) {
  EXPECT_EQ((Converted<uint8_t, float>(ElementType::kFloat32, ElementType::kBool,
                                       {0.0f, -0.0f, 0.1f, NAN})),
            (std::vector<uint8_t>{0, 0, 1, 1}));
  EXPECT_EQ((Converted<float, uint8_t>(ElementType::kBool, ElementType::kFloat32, {0, 1})),
            (std::vector<float>{0, 1}));
}

TEST(ConvertTest, HalvesBothWays) {
  EXPECT_EQ(
      (Converted<uint16_t, float>(ElementType::kFloat32, ElementType::kFloat16, {1.0f, 65520.0f})),
      (std::vector<uint16_t>{0x3C00, 0x7C00}));
  EXPECT_EQ(
      (Converted<float, uint16_t>(ElementType::kFloat16, ElementType::kFloat32, {0x3C00, 0x0001})),
      (std::vector<float>{1.0f, 0x1p-24f}));
  EXPECT_EQ((Converted<uint16_t, int32_t>(ElementType::kInt32, ElementType::kBFloat16, {1, -2})),
            (std::vector<uint16_t>{0x3F80, 0xC000}));
}

TEST(ConvertTest, IntegersWrapAsInCpp) {
  EXPECT_EQ((Converted<int8_t, int64_t>(ElementType::kInt64, ElementType::kInt8, {300, -129})),
            (std::vector<int8_t>{44, 127}));
  std::vector<int32_t> many(100003);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int32_t>(i);
  EXPECT_EQ((Converted<int64_t, int32_t>(ElementType::kInt32, ElementType::kInt64, many)),
            std::vector<int64_t>(many.begin(), many.end()));
}

}  // namespace
}  // namespace fourfold::kernels
