#include "kernels/cpu_features.h"

#include <cstdlib>
#include <map>

#include "kernels/convolution.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

constexpr CpuFeatures kServer = kAvx2 | kAvx512 | kAvx512Vnni | kAvxVnni;

TEST(CpuFeaturesTest, NativeIsAllThereIs) {
  const ParsedCpuFeatures parsed = ParseCpuFeatures("native", kServer);
  EXPECT_EQ(parsed.error, "");
  EXPECT_EQ(parsed.features, kServer);
}

TEST(CpuFeaturesTest, ReferenceIsNothing) {
  const ParsedCpuFeatures parsed = ParseCpuFeatures("reference", kServer);
  EXPECT_EQ(parsed.error, "");
  EXPECT_EQ(parsed.features, kNoFeatures);
}

TEST(CpuFeaturesTest, ALevelIncludesTheOnesBelow) {
  EXPECT_EQ(ParseCpuFeatures("avx512", kServer).features, kAvx2 | kAvx512);
  EXPECT_EQ(ParseCpuFeatures("i8mm", kNeon | kNeonDot | kNeonI8mm).features,
            kNeon | kNeonDot | kNeonI8mm);
}

TEST(CpuFeaturesTest, RefusesWhatTheCpuLacks) {
  const std::string error = ParseCpuFeatures("amx", kServer).error;
  EXPECT_THAT(error, ::testing::HasSubstr("\"amx\""));
  EXPECT_THAT(error, ::testing::HasSubstr("\"avx512_vnni\""));
  EXPECT_NE(ParseCpuFeatures("neon", kServer).error, "");
}

TEST(CpuFeaturesTest, RefusesUnknownNamesAndListsTheKnown) {
  for (const char* name : {"", "AVX2", "sse", "avx2 ", "avx512,amx"}) {
    const std::string error = ParseCpuFeatures(name, kServer).error;
    EXPECT_THAT(error, ::testing::HasSubstr(std::string("\"") + name + "\""));
    EXPECT_THAT(error, ::testing::HasSubstr("native, reference, avx2"));
  }
}

TEST(CpuFeaturesTest, NamesTheHighestWholeLevel) {
  EXPECT_EQ(CpuLevelName(kNoFeatures), "reference");
  EXPECT_EQ(CpuLevelName(kServer), "avx512_vnni");
  EXPECT_EQ(CpuLevelName(kAvx512), "reference");
  EXPECT_EQ(CpuLevelName(kNeon | kNeonDot), "dotprod");
}

TEST(CpuFeaturesTest, DetectedFeaturesNameALevelThatParses) {
  const CpuFeatures features = DetectCpuFeatures();
  EXPECT_EQ(ParseCpuFeatures(CpuLevelName(features), features).error, "");
}

// qemu-user pretends to be the processor that QEMU_CPU names.
TEST(CpuFeaturesTest, AnEmulatedCpuOffersWhatItsModelHas) {
  const char* const model = std::getenv("QEMU_CPU");
  if (model == nullptr) GTEST_SKIP() << "QEMU_CPU is not set: not emulated";
  const std::map<std::string, CpuFeatures> models = {
      {"cortex-a53", kNeon},
      {"neoverse-n1", kNeon | kNeonDot | kNeonFp16},
      {"max", kNeon | kNeonDot | kNeonFp16 | kNeonI8mm},
  };
  ASSERT_EQ(models.count(model), 1u) << model;
  EXPECT_EQ(DetectCpuFeatures(), models.at(model));
}

TEST(CpuFeaturesTest, WithoutFeaturesOnlyTheReferenceIsChosen) {
  const std::vector<float> weights(9, 1.0f);
  ConvolutionSpec spec{.src = {.dims = {1, 1, 5, 5}},
                       .dst = {.dims = {1, 1, 3, 3}},
                       .weights = {1, 1, 3, 3},
                       .strides = {1, 1},
                       .dilations = {1, 1},
                       .pads_begin = {0, 0},
                       .pads_end = {0, 0},
                       .sum = {}};
  spec.sum.weights = weights.data();
  const PreparedPtr kernel = PrepareFirst(ConvolutionKernels(), spec, {.features = kNoFeatures});
  ASSERT_NE(kernel, nullptr);
  EXPECT_THAT(std::string(kernel->implementation()), ::testing::StartsWith("reference/"));
}

}  // namespace
}  // namespace fourfold::kernels
