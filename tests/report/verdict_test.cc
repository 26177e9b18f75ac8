#include "server/report/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fourfold::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

Variant Named(const std::string& name, double speedup, double size_ratio) {
  Variant variant;
  variant.variant = name;
  variant.versus_fp32 = {speedup, size_ratio, 0};
  return variant;
}

// fp32 and an int8 that is 2.6 times as fast and differs on 3 of 500 samples.
Report Example() {
  Report report;
  report.variants = {Named("fp32", 1, 1), Named("int8", 2.604, 0.2912)};
  report.variants[0].fidelity = Fidelity{500, 1, 0.994, 200, 1};
  report.variants[1].is_default = true;
  report.variants[1].fidelity = Fidelity{500, 497. / 500, 0.98457, 31, 0.999};
  return report;
}

std::string OfInt8(const Report& report) { return ToVerdict(report).variants.back().text; }

TEST(VerdictTest, SaysSpeedSizeAndAgreementWithItsBound) {
  const Verdict verdict = ToVerdict(Example());
  ASSERT_THAT(verdict.variants, SizeIs(1));  // fp32 is what the others are compared with
  EXPECT_EQ(verdict.variants[0].variant, "int8");
  EXPECT_EQ(verdict.variants[0].text,
            "int8 is 2.60 times as fast as fp32; its file is 0.29 of fp32's size; it agrees with "
            "fp32 on 497 of 500 samples (99.4%; at least 98.4% with 95% confidence).");
}

TEST(VerdictTest, SaysPlainlyWhenAVariantIsSlowerOrLarger) {
  Report report = Example();
  report.variants[1].versus_fp32 = {0.77, 1.31, 0};
  EXPECT_THAT(OfInt8(report),
              HasSubstr("int8 is slower than fp32 on this machine: 0.77 times as fast; its file is "
                        "larger, 1.31 of fp32's size"));
}

TEST(VerdictTest, CallsSpeedsWithinFivePercentEqual) {
  Report report = Example();
  for (const double same : {0.96, 1.0, 1.04}) {
    report.variants[1].versus_fp32.speedup = same;
    EXPECT_THAT(OfInt8(report), HasSubstr("is about as fast as fp32")) << same;
  }
  report.variants[1].versus_fp32.speedup = 0.94;
  EXPECT_THAT(OfInt8(report), HasSubstr("is slower than fp32"));
  report.variants[1].versus_fp32.speedup = 1.06;
  EXPECT_THAT(OfInt8(report), HasSubstr("1.06 times as fast as fp32"));
}

TEST(VerdictTest, DoesNotRoundAShareUpToPerfect) {
  Report report = Example();
  report.variants[1].fidelity = Fidelity{10000, 0.9999, 0.99953, 60, 1};
  EXPECT_THAT(OfInt8(report), HasSubstr("9999 of 10000 samples (99.9%; at least 99.9% with"));
  report.variants[1].fidelity->top1_agreement = 1;
  EXPECT_THAT(OfInt8(report), HasSubstr("10000 of 10000 samples (100.0%; "));
}

TEST(VerdictTest, ComparesLabelledAccuracyInPoints) {
  Report report = Example();
  report.variants[1].labelled = Labelled{540, 0.9703, 1};
  report.variants[1].versus_fp32.top1_delta = -0.0019;
  EXPECT_THAT(OfInt8(report), HasSubstr("Top-1 accuracy is 97.03% on 540 samples with labels, 0.19 "
                                        "points below fp32."));
  report.variants[1].versus_fp32.top1_delta = 0.002;
  EXPECT_THAT(OfInt8(report), HasSubstr("0.20 points above fp32."));
  report.variants[1].versus_fp32.top1_delta = 0;
  EXPECT_THAT(OfInt8(report), HasSubstr("the same as fp32."));
}

TEST(VerdictTest, SaysWhatIsUnknownWithoutSamples) {
  Report report = Example();
  for (Variant& variant : report.variants) variant.fidelity.reset();
  report.variants[0].is_default = true;
  report.variants[1].is_default = false;
  EXPECT_THAT(OfInt8(report), HasSubstr("no samples were given, so how often it agrees with fp32 "
                                        "is unknown."));
  EXPECT_THAT(OfInt8(report), Not(HasSubstr("%")));
  EXPECT_EQ(ToVerdict(report).summary,
            "fp32 is the default variant: no samples were given, so the loss of the others is "
            "unknown.");
}

TEST(VerdictTest, SaysWhyTheDefaultIsTheDefault) {
  Report report = Example();
  EXPECT_EQ(ToVerdict(report).summary,
            "int8 is the default variant: the fastest whose measured loss is small enough.");
  report.variants[0].is_default = true;
  report.variants[1].is_default = false;
  EXPECT_EQ(ToVerdict(report).summary,
            "fp32 is the default variant: none of the others is faster with a loss small enough.");
  report.variants.pop_back();
  EXPECT_EQ(ToVerdict(report).summary, "fp32 is the default variant: there is no other.");
  EXPECT_THAT(ToVerdict(report).variants, SizeIs(0));
  EXPECT_EQ(ToVerdict(Report()).summary, "No variant is marked as the default.");
}

}  // namespace
}  // namespace fourfold::report
