// Whole runs of the program, in this process, against a server of known behaviour.

#include <atomic>
#include <chrono>
#include <cmath>
#include <iostream>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/samples/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "loadtest/loadtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/samples_testing.h"
#include "tests/loadtest/queue_server.h"

namespace fourfold::loadtest {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using testing::HasSubstr;

struct Ran {
  ExitCode code;
  std::string out;
  std::string err;
};

class CommandTest : public testing::Test {
 protected:
  Ran Run(std::vector<std::string> words, const std::string& address = "127.0.0.1:1") {
    std::ostringstream out;
    std::ostringstream err;
    const ExitCode code = RunLoadtest(words, {out, err, false, address, stop_});
    return {code, out.str(), err.str()};
  }

  json RunJson(std::vector<std::string> words, const QueueServer& server) {
    words.emplace_back("--format=json");
    const Ran ran = Run(words, server.address());
    EXPECT_EQ(ran.code, kDone) << ran.err;
    return json::parse(ran.out);
  }

  // Two samples of four values, whose largest is the third and the first.
  std::string Samples() {
    const std::string path = folder_.Path("x.npy");
    const std::vector<float> values = {1, 2, 4, 2, 8, 1, 1, 4};
    EXPECT_TRUE(samples::WriteNpyFile(path, samples::MakeArray(samples::DType::kFloat32, {2, 4},
                                                               std::as_bytes(std::span(values))))
                    .ok());
    return path;
  }

  static std::string Read(const std::string& path) { return samples::ReadText(path); }

  samples::TemporaryFolder folder_;
  std::atomic<bool> stop_ = false;
};

TEST_F(CommandTest, WrongUsageEndsWithTwoAndSaysWhatIsWrong) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{}, {"--model=m", "--speed=3"}, {"--model=m", "--rate=0"}}) {
    const Ran ran = Run(words);
    EXPECT_EQ(ran.code, kWrongUsage);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr("fourfold-loadtest: "));
    EXPECT_THAT(ran.err, HasSubstr("--help"));
  }
}

TEST_F(CommandTest, HelpNamesEveryFlag) {
  const Ran ran = Run({"--help"});
  EXPECT_EQ(ran.code, kDone);
  for (const cli::Flag& flag : Flags()) EXPECT_THAT(ran.out, HasSubstr("--" + flag.name));
}

TEST_F(CommandTest, WithoutAServerOrAModelItFailsWithOne) {
  const Ran nobody = Run({"--model=m"});
  EXPECT_EQ(nobody.code, kFailed);
  EXPECT_THAT(nobody.err, HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(nobody.err, HasSubstr("127.0.0.1:1"));
  QueueServer server({.models = {"m@fp32"}});
  const Ran other = Run({"--model=other"}, server.address());
  EXPECT_EQ(other.code, kFailed);
  EXPECT_THAT(other.err, HasSubstr("NOT_FOUND"));
  const Ran variant = Run({"--model=m", "--compare=fp32,int4"}, server.address());
  EXPECT_EQ(variant.code, kFailed);
  EXPECT_THAT(variant.err, HasSubstr("m@int4"));
  const Ran file = Run({"--model=m@fp32", "--input=no.npy"}, server.address());
  EXPECT_EQ(file.code, kFailed);
  EXPECT_THAT(file.err, HasSubstr("no.npy"));
}

// Requests 1 to 40 are measured; 0 is the question before the run.
TEST_F(CommandTest, EveryStatusIsCounted) {
  QueueServer server({.status = [](const std::string&, int64_t k) {
    if (k == 0) return absl::StatusCode::kOk;
    switch (k % 8) {
      case 1: return absl::StatusCode::kResourceExhausted;
      case 2: return absl::StatusCode::kUnavailable;
      case 3:
      case 4: return absl::StatusCode::kInternal;
      default: return absl::StatusCode::kOk;
    }
  }});
  const json report = RunJson({"--model=m", "--requests=40", "--warmup=0"}, server);
  EXPECT_EQ(report["statuses"],
            (json{{"OK", 20}, {"RESOURCE_EXHAUSTED", 5}, {"UNAVAILABLE", 5}, {"INTERNAL", 10}}));
  EXPECT_EQ(report["requests"], 40);
  EXPECT_EQ(report["ok"], 20);
  EXPECT_EQ(report["good"], 20);
  EXPECT_EQ(report["latency"]["count"], 20);
  EXPECT_EQ(report["first_error"], "as the test wants it");
}

TEST_F(CommandTest, ARunWithoutAnyAnswerFails) {
  QueueServer server({.status = [](const std::string&, int64_t k) {
    return k == 0 ? absl::StatusCode::kOk : absl::StatusCode::kInternal;
  }});
  const Ran ran = Run({"--model=m", "--requests=5", "--warmup=0"}, server.address());
  EXPECT_EQ(ran.code, kFailed);
  EXPECT_THAT(ran.out, HasSubstr("INTERNAL"));  // the table is printed all the same
  EXPECT_THAT(ran.err, HasSubstr("none of 5 measured requests was answered"));
}

// One of three requests takes longer than the deadline.
TEST_F(CommandTest, DeadlinesEndRequestsAndCountAgainstGoodput) {
  QueueServer server({.service_time = [](const std::string&, int64_t k) {
    return k % 3 == 2 ? milliseconds(1500) : milliseconds(1);
  }});
  const json report =
      RunJson({"--model=m", "--requests=6", "--warmup=0", "--timeout_ms=500"}, server);
  EXPECT_GE(report["statuses"]["DEADLINE_EXCEEDED"], 2);
  EXPECT_LT(report["good"], 6);
  EXPECT_EQ(report["requests"], 6);
}

// The questions before the run do not have the load's deadline.
TEST_F(CommandTest, ADeadlineThatNothingMeetsIsAResult) {
  QueueServer server(
      {.service_time = [](const std::string&, int64_t) { return milliseconds(100); }});
  const Ran ran =
      Run({"--model=m", "--requests=3", "--warmup=0", "--timeout_ms=1"}, server.address());
  EXPECT_EQ(ran.code, kFailed);
  EXPECT_THAT(ran.out, testing::ContainsRegex("DEADLINE_EXCEEDED +3  100.00%"));
  EXPECT_THAT(ran.err, HasSubstr("none of 3 measured requests was answered"));
}

TEST_F(CommandTest, TheOpenLoopReportsIntendedAndActualSending) {
  QueueServer server({.service_time = [](const std::string&, int64_t) { return milliseconds(5); }});
  const json report = RunJson({"--model=m@int8", "--rate=40", "--arrivals=constant", "--duration=2",
                               "--warmup=0.5", "--seed=4"},
                              server);
  EXPECT_EQ(report["load"]["loop"], "open");
  EXPECT_EQ(report["load"]["rate_per_s"], 40);
  EXPECT_EQ(report["load"]["seed"], 4);
  EXPECT_EQ(report["requests"], 80);
  EXPECT_EQ(report["answered_by"], "int8");
  EXPECT_GE(report["latency"]["p50_ms"], 5);
  EXPECT_GE(report["latency"]["p50_ms"], report["latency_from_send"]["p50_ms"]);
  EXPECT_GE(report["gap"]["mean_ms"], 0);
  EXPECT_GE(report["latency"]["max_ms"], report["latency"]["p99_ms"]);
  EXPECT_NEAR(report["throughput_per_s"].get<double>(), 40, 4);
  const json& generator = report["generator"];
  EXPECT_EQ(generator["trusted"], generator["doubts"].empty());
  EXPECT_GE(generator["late_max_ms"], generator["late_p99_ms"]);
  const json& environment = report["environment"];
  EXPECT_EQ(environment["server_name"], "queue");
  EXPECT_EQ(environment["server_version"], "7");
  EXPECT_GE(environment["cores"], 1);
  EXPECT_EQ(environment["started"].get<std::string>().size(), 20u);
}

// Five requests at once to a server that takes 300 ms each, two may be in flight.
TEST_F(CommandTest, RequestsThatAreNotSentMakeTheFiguresUntrusted) {
  QueueServer server({.service_time = [](const std::string&, int64_t k) {
    return milliseconds(k == 0 ? 0 : 300);
  }});
  const Ran ran = Run({"--model=m", "--rate=1000", "--arrivals=constant", "--requests=5",
                       "--warmup=0", "--in_flight_max=2"},
                      server.address());
  EXPECT_EQ(ran.code, kDone);  // a measurement, only a doubtful one
  EXPECT_THAT(ran.out, HasSubstr("requests were not sent"));
  EXPECT_THAT(ran.out, HasSubstr("figures are not to be trusted"));
}

TEST_F(CommandTest, RequestsAreSpreadOverConnections) {
  QueueServer server({});
  RunJson({"--model=m", "--requests=30", "--warmup=0", "--connections=3"}, server);
  EXPECT_EQ(server.connections(), 3u);
}

TEST_F(CommandTest, ASignalEndsTheRunEarlyAndPrintsIt) {
  QueueServer server({});
  std::thread stopper([this] {
    std::this_thread::sleep_for(milliseconds(500));
    stop_ = true;
  });
  const auto begin = std::chrono::steady_clock::now();
  const json report = RunJson({"--model=m", "--duration=100", "--warmup=0"}, server);
  stopper.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(50));
  EXPECT_EQ(report["interrupted"], true);
  EXPECT_GT(report["ok"], 0);
}

// Whether an interval of a ratio holds `value`. 2.2 times a 95% interval leaves one run in about
// 100,000 outside: a test may not fail by chance as often as an interval may.
bool Holds(const json& ratio, double value, double slack = 0) {
  const double centre = std::log(ratio["ratio"].get<double>());
  const double below = centre - std::log(ratio["low95"].get<double>());
  const double above = std::log(ratio["high95"].get<double>()) - centre;
  const double at = std::log(value);
  return centre - 2.2 * below - slack <= at && at <= centre + 2.2 * above + slack;
}

TEST_F(CommandTest, AVariantAgainstItselfHasTheRatioOne) {
  QueueServer server({.service_time = [](const std::string&, int64_t) { return milliseconds(2); }});
  const json report =
      RunJson({"--model=m", "--compare=int8,int8", "--requests=1200", "--warmup=0.2"}, server);
  ASSERT_EQ(report["variants"].size(), 2u);
  const json& second = report["variants"][1];
  EXPECT_EQ(second["variant"], "int8#2");
  EXPECT_GE(second["latency_ratio"]["rounds"], 590);
  EXPECT_TRUE(Holds(second["latency_ratio"], 1)) << second["latency_ratio"];
  EXPECT_LT(second["latency_ratio"]["high95"].get<double>() -
                second["latency_ratio"]["low95"].get<double>(),
            0.3);
  EXPECT_NEAR(second["share"].get<double>(), 0.5, 0.01);
}

// Geometric mean of the times that the server itself had the model's requests, milliseconds.
double ServedMs(const QueueServer& server, const std::string& model) {
  double logs = 0;
  int count = 0;
  for (const Served& served : server.served()) {
    if (served.model != model) continue;
    logs +=
        std::log(std::chrono::duration<double, std::milli>(served.done - served.arrived).count());
    ++count;
  }
  return std::exp(logs / count);
}

// 60 and 72 ms of service. A busy machine wakes the server later than it asked for, so the truth is
// what the server saw; the way to it and back is the same for both, up to 2 ms or 3%.
TEST_F(CommandTest, AVariantThatIsAFifthSlowerIsFound) {
  QueueServer server({.service_time = [](const std::string& model, int64_t) {
    return milliseconds(model == "m@slow" ? 72 : 60);
  }});
  const json report =
      RunJson({"--model=m", "--compare=slow,fp32", "--requests=160", "--warmup=0"}, server);
  EXPECT_EQ(report["ratio_reference"], "fp32");
  const json& ratio = report["variants"][0]["latency_ratio"];
  const double truth = ServedMs(server, "m@slow") / ServedMs(server, "m@fp32");
  std::cout << "ratio " << ratio << ", as the server saw it " << truth << "\n";
  EXPECT_TRUE(Holds(ratio, truth, 0.03)) << ratio;
  EXPECT_FALSE(Holds(ratio, 1)) << ratio;
  EXPECT_EQ(report["variants"][1]["latency_ratio"]["ratio"], 1);
}

TEST_F(CommandTest, AnOpenLoopComparesToo) {
  QueueServer server({.service_time = [](const std::string& model, int64_t) {
    return milliseconds(model == "m@slow" ? 12 : 4);
  }});
  const json report = RunJson({"--model=m", "--compare=fp32,slow", "--rate=20", "--requests=60",
                               "--warmup=0", "--arrivals=constant"},
                              server);
  EXPECT_EQ(report["variants"][0]["ok"], 30);
  EXPECT_EQ(report["variants"][1]["ok"], 30);
  EXPECT_EQ(report["variants"][1]["latency_ratio"]["rounds"], 30);
  EXPECT_GT(report["variants"][1]["latency_ratio"]["low95"], 1.2);
}

// fp32 answers what it is asked. Worked figures for the others, the same for both samples:
//   half     x / 2: the same class, noise is a quarter of the signal (6.02 dB), off by half
//   reverse  -x: another class, noise is 4 times the signal (-6.02 dB), off by twice
//   flaky    every third answer is x / 2: inconsistent
TEST_F(CommandTest, WrongAnswersAreFound) {
  QueueServer server({.answer = [](const std::string& model, int64_t k, std::vector<float> x) {
    const bool half = model == "m@half" || (model == "m@flaky" && k % 3 == 2);
    for (float& value : x) value *= half ? 0.5f : model == "m@reverse" ? -1.f : 1.f;
    return x;
  }});
  const json report = RunJson({"--model=m", "--compare=fp32,half,reverse,flaky",
                               "--input=" + Samples(), "--requests=240", "--warmup=0"},
                              server);
  EXPECT_EQ(report["inputs"], 2);
  EXPECT_EQ(report["answer_reference"], "m@fp32");
  const auto answers = [&](size_t i) { return report["variants"][i]["answers"]; };
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(answers(i)["checked"], 60);
    EXPECT_EQ(answers(i)["samples"], 60);
    EXPECT_EQ(answers(i)["malformed"], 0);
  }
  EXPECT_EQ(answers(0)["top1_agreement"], 1);
  EXPECT_TRUE(answers(0)["sqnr_db"].is_null());  // no difference at all
  EXPECT_EQ(answers(0)["largest_difference"], 0);
  EXPECT_EQ(answers(1)["top1_agreement"], 1);
  EXPECT_NEAR(answers(1)["sqnr_db"].get<double>(), 6.0206, 1e-3);
  EXPECT_EQ(answers(1)["largest_difference"], 0.5);
  EXPECT_EQ(answers(1)["inconsistent"], 0);
  EXPECT_EQ(answers(2)["same_class"], 0);
  EXPECT_NEAR(answers(2)["sqnr_db"].get<double>(), -6.0206, 1e-3);
  EXPECT_EQ(answers(2)["largest_difference"], 2);
  // flaky was asked once before the run (k = 0), then k = 1 to 60: 20 of them are halves, and the
  // two inputs' first answers decide which of the two kinds is the odd one.
  EXPECT_GE(answers(3)["inconsistent"], 15);
  EXPECT_EQ(answers(0)["inconsistent"], 0);
}

TEST_F(CommandTest, WithoutFp32TheFirstVariantIsTheReference) {
  QueueServer server({.models = {"m@int8", "m@half"}});
  const json report =
      RunJson({"--model=m", "--compare=int8,half", "--requests=20", "--warmup=0"}, server);
  EXPECT_EQ(report["answer_reference"], "m@int8");
  EXPECT_EQ(report["ratio_reference"], "int8");
}

TEST_F(CommandTest, TheTableHasARowPerVariant) {
  QueueServer server({});
  const Ran ran = Run({"--model=m", "--compare=fp32,fp16,hybrid,int8", "--input=" + Samples(),
                       "--requests=80", "--warmup=0"},
                      server.address());
  EXPECT_EQ(ran.code, kDone);
  EXPECT_EQ(ran.err, "");
  std::multiset<std::string> first_words;
  for (const absl::string_view line : absl::StrSplit(ran.out, '\n')) {
    first_words.emplace(std::vector<std::string>(absl::StrSplit(line, ' '))[0]);
  }
  for (const char* variant : {"fp32", "fp16", "hybrid", "int8"}) {
    EXPECT_EQ(first_words.count(variant), 2u) << ran.out;  // latencies, answers
  }
  EXPECT_THAT(ran.out, HasSubstr("100.00%"));
}

TEST_F(CommandTest, CsvBeginsWithPerfAnalyzersColumns) {
  QueueServer server({.service_time = [](const std::string&, int64_t) { return milliseconds(3); }});
  const Ran ran = Run({"--model=m", "--compare=a,b", "--requests=40", "--warmup=0", "--format=csv",
                       "--concurrency=2"},
                      server.address());
  EXPECT_EQ(ran.code, kDone);
  const std::vector<std::string> lines = absl::StrSplit(ran.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u);
  const std::vector<std::string> header = absl::StrSplit(lines[0], ',');
  EXPECT_EQ(header[0], "Concurrency");
  EXPECT_EQ(header[1], "Inferences/Second");
  EXPECT_EQ(header[2], "p50 latency");
  for (const size_t line : {1u, 2u}) {
    const std::vector<std::string> cells = absl::StrSplit(lines[line], ',');
    ASSERT_EQ(cells.size(), header.size());
    EXPECT_EQ(cells[0], "2");
    EXPECT_GT(std::stod(cells[2]), 3000);  // microseconds
    EXPECT_LT(std::stod(cells[2]), 3e6);
  }
}

TEST_F(CommandTest, WritesTheSpectrumAndThePage) {
  QueueServer server({});
  const std::string hgrm = folder_.Path("out.hgrm");
  const std::string html = folder_.Path("out.html");
  RunJson({"--model=m", "--requests=50", "--warmup=0", "--hgrm=" + hgrm, "--html=" + html}, server);
  EXPECT_THAT(Read(hgrm), HasSubstr("Total count    =           50"));
  const std::string page = Read(html);
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, HasSubstr("<polyline"));
  EXPECT_THAT(page, HasSubstr("from sending"));
  // Nothing is fetched from elsewhere.
  for (const char* outside : {"src=", "href=", "url(", "<script", "@import"}) {
    EXPECT_THAT(page, testing::Not(HasSubstr(outside)));
  }
  RunJson({"--model=m", "--compare=a,a", "--requests=50", "--warmup=0", "--hgrm=" + hgrm}, server);
  EXPECT_THAT(Read(folder_.Path("out.a.hgrm")), HasSubstr("Total count    =           25"));
  EXPECT_THAT(Read(folder_.Path("out.a#2.hgrm")), HasSubstr("Total count    =           25"));
}

TEST_F(CommandTest, AFileThatCannotBeWrittenFailsAfterThePrint) {
  QueueServer server({});
  const Ran ran = Run({"--model=m", "--requests=5", "--warmup=0", "--html=" + folder_.Path("no/a")},
                      server.address());
  EXPECT_EQ(ran.code, kFailed);
  EXPECT_THAT(ran.out, HasSubstr("throughput"));
  EXPECT_THAT(ran.err, HasSubstr("no/a"));
}

TEST_F(CommandTest, NamesFromOutsideCannotBreakThePage) {
  QueueServer server({});
  const std::string html = folder_.Path("out.html");
  RunJson({"--model=<script>alert(1)</script>", "--requests=5", "--warmup=0", "--html=" + html},
          server);
  EXPECT_THAT(Read(html), testing::Not(HasSubstr("<script")));
}

}  // namespace
}  // namespace fourfold::loadtest
