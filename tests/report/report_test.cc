#include "server/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fourfold::report {
namespace {

using ::testing::HasSubstr;

Report Example() {
  Report report;
  report.model = "digits";
  report.version = 3;
  report.cpu_isa = "avx512_vnni";
  report.cpu_threads = 2;
  report.warnings = {"few samples"};
  Variant variant;
  variant.variant = "int8";
  variant.is_default = true;
  variant.size = {100, 80, 300};
  variant.latency = {1, 1, 0.5, 0.6, 0.7, 2000};
  variant.labelled = Labelled{540, 0.98, 1.0};
  variant.fidelity = Fidelity{540, 0.99, 0.98, 31.5, 0.999};
  variant.executed = {0.97, 0.0, {{"conv", "onednn/x"}, {"matmul", "reference"}}, "note"};
  variant.versus_fp32 = {3.5, 0.26, -0.002};
  variant.sha256 = "ab12";
  report.variants = {variant};
  return report;
}

TEST(ReportTest, SurvivesJson) {
  const absl::StatusOr<Report> again = FromJson(ToJson(Example()));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ToJson(*again), ToJson(Example()));
  EXPECT_EQ(again->variants[0].executed.kernels.size(), 2u);
  EXPECT_EQ(again->variants[0].fidelity->sqnr_db, 31.5);
}

TEST(ReportTest, LeavesOutWhatWasNotMeasured) {
  Report report = Example();
  report.variants[0].labelled.reset();
  const std::string text = ToJson(report);
  EXPECT_THAT(text, ::testing::Not(HasSubstr("labelled")));
  EXPECT_FALSE(FromJson(text)->variants[0].labelled.has_value());
}

TEST(ReportTest, NamesTheFieldThatIsMissingOrWrong) {
  EXPECT_THAT(FromJson("{").status().message(), HasSubstr("not JSON"));
  EXPECT_THAT(FromJson("[]").status().message(), HasSubstr("no object"));
  std::string text = ToJson(Example(), -1);
  const size_t at = text.find("\"p50_ms\":0.5");
  text.replace(at, 12, "\"p50_ms\":\"x\"");
  EXPECT_THAT(FromJson(text).status().message(), HasSubstr("p50_ms"));
  EXPECT_THAT(FromJson(text).status().message(), HasSubstr("variants[0].latency"));
}

}  // namespace
}  // namespace fourfold::report
