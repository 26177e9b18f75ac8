#include "server/quantize/measure.h"

#include <gmock/gmock.h>

#include "server/quantize/precision.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::GraphBuilder;
using ::testing::Pair;

std::shared_ptr<const runtime::Model> Dense(bool hybrid) {
  GraphBuilder b;
  graph::Graph graph;
  b.Output(b.MatMul(b.Input("x", {graph::kUnknownDim, 16}), b.Varied({16, 4})));
  graph = b.Build();
  return std::make_shared<const runtime::Model>(hybrid ? ToHybrid(graph) : graph);
}

TEST(SummarizeTest, PercentilesOfAHundredRuns) {
  std::vector<int64_t> ns(101);
  for (size_t i = 0; i < ns.size(); ++i)
    ns[ns.size() - 1 - i] = static_cast<int64_t>(i) * 1'000'000;
  const report::Latency latency = Summarize(ns, 4, 2);
  EXPECT_EQ(latency.p50_ms, 50);
  EXPECT_EQ(latency.p90_ms, 90);
  EXPECT_EQ(latency.p99_ms, 99);
  EXPECT_EQ(latency.batch, 4);
  EXPECT_EQ(latency.threads, 2);
  EXPECT_NEAR(latency.throughput_per_s, 4 / 0.050, 1e-9) << "the mean run takes 50 ms";
}

TEST(SummarizeTest, OneRunIsEveryPercentile) {
  std::vector<int64_t> ns = {2'000'000};
  const report::Latency latency = Summarize(ns, 1, 1);
  EXPECT_EQ(latency.p50_ms, 2);
  EXPECT_EQ(latency.p99_ms, 2);
}

TEST(MeasureTest, TimesModelsAndSaysWhatTheyExecute) {
  MeasureOptions options;
  options.seconds = 0;
  options.batch = 3;
  const auto result = Measure({Dense(false), Dense(true)}, {}, options, nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->size(), 2u);
  for (const Measurement& measurement : *result) {
    EXPECT_GT(measurement.latency.p50_ms, 0);
    EXPECT_LE(measurement.latency.p50_ms, measurement.latency.p99_ms);
    EXPECT_GT(measurement.latency.throughput_per_s, 0);
    EXPECT_EQ(measurement.latency.batch, 3);
    EXPECT_GE(measurement.resident_bytes, 64);
  }
  EXPECT_EQ((*result)[0].executed.int8_macs, 0);
  EXPECT_EQ((*result)[1].executed.int8_macs, 1);
  EXPECT_THAT((*result)[1].executed.kernels,
              ::testing::ElementsAre(Pair("matmul", ::testing::HasSubstr("/"))));
}

TEST(MeasureTest, AFixedModelRefusesABatch) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("x", {1, 2})));
  MeasureOptions options;
  options.batch = 2;
  const auto model = std::make_shared<const runtime::Model>(b.Build());
  EXPECT_EQ(Measure({model}, {}, options, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fourfold::quantize
