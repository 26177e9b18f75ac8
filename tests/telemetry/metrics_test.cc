#include "server/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace fourfold::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

VariantFigures Figures() {
  VariantFigures figures;
  figures.file_bytes = 1234;
  figures.latency_p50_seconds = 0.25;
  figures.top1 = 0.75;
  figures.is_default = true;
  return figures;
}

TEST(MetricsTest, CountsRequestsByStatus) {
  Metrics metrics;
  const auto series = metrics.ForVariant({"m", 2, "int8"}, Figures());
  series->RequestDone(absl::StatusCode::kOk, absl::Milliseconds(3));
  series->RequestDone(absl::StatusCode::kOk, absl::Milliseconds(3));
  series->RequestDone(absl::StatusCode::kInvalidArgument, absl::Milliseconds(1));
  const std::string text = metrics.Text();
  EXPECT_THAT(
      text,
      HasSubstr(R"(fourfold_requests_total{model="m",status="OK",variant="int8",version="2"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(status="INVALID_ARGUMENT",variant="int8",version="2"} 1)"));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(fourfold_request_duration_seconds_bucket{model="m",variant="int8",version="2",le="0.005"} 2)"));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(fourfold_request_duration_seconds_count{model="m",variant="int8",version="2"} 2)"));
}

TEST(MetricsTest, ShowsWhatWasMeasuredAndOmitsWhatWasNot) {
  Metrics metrics;
  const auto series = metrics.ForVariant({"m", 1, "fp16"}, Figures());
  const std::string text = metrics.Text();
  EXPECT_THAT(text,
              HasSubstr(R"(fourfold_model_file_bytes{model="m",variant="fp16",version="1"} 1234)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(fourfold_model_accuracy_ratio{model="m",variant="fp16",version="1"} 0.75)"));
  EXPECT_THAT(text, HasSubstr(R"(fourfold_model_default{model="m",variant="fp16",version="1"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(percentile="50",variant="fp16",version="1"} 0.25)"));
  EXPECT_THAT(text, Not(HasSubstr("fourfold_model_sqnr_decibels{")));
}

TEST(MetricsTest, SeriesVanishWithTheLastHandle) {
  Metrics metrics;
  auto first = metrics.ForVariant({"gone", 1, "int8"}, Figures());
  auto second = metrics.ForVariant({"gone", 1, "int8"}, Figures());
  first.reset();
  second->RequestDone(absl::StatusCode::kOk, absl::Milliseconds(1));
  EXPECT_THAT(metrics.Text(), HasSubstr("gone"));
  second.reset();
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("gone")));
}

TEST(MetricsTest, CountsRejectionsJobsAndRequestsWithoutAVariant) {
  Metrics metrics;
  metrics.Rejected(Rejection::kQueueFull);
  metrics.QueuedRequests(5);
  metrics.QueueLimit(256);
  metrics.PresentJobs(2, 1);
  metrics.JobEnded(JobOutcome::kFailed);
  metrics.UnroutedRequest(absl::StatusCode::kNotFound);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(R"(fourfold_rejected_requests_total{reason="queue_full"} 1)"));
  EXPECT_THAT(text, HasSubstr("fourfold_queue_requests 5"));
  EXPECT_THAT(text, HasSubstr("fourfold_queue_limit_requests 256"));
  EXPECT_THAT(text, HasSubstr(R"(fourfold_jobs{state="queued"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(fourfold_jobs_ended_total{outcome="failed"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(status="NOT_FOUND",variant="",version=""} 1)"));
}

TEST(MetricsTest, CountsExecutionsAndWhatTheyTook) {
  Metrics metrics;
  const auto series = metrics.ForVariant({"m", 2, "int8"}, Figures());
  const absl::Duration waited[] = {absl::Milliseconds(3), absl::Milliseconds(30)};
  series->Executed({.samples = 2,
                    .waited = waited,
                    .input = absl::Microseconds(10),
                    .compute = absl::Milliseconds(4),
                    .output = absl::Microseconds(20),
                    .ended = absl::FromUnixSeconds(5)});
  series->RequestDone(absl::StatusCode::kOk, absl::Milliseconds(8));
  series->RequestDone(absl::StatusCode::kOk, absl::Milliseconds(35));
  series->RequestDone(absl::StatusCode::kResourceExhausted, absl::Milliseconds(1));
  const std::string text = metrics.Text();
  const std::string labels = R"({model="m",variant="int8",version="2")";
  EXPECT_THAT(text, HasSubstr("fourfold_executions_total" + labels + "} 1"));
  EXPECT_THAT(text, HasSubstr("fourfold_samples_total" + labels + "} 2"));
  EXPECT_THAT(text, HasSubstr("fourfold_batch_size_bucket" + labels + R"(,le="2"} 1)"));
  EXPECT_THAT(text, HasSubstr("fourfold_batch_size_bucket" + labels + R"(,le="1"} 0)"));
  EXPECT_THAT(text,
              HasSubstr("fourfold_queue_duration_seconds_bucket" + labels + R"(,le="0.005"} 1)"));
  EXPECT_THAT(text, HasSubstr("fourfold_queue_duration_seconds_count" + labels + "} 2"));
  EXPECT_THAT(text, HasSubstr("fourfold_compute_duration_seconds_count" + labels + "} 1"));

  const VariantStatistics statistics = series->statistics();
  EXPECT_EQ(statistics.success.count, 2);
  EXPECT_EQ(statistics.success.total, absl::Milliseconds(43));
  EXPECT_EQ(statistics.failure.count, 1);
  EXPECT_EQ(statistics.queue.total, absl::Milliseconds(33));
  EXPECT_EQ(statistics.compute.total, absl::Milliseconds(8)) << "each request counts all of it";
  EXPECT_EQ(statistics.batches.at(2).compute.total, absl::Milliseconds(4));
  EXPECT_EQ(statistics.last, absl::FromUnixSeconds(5));

  const std::string triton = metrics.TritonText();
  const std::string tags = R"({model="m",version="2",variant="int8")";
  EXPECT_THAT(triton, HasSubstr("nv_inference_request_success" + tags + "} 2"));
  EXPECT_THAT(triton, HasSubstr("nv_inference_count" + tags + "} 2"));
  EXPECT_THAT(triton, HasSubstr("nv_inference_exec_count" + tags + "} 1"));
  EXPECT_THAT(triton, HasSubstr("nv_inference_request_duration_us" + tags + "} 43000"));
  EXPECT_THAT(triton, HasSubstr("nv_inference_queue_duration_us" + tags + "} 33000"));
  EXPECT_THAT(triton, HasSubstr("nv_inference_compute_infer_duration_us" + tags + "} 8000"));
  EXPECT_THAT(triton,
              HasSubstr("nv_inference_request_failure" + tags + R"(,reason="REJECTED"} 1)"));
}

TEST(MetricsTest, SumsTheStatisticsOfVariants) {
  Metrics metrics;
  const auto a = metrics.ForVariant({"m", 2, "int8"}, Figures());
  const auto b = metrics.ForVariant({"m", 2, "fp32"}, Figures());
  const absl::Duration waited[] = {absl::Milliseconds(1)};
  a->Executed({.samples = 1, .waited = waited, .ended = absl::FromUnixSeconds(5)});
  b->Executed({.samples = 1, .waited = waited, .ended = absl::FromUnixSeconds(9)});
  b->Executed({.samples = 4, .waited = waited, .ended = absl::FromUnixSeconds(7)});
  VariantStatistics sum = a->statistics();
  sum += b->statistics();
  EXPECT_EQ(sum.samples, 6);
  EXPECT_EQ(sum.executions, 3);
  EXPECT_EQ(sum.queue.count, 3);
  EXPECT_EQ(sum.last, absl::FromUnixSeconds(9));
  EXPECT_EQ(sum.batches.at(1).compute.count, 2);
}

TEST(MetricsTest, PassesPrometheusOwnChecks) {
  if (std::system("command -v promtool >/dev/null") != 0)
    GTEST_SKIP() << "promtool is not installed";
  Metrics metrics;
  VariantFigures figures = Figures();
  figures.agreement = 0.5;
  figures.sqnr_db = 30;
  const auto series = metrics.ForVariant({"m", 2, "int8"}, figures);
  series->RequestDone(absl::StatusCode::kOk, absl::Milliseconds(3));
  metrics.UnroutedRequest(absl::StatusCode::kNotFound);
  std::FILE* promtool = popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = metrics.Text();
  std::fwrite(text.data(), 1, text.size(), promtool);
  EXPECT_EQ(pclose(promtool), 0);
}

}  // namespace
}  // namespace fourfold::telemetry
