#include "server/tools/report_text.h"

#include <gmock/gmock.h>

namespace fourfold::tools {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

report::Report Sample() {
  report::Report report;
  report.cpu_isa = "avx2";
  report.cpu_threads = 1;
  report::Variant fp32;
  fp32.variant = "fp32";
  fp32.size.file_bytes = 1000;
  fp32.versus_fp32 = {1.0, 1.0, 0.0};
  report::Variant int8 = fp32;
  int8.variant = "int8";
  int8.is_default = true;
  int8.latency.p50_ms = 0.1234;
  int8.versus_fp32 = {2.5, 0.27, -0.01};
  int8.labelled = report::Labelled{100, 0.9876, 1.0};
  int8.fidelity = report::Fidelity{100, 0.9543, 0.9, 31.25, 0.999};
  int8.executed.int8_macs = 1;
  int8.executed.kernels = {{"conv", "engine/fast"}};
  report.variants = {fp32, int8};
  report.warnings = {"few samples"};
  return report;
}

TEST(ReportToTableTest, ShowsWhatEachVariantCostsAndLoses) {
  const std::string table = ReportToTable(Sample());
  EXPECT_THAT(table, AllOf(HasSubstr("int8 *"), Not(HasSubstr("fp32 *")), HasSubstr("0.123"),
                           HasSubstr("2.50x"), HasSubstr("0.27"), HasSubstr("0.9876"),
                           HasSubstr("0.9543"), HasSubstr("31.2"), HasSubstr("conv=engine/fast")));
  EXPECT_THAT(table, AllOf(HasSubstr("CPU: avx2, 1 thread,"), HasSubstr("warning: few samples\n")));
}

TEST(ReportToTableTest, WhatWasNotMeasuredIsADash) {
  report::Report report = Sample();
  report.variants.resize(1);
  const std::string table = ReportToTable(report);
  EXPECT_THAT(table, HasSubstr(" - "));
}

}  // namespace
}  // namespace fourfold::tools
