#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/flags.h"
#include "client/samples/image_options.h"
#include "loadtest/arrivals.h"

namespace fourfold::loadtest {

enum class Loop : uint8_t { kClosed, kOpen };
enum class Format : uint8_t { kTable, kJson, kCsv };

// One run, as the command line asks for it.
struct Options {
  std::string address;  // HOST:PORT
  std::string model;    // NAME or NAME@VARIANT
  int64_t version = 0;  // 0: the newest
  // Variants to interleave, the same one may come twice; empty: no comparison.
  std::vector<std::string> compare;

  Loop loop = Loop::kClosed;
  int concurrency = 1;    // closed loop: requests in flight
  double rate_per_s = 0;  // open loop
  Arrivals arrivals = Arrivals::kPoisson;
  int64_t in_flight_max = 10'000;  // open loop: more is not sent

  std::chrono::nanoseconds duration = std::chrono::seconds(10);  // of sending, after the warm-up
  std::chrono::nanoseconds warmup = std::chrono::seconds(1);
  int64_t requests_max = INT64_MAX;  // measured requests
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  int connections = 1;
  uint64_t seed = 1;

  std::vector<std::string> inputs;  // [TENSOR=]PATH; empty: random
  samples::ImageOptions images;
  int64_t batch = 1;          // samples per request
  int64_t samples_max = 256;  // samples kept in memory

  Format format = Format::kTable;
  std::string hgrm_path;  // empty: none
  std::string html_path;
};

// What options may be at most. A rate times its duration is the length of a schedule.
inline constexpr double kRateMax = 1e6;  // requests per second
inline constexpr int64_t kConcurrencyMax = 10'000;
inline constexpr int64_t kConnectionsMax = 256;
inline constexpr int64_t kInFlightMax = 1'000'000;
inline constexpr double kDurationMaxSeconds = 86'400;
inline constexpr double kTimeoutMaxMilliseconds = 3'600'000;
inline constexpr int64_t kScheduleMax = 20'000'000;     // requests of one open loop
inline constexpr int64_t kRequestsMax = 1'000'000'000;  // of one closed loop
inline constexpr int64_t kBatchMax = 65'536;
inline constexpr int64_t kSamplesMax = 1'000'000;
inline constexpr size_t kCompareMax = 16;  // variants of one comparison

const std::vector<cli::Flag>& Flags();

// INVALID_ARGUMENT names the flag, its value and what was wanted.
absl::StatusOr<Options> ReadOptions(const cli::Arguments& arguments,
                                    const std::string& default_address);

}  // namespace fourfold::loadtest
