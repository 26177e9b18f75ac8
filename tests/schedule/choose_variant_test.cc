#include "server/schedule/choose_variant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/small_model.h"

namespace fourfold::schedule {
namespace {

using ::testing::HasSubstr;

// p50 10, 9, 8, 7 ms; p99 12, 11, 10, 9 ms; agreement 1, 0.98, 0.96, 0.94; default int8.
class ChooseVariantTest : public ::testing::Test {
 protected:
  ChooseVariantTest() {
    version_.model = "m";
    version_.report = testing::ReportOf({"fp32", "fp16", "hybrid", "int8"});
    for (const report::Variant& figures : version_.report.variants) {
      auto variant = std::make_shared<registry::Variant>();
      variant->name = figures.variant;
      variant->figures = figures;
      variant->file.bytes = figures.size.file_bytes;
      version_.variants.push_back(variant);
    }
  }

  std::string Choose(const VariantWish& wish) {
    const auto variant = ChooseVariant(version_, wish);
    return variant.ok() ? (*variant)->name
                        : std::string(absl::StatusCodeToString(variant.status().code()));
  }

  registry::ModelVersion version_;
};

TEST_F(ChooseVariantTest, TakesTheDefaultOrTheNamed) {
  EXPECT_EQ(Choose({}), "int8");
  EXPECT_EQ(Choose({.variant = "fp16"}), "fp16");
  EXPECT_EQ(Choose({.variant = "fp64"}), "NOT_FOUND");
  EXPECT_THAT(ChooseVariant(version_, {.variant = "fp64"}).status().ToString(),
              HasSubstr("it has fp32, fp16, hybrid, int8"));
}

TEST_F(ChooseVariantTest, KeepsBounds) {
  EXPECT_EQ(Choose({.min_agreement = 0.97}), "fp16") << "the fastest that agrees enough";
  EXPECT_EQ(Choose({.max_latency_ms = 9.0}), "int8") << "at the limit";
  EXPECT_EQ(Choose({.max_latency_ms = 11.0, .prefer = Preference::kAccuracy}), "fp16");
  EXPECT_EQ(Choose({.max_latency_ms = 11.0, .min_agreement = 0.95}), "hybrid");
  EXPECT_EQ(Choose({.max_latency_ms = 8.9}), "FAILED_PRECONDITION");
  EXPECT_EQ(Choose({.max_latency_ms = 9.5, .min_agreement = 0.95}), "FAILED_PRECONDITION");
}

TEST_F(ChooseVariantTest, Prefers) {
  EXPECT_EQ(Choose({.prefer = Preference::kAccuracy}), "fp32");
  EXPECT_EQ(Choose({.prefer = Preference::kLatency}), "int8");
  EXPECT_EQ(Choose({.prefer = Preference::kSize}), "int8");
  EXPECT_EQ(ParsePreference("size").value(), Preference::kSize);
  EXPECT_EQ(ParsePreference("speed").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ChooseVariantTest, DoesNotCallTheUnmeasuredAgreeing) {
  auto unmeasured = std::make_shared<registry::Variant>(*version_.variants[3]);
  unmeasured->figures.fidelity.reset();
  version_.variants[3] = unmeasured;
  EXPECT_EQ(Choose({.min_agreement = 0.0}), "hybrid");
}

}  // namespace
}  // namespace fourfold::schedule
