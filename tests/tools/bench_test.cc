#include "server/tools/bench.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace fourfold::tools {
namespace {

using ::testing::HasSubstr;

const std::string kDigits = FOURFOLD_TEST_DATA "/digits/digits.onnx";

BenchOptions Quick(std::vector<std::string> models) {
  BenchOptions options;
  options.models = std::move(models);
  options.seconds = 0;
  return options;
}

TEST(BenchTest, JsonHasTheFieldsOfTheContract) {
  BenchOptions options = Quick({kDigits});
  options.batch = 2;
  const auto results = Bench(options);
  ASSERT_TRUE(results.ok()) << results.status();
  const auto json = nlohmann::json::parse(BenchToJson(*results, options));
  const double p50 = json.at("p50_ms");
  const double p90 = json.at("p90_ms");
  const double p99 = json.at("p99_ms");
  EXPECT_GT(p50, 0);
  EXPECT_LE(p50, p90);
  EXPECT_LE(p90, p99);
  EXPECT_GT(json.at("throughput_per_s").get<double>(), 0);
  EXPECT_EQ(json.at("batch"), 2);
  EXPECT_EQ(json.at("threads"), 1);
  EXPECT_EQ(json.at("model"), "digits.onnx");
  EXPECT_EQ(json.at("int8_macs"), 0);
  EXPECT_TRUE(json.at("kernels").contains("conv"));
  EXPECT_FALSE(json.contains("models"));
}

TEST(BenchTest, SeveralModelsAreComparedWithTheFirst) {
  BenchOptions options = Quick({kDigits, kDigits});
  const auto results = Bench(options);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ((*results)[0].speedup, 1);
  const auto json = nlohmann::json::parse(BenchToJson(*results, options));
  EXPECT_EQ(json.at("models").size(), 2u);
}

TEST(BenchTest, AProfileNamesEveryStep) {
  BenchOptions options = Quick({kDigits});
  options.profile = true;
  const auto results = Bench(options);
  ASSERT_TRUE(results.ok()) << results.status();
  int64_t macs = 0;
  for (const ProfiledStep& step : (*results)[0].steps) {
    EXPECT_FALSE(step.info.operation.empty());
    EXPECT_THAT(step.info.implementation, HasSubstr("/"));
    EXPECT_GE(step.mean_ms, 0);
    macs += step.info.macs;
  }
  EXPECT_GT(macs, 100'000);
  EXPECT_THAT(BenchToTable(*results, options),
              ::testing::AllOf(HasSubstr("p50 ms"), HasSubstr("Conv"), HasSubstr("GOP/s")));
}

TEST(BenchTest, ThreadsAndTheReferenceEngineCanBeAskedFor) {
  BenchOptions options = Quick({kDigits});
  options.threads = 2;
  options.engine = "reference";
  const auto results = Bench(options);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_THAT((*results)[0].measurement.executed.kernels[0].second, HasSubstr("reference"));
  EXPECT_EQ((*results)[0].measurement.latency.threads, 2);
}

TEST(BenchTest, AFileThatIsNotThereIsNamed) {
  const auto results = Bench(Quick({"/nowhere/model.onnx"}));
  EXPECT_EQ(results.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(results.status().message(), HasSubstr("/nowhere/model.onnx"));
}

}  // namespace
}  // namespace fourfold::tools
