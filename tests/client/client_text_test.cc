#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "client/cli/comparison_text.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/tensor_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

using client::Comparison;
using client::VariantReport;
using nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Comparison TwoVariants() {
  VariantReport fp32;
  fp32.variant = "fp32";
  fp32.size = {4000, 3900, 8192};
  fp32.latency = {1, 1, 2.0, 2.5, 3.0, 500};
  fp32.labelled = {360, 0.975, 1.0};
  fp32.fidelity = {360, 1.0, 0.9917, 200, 1.0};
  fp32.versus_fp32 = {1.0, 1.0, 0.0};
  fp32.sha256 = std::string(64, 'a');
  VariantReport int8;
  int8.variant = "int8";
  int8.is_default = true;
  int8.size = {1200, 1000, 4096};
  int8.latency = {1, 1, 0.5, 0.6, 0.75, 2000};
  int8.labelled = {360, 0.9725, 1.0};
  int8.fidelity = {360, 0.99, 0.978, 31.25, 0.9996};
  int8.executed = {0.96875, 0, {{"conv", "onednn/brgconv, amx"}}, "static scales"};
  int8.versus_fp32 = {4.0, 0.3, -0.0025};
  int8.sha256 = std::string(64, 'b');
  return {"digits", 2, "avx512_core_amx", 2, {fp32, int8}, {"a warning"}};
}

TEST(TableTest, AlignsColumnsAndLeavesNoSpacesAtLineEnds) {
  Table table;
  table.AddColumn("name", Align::kLeft);
  table.AddColumn("size", Align::kRight);
  table.AddColumn("note", Align::kLeft);
  table.AddRow({"a", "1", "x"});
  table.AddRow({"longer", "12345", ""});
  EXPECT_EQ(table.Render(),
            "name     size  note\n"
            "a           1  x\n"
            "longer  12345\n");
}

TEST(TableTest, FormatsSizesTimesAndShapes) {
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.00 KiB");
  EXPECT_EQ(FormatBytes(13'000'000), "12.4 MiB");
  EXPECT_EQ(FormatTime(0), "-");
  EXPECT_EQ(FormatTime(1'000'000'000'000), "2001-09-09 01:46:40");
  EXPECT_EQ(FormatShape({-1, 3, 8}), "?x3x8");
  EXPECT_EQ(FormatShape({}), "scalar");
}

// The schema that report.json, this command and the outside scripts share, with one set of values.
TEST(ComparisonJsonTest, HasTheFieldsOfTheContract) {
  const ordered_json got = ComparisonToJson(TwoVariants());
  const ordered_json wanted = ordered_json::parse(R"({
    "model": "digits", "version": 2, "cpu": {"isa": "avx512_core_amx", "threads": 2},
    "warnings": ["a warning"]})");
  for (const auto& [key, value] : wanted.items()) EXPECT_EQ(got.at(key), value) << key;
  ASSERT_EQ(got.at("variants").size(), 2u);
  ordered_json variant = ordered_json::parse(R"({"variant": "int8", "default": true,
    "size":     {"file_bytes": 1200, "weight_bytes": 1000, "resident_bytes": 4096},
    "latency":  {"batch": 1, "threads": 1, "p50_ms": 0.5, "p90_ms": 0.6, "p99_ms": 0.75,
                 "throughput_per_s": 2000.0},
    "accuracy": {"labelled": {"samples": 360, "top1": 0.9725, "top5": 1.0},
                 "fidelity": {"samples": 360, "top1_agreement": 0.99, "agreement_low95": 0.978,
                              "sqnr_db": 31.25, "cosine": 0.9996}},
    "executed": {"int8_macs": 0.96875, "fp16_macs": 0.0,
                 "kernels": {"conv": "onednn/brgconv, amx"}, "note": "static scales"},
    "versus_fp32": {"speedup": 4.0, "size_ratio": 0.3, "top1_delta": -0.0025}})");
  variant["sha256"] = std::string(64, 'b');
  EXPECT_EQ(got.at("variants")[1], variant);
}

TEST(ComparisonJsonTest, LeavesOutWhatWasNotMeasured) {
  Comparison comparison = TwoVariants();
  comparison.variants[0].labelled.reset();
  comparison.variants[0].fidelity.reset();
  const ordered_json json = ComparisonToJson(comparison);
  EXPECT_EQ(json.at("variants")[0].at("accuracy"), ordered_json::object());
  EXPECT_TRUE(json.at("variants")[1].at("accuracy").contains("labelled"));
}

TEST(ComparisonTableTest, ShowsEachVariantWithUnitsAndMarksTheDefault) {
  const std::vector<std::string> lines = absl::StrSplit(ComparisonToTable(TwoVariants()), '\n');
  EXPECT_THAT(lines[0], HasSubstr("digits version 2, measured on avx512_core_amx with 2 threads"));
  EXPECT_THAT(lines[2], HasSubstr("p50 ms"));
  EXPECT_THAT(lines[3], Not(HasSubstr("*")));
  const std::vector<std::string> cells = absl::StrSplit(lines[4], ' ', absl::SkipEmpty());
  EXPECT_THAT(cells, ElementsAre("int8", "*", "1.17", "KiB", "0.30", "0.500", "0.750", "2000.0",
                                 "4.00x", "97.25%", "-0.25", "99.00%", "97.80%", "31.2", "96.88%",
                                 "conv", "onednn/brgconv,", "amx"));
  EXPECT_THAT(ComparisonToTable(TwoVariants()), HasSubstr("warning: a warning"));
  EXPECT_THAT(ComparisonToTable(TwoVariants()), HasSubstr("int8: static scales"));
}

TEST(ComparisonCsvTest, HasAsManyCellsAsTitlesAndQuotesCommas) {
  Comparison comparison = TwoVariants();
  comparison.variants[0].labelled.reset();
  const std::vector<std::string> lines = absl::StrSplit(ComparisonToCsv(comparison), "\r\n");
  ASSERT_EQ(lines.size(), 4u);  // titles, two variants, the end
  const std::vector<std::string> titles = absl::StrSplit(lines[0], ',');
  const std::vector<std::string> fp32 = absl::StrSplit(lines[1], ',');
  ASSERT_EQ(fp32.size(), titles.size());
  for (size_t i = 0; i < titles.size(); ++i) {
    if (titles[i] == "top1") {
      EXPECT_EQ(fp32[i], "");
    }
    if (titles[i] == "sqnr_db") {
      EXPECT_EQ(fp32[i], "200.0");
    }
    if (titles[i] == "file_bytes") {
      EXPECT_EQ(fp32[i], "4000");
    }
  }
  EXPECT_THAT(lines[2], HasSubstr("\"conv=onednn/brgconv, amx\""));
  EXPECT_THAT(lines[2], HasSubstr(",-0.0025"));
}

client::Tensor Tensor(const std::string& datatype, std::vector<int64_t> shape, const void* bytes,
                      size_t count) {
  return {"y", datatype, std::move(shape), std::string(static_cast<const char*>(bytes), count)};
}

TEST(TensorTextTest, ShowsElementsOfEachType) {
  const int64_t big[] = {9007199254740993, -1};  // the first is no double
  EXPECT_EQ(ElementsToJson(Tensor("INT64", {2}, big, sizeof big), 9)->dump(),
            "[9007199254740993,-1]");
  const uint16_t half[] = {0x3c00, 0xb800, 0x0001, 0x7bff};  // 1, -0.5, 2^-24, 65504
  const ordered_json json = *ElementsToJson(Tensor("FP16", {4}, half, sizeof half), 9);
  EXPECT_EQ(json, ordered_json({1.0, -0.5, 5.9604644775390625e-08, 65504.0}));
  const uint8_t flags[] = {1, 0};
  EXPECT_EQ(ElementsToJson(Tensor("BOOL", {2}, flags, 2), 9)->dump(), "[true,false]");
}

TEST(TensorTextTest, ShowsTheLargestOfEachRow) {
  const float scores[] = {0.1F, 0.7F, 0.2F, -3, -2, -9};
  const client::Tensor tensor = Tensor("FP32", {2, 3}, scores, sizeof scores);
  EXPECT_EQ(*LargestToText(tensor, 8), "1 1");
  EXPECT_EQ(*LargestToText(tensor, 1), "1 ...");
  EXPECT_EQ(*ElementsToText(tensor, 2), "0.1 0.7 ...");
}

TEST(TensorTextTest, RefusesBytesThatDoNotFitTheShape) {
  const float one = 1;
  EXPECT_EQ(ElementsToJson(Tensor("FP32", {2}, &one, 4), 9).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(ElementsToJson(Tensor("BYTES", {1}, &one, 4), 9).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(ProgressTest, WritesNothingUnlessToATerminal) {
  std::ostringstream file;
  std::ostringstream terminal;
  {
    ProgressLine quiet(file, false);
    quiet.Show("sending", 0.5);
    ProgressLine shown(terminal, true);
    shown.Show("sending", 0.5);
  }
  EXPECT_EQ(file.str(), "");
  EXPECT_THAT(terminal.str(), HasSubstr("50%"));
  EXPECT_THAT(terminal.str(), ::testing::EndsWith("\r\x1b[K"));  // erased at the end
}

}  // namespace
}  // namespace fourfold::cli
