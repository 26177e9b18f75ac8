#include "server/http/models_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fourfold::http {
namespace {

using nlohmann::json;

report::Variant Figures(const std::string& name, bool is_default) {
  report::Variant variant;
  variant.variant = name;
  variant.is_default = is_default;
  variant.size.file_bytes = 1000;
  variant.latency.p50_ms = 0.25;
  variant.versus_fp32 = {2, 0.5, 0};
  return variant;
}

std::shared_ptr<const registry::ModelVersion> Version(const std::string& model, int64_t number,
                                                      std::vector<report::Variant> variants) {
  auto version = std::make_shared<registry::ModelVersion>();
  version->model = model;
  version->version = number;
  version->created_unix_ms = 1000 * number;
  version->report.model = model;
  version->report.version = number;
  version->report.variants = variants;
  for (const report::Variant& figures : variants) {
    auto variant = std::make_shared<registry::Variant>();
    variant->name = figures.variant;
    variant->figures = figures;
    version->variants.push_back(variant);
  }
  return version;
}

TEST(ModelsToJsonTest, IsAnEmptyListWithoutModels) {
  EXPECT_EQ(json::parse(ModelsToJson({})), json::parse(R"({"models": []})"));
}

TEST(ModelsToJsonTest, ShowsTheNewestVersionOfEachModel) {
  report::Variant int8 = Figures("int8", true);
  int8.labelled = report::Labelled{10, 0.9, 1};
  int8.fidelity = report::Fidelity{10, 0.8, 0.5, 30, 1};
  registry::ModelRegistry registry;
  registry.Replace(Version("b", 1, {Figures("fp32", true)}));
  registry.Replace(Version("a", 2, {Figures("fp32", true)}));
  registry.Replace(Version("a", 5, {Figures("fp32", false), int8}));
  const json models = json::parse(ModelsToJson(*registry.snapshot()))["models"];
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0], json::parse(R"({"model": "a", "version": 5, "versions": [2, 5],
      "default_variant": "int8", "created_unix_ms": 5000, "variants": [
        {"variant": "fp32", "default": false, "file_bytes": 1000, "p50_ms": 0.25, "speedup": 2.0,
         "size_ratio": 0.5},
        {"variant": "int8", "default": true, "file_bytes": 1000, "p50_ms": 0.25, "speedup": 2.0,
         "size_ratio": 0.5, "top1": 0.9, "top1_agreement": 0.8}]})"));
  EXPECT_EQ(models[1]["model"], "b");
}

TEST(ComparisonToJsonTest, AddsVersionsMomentAndWordsToTheReport) {
  const auto version = Version("m", 3, {Figures("fp32", true), Figures("int8", false)});
  json shown = json::parse(ComparisonToJson(*version, {1, 3}));
  EXPECT_EQ(shown["versions"], json::parse("[1, 3]"));
  EXPECT_EQ(shown["created_unix_ms"], 3000);
  EXPECT_EQ(shown["verdict"]["variants"][0]["variant"], "int8");
  EXPECT_THAT(shown["verdict"]["variants"][0]["text"].get<std::string>(),
              ::testing::StartsWith("int8 is 2.00 times as fast as fp32; "));
  EXPECT_THAT(shown["verdict"]["summary"].get<std::string>(), ::testing::StartsWith("fp32 is "));
  for (const char* added : {"versions", "created_unix_ms", "verdict"}) shown.erase(added);
  EXPECT_EQ(shown, json::parse(report::ToJson(version->report)));
}

TEST(ComparisonToJsonTest, KeepsTextThatLooksLikeMarkupAndReplacesWhatIsNotUtf8) {
  auto version = std::make_shared<registry::ModelVersion>(
      *Version("m", 1, {Figures("fp32", true), Figures("<img src=x>", false)}));
  version->report.variants[0].executed.note = std::string("\xff\"</script>");
  const json shown = json::parse(ComparisonToJson(*version, {1}));
  EXPECT_EQ(shown["variants"][1]["variant"], "<img src=x>");
  EXPECT_EQ(shown["variants"][0]["executed"]["note"], "\xEF\xBF\xBD\"</script>");
}

}  // namespace
}  // namespace fourfold::http
