// What the open loop reports is what users would have seen: the generator against a server whose
// delays are known, and against a simulation of its queue.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <iostream>
#include <vector>

#include "gtest/gtest.h"
#include "loadtest/arrivals.h"
#include "loadtest/closed_loop.h"
#include "loadtest/generator.h"
#include "loadtest/open_loop.h"
#include "loadtest/recorder.h"
#include "loadtest/sender.h"
#include "tests/loadtest/queue_server.h"

namespace fourfold::loadtest {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int64_t kRequests = 150;

constexpr double kRate = 5;  // requests per second; the server can do 12.5

// 80 ms, but request 60 stalls everything for 3 s.
nanoseconds ServiceTime(int64_t k) { return k == 60 ? milliseconds(3000) : milliseconds(80); }

std::vector<nanoseconds> Schedule() {
  return ArrivalTimes(
      {.rate_per_s = kRate, .duration = seconds(600), .count_max = kRequests, .seed = 3});
}

// Latencies of requests in a single queue: request k comes at arrivals[k], waits for the end of
// request k - 1 and takes service[k]. Counted from `intended`.
std::vector<double> SimulateQueue(const std::vector<nanoseconds>& intended,
                                  const std::vector<nanoseconds>& arrivals,
                                  const std::vector<nanoseconds>& service) {
  std::vector<double> latencies;
  nanoseconds free = {};
  for (size_t k = 0; k < arrivals.size(); ++k) {
    free = std::max(free, arrivals[k]) + service[k];
    latencies.push_back(static_cast<double>((free - intended[k]).count()) * 1e-6);
  }
  return latencies;
}

double Quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[rank - 1];
}

class TruthTest : public testing::Test {
 protected:
  TruthTest() {
    const client::InferRequest request{.model = "m",
                                       .inputs = {{"x", "FP32", {1, 4}, std::string(16, '\0')}}};
    sender_.SetRequests({{client::EncodedRequest(request)}});
    EXPECT_TRUE(sender_.Ask(client::EncodedRequest(request).ForModel("warm")).ok());
  }

  QueueServer server_{{.service_time = [](const std::string& model, int64_t k) {
    return model == "warm" ? nanoseconds(0) : ServiceTime(k);
  }}};
  Sender sender_{{.address = server_.address(), .timeout = seconds(60)}};
  const Send send_ = [this](const Call& call, std::function<void(const Answer&)> done) {
    sender_.Start(call, std::move(done));
  };
  Recorder recorder_{{.deadline = seconds(60), .late_threshold = LateThreshold(kRate)}};
  const Observe observe_ = [this](const Observation& observation) { recorder_.Add(observation); };
  const CallOrder order_{1, 1, 1};
  const std::atomic<bool> stop_ = false;
};

// The server is busy for 40% of the time; its stall lets a queue of about 15 grow, which takes two
// more seconds to go.
TEST_F(TruthTest, TheOpenLoopReportsTheTrueLatencies) {
  const std::vector<nanoseconds> schedule = Schedule();
  ASSERT_EQ(schedule.size(), static_cast<size_t>(kRequests));
  const LoopResult result = RunOpenLoop({}, schedule, order_, send_, observe_, stop_);
  const Figures figures = recorder_.All();
  ASSERT_EQ(figures.ok(), kRequests);

  // The truth with the machine's own delays: when requests reached the server and how long each
  // really took, as the server saw it.
  std::vector<nanoseconds> arrivals;
  std::vector<nanoseconds> service;
  std::vector<nanoseconds> planned_service;
  for (const Served& served : server_.served()) {
    if (served.model == "warm") continue;
    arrivals.push_back(served.arrived - result.measured_begin);
    service.push_back(served.done - served.begun);
    planned_service.push_back(ServiceTime(static_cast<int64_t>(planned_service.size())));
  }
  ASSERT_EQ(arrivals.size(), schedule.size());
  const std::vector<double> truth = SimulateQueue(schedule, arrivals, service);
  // Without the way to the server: requests arrive as scheduled. And on paper: each takes what it
  // was asked to take, which a busy machine exceeds.
  const std::vector<double> scheduled = SimulateQueue(schedule, schedule, service);
  const std::vector<double> paper = SimulateQueue(schedule, schedule, planned_service);

  const double p50 = static_cast<double>(figures.latency.Quantile(0.5).count()) * 1e-6;
  const double p99 = static_cast<double>(figures.latency.Quantile(0.99).count()) * 1e-6;
  std::cout << "open loop p50 " << p50 << ", p99 " << p99 << " ms; truth " << Quantile(truth, 0.5)
            << ", " << Quantile(truth, 0.99) << "; without the way to the server "
            << Quantile(scheduled, 0.5) << ", " << Quantile(scheduled, 0.99) << "; on paper "
            << Quantile(paper, 0.5) << ", " << Quantile(paper, 0.99) << "; latest send "
            << static_cast<double>(figures.lateness.max().count()) * 1e-6 << " ms\n";
  EXPECT_NEAR(p50 / Quantile(truth, 0.5), 1, 0.03);
  EXPECT_NEAR(p99 / Quantile(truth, 0.99), 1, 0.03);
  EXPECT_NEAR(p50 / Quantile(scheduled, 0.5), 1, 0.10);
  EXPECT_NEAR(p99 / Quantile(scheduled, 0.99), 1, 0.10);
  EXPECT_NEAR(p99 / Quantile(paper, 0.99), 1, 0.10);  // the stall alone
  EXPECT_GT(p99, 2000);
}

// The same server, stalls and number of requests: the closed loop sends nothing while the server
// stalls, so that it sees one slow request of 150 where users of the open loop saw dozens.
TEST_F(TruthTest, TheClosedLoopOmitsWhatWaitsBehindAStall) {
  RunClosedLoop({.concurrency = 1, .duration = seconds(600), .requests_max = kRequests}, order_,
                send_, observe_, stop_);
  const Figures figures = recorder_.All();
  ASSERT_EQ(figures.ok(), kRequests);
  const double p99 = static_cast<double>(figures.latency.Quantile(0.99).count()) * 1e-6;
  std::cout << "closed loop p99 " << p99 << " ms\n";
  EXPECT_LT(p99, 200);
  const std::vector<nanoseconds> schedule = Schedule();
  std::vector<nanoseconds> service;
  for (int64_t k = 0; k < kRequests; ++k) service.push_back(ServiceTime(k));
  EXPECT_GT(Quantile(SimulateQueue(schedule, schedule, service), 0.99), 2000);
}

}  // namespace
}  // namespace fourfold::loadtest
