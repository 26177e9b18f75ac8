#include "loadtest/loadtest.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "loadtest/answer_check.h"
#include "loadtest/call_order.h"
#include "loadtest/closed_loop.h"
#include "loadtest/inputs.h"
#include "loadtest/open_loop.h"
#include "loadtest/sender.h"

namespace fourfold::loadtest {
namespace {

using client::EncodedRequest;
using client::InferResponse;

constexpr int64_t kReferenceBytesMax = int64_t{1} << 30;

// What is called in turn.
struct Target {
  std::string label;  // unique
  std::string model;  // NAME or NAME@VARIANT
};

std::vector<Target> Targets(const Options& options) {
  if (options.compare.empty()) return {{options.model, options.model}};
  std::vector<Target> targets;
  for (size_t i = 0; i < options.compare.size(); ++i) {
    const std::string& variant = options.compare[i];
    const auto here = options.compare.begin() + static_cast<ptrdiff_t>(i);
    const auto before = std::count(options.compare.begin(), here, variant);
    targets.push_back({before == 0 ? variant : absl::StrCat(variant, "#", before + 1),
                       absl::StrCat(options.model, "@", variant)});
  }
  return targets;
}

size_t RatioReference(const Options& options) {
  const auto found = std::find(options.compare.begin(), options.compare.end(), "fp32");
  return found == options.compare.end() ? 0 : static_cast<size_t>(found - options.compare.begin());
}

absl::Status Annotate(const absl::Status& status, const std::string& what) {
  return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
}

absl::StatusOr<InferResponse> AskDecoded(Sender& sender, const EncodedRequest& request) {
  const Answer answer = sender.Ask(request);
  if (!answer.ok()) return answer.status();
  return answer->Decode();
}

// The answers that all others are compared with.
struct References {
  std::string model;
  std::vector<InferResponse> answers;  // per input
};

// fp32's, or where the model has none the first variant's.
absl::StatusOr<References> AskReferences(const std::vector<EncodedRequest>& requests,
                                         const Options& options, Sender& sender,
                                         cli::ProgressLine& progress,
                                         const std::atomic<bool>& stop) {
  References references{absl::StrCat(options.model, "@fp32"), {}};
  if (AskDecoded(sender, requests[0].ForModel(references.model)).status().code() ==
      absl::StatusCode::kNotFound) {
    references.model = Targets(options).front().model;
  }
  int64_t bytes = 0;
  for (const EncodedRequest& request : requests) {
    if (stop) return absl::CancelledError("ended by a signal before the load began");
    progress.Show(
        "fetching the reference's answers",
        static_cast<double>(references.answers.size()) / static_cast<double>(requests.size()));
    auto answer = AskDecoded(sender, request.ForModel(references.model));
    if (!answer.ok()) return Annotate(answer.status(), references.model);
    for (const client::Tensor& output : answer->outputs) {
      bytes += static_cast<int64_t>(output.bytes.size());
    }
    if (bytes > kReferenceBytesMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("answers of ", references.model, " to ", requests.size(),
                       " inputs take more than ", kReferenceBytesMax, " bytes: lower --samples"));
    }
    references.answers.push_back(*std::move(answer));
  }
  return references;
}

// Shows a run's progress from a thread of its own until destroyed.
class ProgressThread {
 public:
  ProgressThread(const Recorder& recorder, const Options& options, cli::ProgressLine& progress)
      : thread_([&recorder, &options, &progress](const std::stop_token& token) {
          const Clock::time_point begin = Clock::now();
          const auto planned = std::chrono::duration<double>(options.warmup + options.duration);
          while (!token.stop_requested()) {
            const std::chrono::duration<double> passed = Clock::now() - begin;
            const double requests =
                static_cast<double>(recorder.ended()) / static_cast<double>(options.requests_max);
            progress.Show(absl::StrFormat("%.1f s, %d ended, %d failed", passed.count(),
                                          recorder.ended(), recorder.failed()),
                          std::max(requests, passed / planned));
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
          }
        }) {}

 private:
  std::jthread thread_;
};

LoopResult RunLoop(const Options& options, const CallOrder& order, const Send& send,
                   const Observe& observe, const std::atomic<bool>& stop) {
  if (options.loop == Loop::kClosed) {
    return RunClosedLoop({.concurrency = options.concurrency,
                          .warmup = options.warmup,
                          .duration = options.duration,
                          .requests_max = options.requests_max},
                         order, send, observe, stop);
  }
  const std::vector<std::chrono::nanoseconds> schedule =
      ArrivalTimes({.arrivals = options.arrivals,
                    .rate_per_s = options.rate_per_s,
                    .duration = options.warmup + options.duration,
                    .count_max = std::min(options.requests_max, kScheduleMax),
                    .count_from = options.warmup,
                    .seed = options.seed});
  return RunOpenLoop({.warmup = options.warmup, .in_flight_max = options.in_flight_max}, schedule,
                     order, send, observe, stop);
}

// Sizes are told by Fourfold only; another server's absence of them is no error.
void AddSizes(client::Client& client, const Options& options, std::vector<TargetReport>& targets) {
  const auto comparison = client.Compare(options.model, options.version);
  if (!comparison.ok()) return;
  for (size_t i = 0; i < targets.size(); ++i) {
    for (const client::VariantReport& variant : comparison->variants) {
      if (variant.variant != options.compare[i]) continue;
      targets[i].file_bytes = variant.size.file_bytes;
      targets[i].resident_bytes = variant.size.resident_bytes;
    }
  }
}

absl::StatusOr<std::vector<EncodedRequest>> Prepare(const Options& options, client::Client& client,
                                                    const std::string& model) {
  const auto inputs = client.Inputs(model, options.version);
  if (!inputs.ok()) return inputs.status();
  auto requests = MakeRequests(*inputs, {.paths = options.inputs,
                                         .images = options.images,
                                         .batch = options.batch,
                                         .samples_max = options.samples_max,
                                         .seed = options.seed});
  if (!requests.ok()) return requests.status();
  std::vector<EncodedRequest> encoded;
  for (client::InferRequest& request : *requests) {
    request.model = model;
    request.version = options.version;
    encoded.emplace_back(request);
    request.inputs.clear();
  }
  return encoded;
}

}  // namespace

absl::StatusOr<Report> RunLoad(const Options& options, cli::ProgressLine& progress,
                               const std::atomic<bool>& stop) {
  Report report;
  report.options = options;
  report.environment = ReadEnvironment();
  Sender sender(
      {.address = options.address, .connections = options.connections, .timeout = options.timeout});
  const auto server = sender.Connect();
  if (!server.ok()) return server.status();
  report.environment.server_name = server->name;
  report.environment.server_version = server->version;
  const std::vector<Target> targets = Targets(options);
  const auto requests = Prepare(options, sender.client(), targets.front().model);
  if (!requests.ok()) return requests.status();
  report.inputs = requests->size();

  std::vector<std::vector<EncodedRequest>> to_send;
  for (const Target& target : targets) {
    const auto answer = AskDecoded(sender, requests->front().ForModel(target.model));
    if (!answer.ok()) return Annotate(answer.status(), target.model);
    TargetReport& target_report = report.targets.emplace_back();
    target_report.label = target.label;
    target_report.answered_by = answer->variant;
    std::vector<EncodedRequest>& of_target = to_send.emplace_back();
    for (const EncodedRequest& request : *requests) {
      of_target.push_back(request.ForModel(target.model));
    }
  }
  sender.SetRequests(std::move(to_send));

  std::optional<AnswerCheck> check;
  if (report.compares()) {
    auto references = AskReferences(*requests, options, sender, progress, stop);
    if (!references.ok()) return references.status();
    report.answer_reference = references->model;
    report.ratio_reference = targets[RatioReference(options)].label;
    check.emplace(std::move(references->answers), targets.size());
    AddSizes(sender.client(), options, report.targets);
  }

  LatencyRatios ratios(targets.size(), RatioReference(options));
  const std::chrono::nanoseconds late_threshold =
      LateThreshold(options.loop == Loop::kOpen ? options.rate_per_s : 0);
  Recorder recorder(
      {.targets = targets.size(), .deadline = options.timeout, .late_threshold = late_threshold});
  const Observe observe = [&](const Observation& observation) {
    recorder.Add(observation);
    if (!check.has_value()) return;
    ratios.Add(observation);
    check->Add(observation);
  };
  const Send send = [&sender](const Call& call, std::function<void(const Answer&)> done) {
    sender.Start(call, std::move(done));
  };
  const double cpu_begin = CpuSeconds();
  const Clock::time_point begin = Clock::now();
  LoopResult loop;
  {
    const ProgressThread shown(recorder, options, progress);
    loop = RunLoop(options, CallOrder(targets.size(), requests->size(), options.seed), send,
                   observe, stop);
  }
  const std::chrono::duration<double> wall = Clock::now() - begin;
  progress.Clear();

  report.interrupted = loop.interrupted;
  for (size_t i = 0; i < targets.size(); ++i) {
    report.targets[i].figures = recorder.Target(i);
    if (!check.has_value()) continue;
    report.targets[i].ratio = ratios.Ratio(i);
    report.targets[i].answers = check->Figures(i);
  }
  report.all = recorder.All();
  if (report.all.ended() > 0) {
    report.elapsed_s =
        std::chrono::duration<double>(report.all.last_done - loop.measured_begin).count();
  }
  report.generator = JudgeGenerator(report.all.lateness, {.late_threshold = late_threshold,
                                                          .late = recorder.late(),
                                                          .not_sent = loop.not_sent,
                                                          .cpu_seconds = CpuSeconds() - cpu_begin,
                                                          .wall_seconds = wall.count(),
                                                          .cores = report.environment.cores});
  return report;
}

}  // namespace fourfold::loadtest
