#include "loadtest/options.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace fourfold::loadtest {
namespace {

constexpr const char* kImageFlags[] = {"resize",   "crop",  "layout", "channel_order",
                                       "channels", "scale", "mean",   "std"};

// Reads flags one after another and keeps the first error.
class Reader {
 public:
  explicit Reader(const cli::Arguments& arguments) : arguments_(arguments) {}

  int64_t Int(const std::string& name, int64_t fallback, int64_t least, int64_t most) {
    const auto value = arguments_.GetInt(name, fallback, least);
    if (!value.ok()) return Fail(value.status(), fallback);
    if (arguments_.Has(name) && *value > most) {
      return Fail(absl::InvalidArgumentError(absl::StrFormat(
                      "--%s=%d: wanted a whole number from %d to %d", name, *value, least, most)),
                  fallback);
    }
    return *value;
  }

  // Above `least`, or at it if `inclusive`.
  double Double(const std::string& name, double fallback, double least, double most,
                bool inclusive = false) {
    const auto value = arguments_.GetDouble(name, fallback);
    if (!value.ok()) return Fail(value.status(), fallback);
    if (*value > most || *value < least || (*value == least && !inclusive)) {
      return Fail(absl::InvalidArgumentError(absl::StrFormat(
                      "--%s=%s: wanted a number %s %g, %g at most", name, arguments_.Get(name, ""),
                      inclusive ? "from" : "above", least, most)),
                  fallback);
    }
    return *value;
  }

  std::string Choice(const std::string& name, const std::vector<std::string>& choices) {
    const auto value = arguments_.GetChoice(name, choices);
    return value.ok() ? *value : Fail(value.status(), choices.front());
  }

  void Require(bool condition, const std::string& message) {
    if (!condition) Fail(absl::InvalidArgumentError(message), 0);
  }

  template <typename T>
  T Fail(const absl::Status& status, T fallback) {
    if (status_.ok()) status_ = status;
    return fallback;
  }

  const absl::Status& status() const { return status_; }

 private:
  const cli::Arguments& arguments_;
  absl::Status status_;
};

std::chrono::nanoseconds Seconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}

void ReadLoad(const cli::Arguments& arguments, Reader& reader, Options& options) {
  reader.Require(!arguments.Has("rate") || !arguments.Has("concurrency"),
                 "--rate and --concurrency: wanted one of them, an open or a closed loop");
  options.loop = arguments.Has("rate") ? Loop::kOpen : Loop::kClosed;
  if (options.loop == Loop::kOpen) options.rate_per_s = reader.Double("rate", 1, 0, kRateMax);
  for (const char* flag : {"arrivals", "in_flight_max"}) {
    reader.Require(options.loop == Loop::kOpen || !arguments.Has(flag),
                   absl::StrCat("--", flag, " is for an open loop, wanted --rate with it"));
  }
  options.arrivals = reader.Choice("arrivals", {"poisson", "constant"}) == "poisson"
                         ? Arrivals::kPoisson
                         : Arrivals::kConstant;
  options.concurrency = static_cast<int>(reader.Int("concurrency", 1, 1, kConcurrencyMax));
  options.in_flight_max = reader.Int("in_flight_max", options.in_flight_max, 1, kInFlightMax);
  options.warmup = Seconds(reader.Double("warmup", 1, 0, kDurationMaxSeconds, true));
  // A given number of requests may take as long as it does.
  const double duration = arguments.Has("requests") ? kDurationMaxSeconds : 10;
  options.duration = Seconds(reader.Double("duration", duration, 0, kDurationMaxSeconds));
  options.requests_max = reader.Int("requests", INT64_MAX, 1,
                                    options.loop == Loop::kOpen ? kScheduleMax : kRequestsMax);
  const auto schedule = [&](std::chrono::nanoseconds time) {
    return options.rate_per_s * std::chrono::duration<double>(time).count();
  };
  const double planned = schedule(options.warmup) + (arguments.Has("requests")
                                                         ? static_cast<double>(options.requests_max)
                                                         : schedule(options.duration));
  reader.Require(options.loop == Loop::kClosed || planned <= static_cast<double>(kScheduleMax),
                 absl::StrFormat("--rate=%g for that long are %.0f requests, wanted %d at most",
                                 options.rate_per_s, planned, kScheduleMax));
  options.timeout = std::chrono::nanoseconds(
      static_cast<int64_t>(reader.Double("timeout_ms", 10'000, 0, kTimeoutMaxMilliseconds) * 1e6));
  options.connections = static_cast<int>(reader.Int("connections", 1, 1, kConnectionsMax));
  options.seed = static_cast<uint64_t>(reader.Int("seed", 1, 0, INT64_MAX));
}

void ReadCompare(const cli::Arguments& arguments, Reader& reader, Options& options) {
  if (!arguments.Has("compare")) return;
  options.compare = absl::StrSplit(arguments.Get("compare", ""), ',');
  reader.Require(!absl::StrContains(options.model, '@'),
                 absl::StrCat("--model=", options.model,
                              ": wanted a name without a variant together with --compare"));
  reader.Require(options.compare.size() >= 2 && options.compare.size() <= kCompareMax,
                 absl::StrCat("--compare=", arguments.Get("compare", ""), ": wanted 2 to ",
                              kCompareMax, " variants with commas between"));
  for (const std::string& variant : options.compare) {
    reader.Require(!variant.empty() && !absl::StrContains(variant, '@'),
                   absl::StrCat("--compare=", arguments.Get("compare", ""),
                                ": wanted variants' names, such as fp32,int8"));
  }
}

void ReadInputs(const cli::Arguments& arguments, Reader& reader, Options& options) {
  options.inputs = arguments.GetAll("input");
  for (const char* flag : kImageFlags) {
    if (!arguments.Has(flag)) continue;
    if (absl::Status set = options.images.Set(flag, arguments.Get(flag, "")); !set.ok()) {
      reader.Fail(absl::InvalidArgumentError(absl::StrCat("--", set.message())), 0);
    }
  }
  if (absl::Status valid = options.images.Validate(); !valid.ok()) reader.Fail(valid, 0);
  options.batch = reader.Int("batch", 1, 1, kBatchMax);
  options.samples_max = reader.Int("samples", options.samples_max, 1, kSamplesMax);
}

}  // namespace

const std::vector<cli::Flag>& Flags() {
  static const auto* const kFlags = new std::vector<cli::Flag>{
      {"model", "NAME[@VARIANT]", "The model; without @VARIANT its default variant answers."},
      {"version", "N", "Its version; else the newest."},
      {"compare", "A,B,...",
       "Interleave variants request by request, compare latencies and answers."},
      {"rate", "QPS", "Open loop: requests per second, whatever the server does."},
      {"arrivals", "poisson|constant", "When an open loop sends; default poisson."},
      {"in_flight_max", "N", "An open loop's requests in flight; default 10000, more is not sent."},
      {"concurrency", "N", "Closed loop: requests in flight; default 1."},
      {"duration", "S", "Seconds of sending after the warm-up; default 10."},
      {"warmup", "S", "Seconds of sending that are not measured; default 1."},
      {"requests", "N", "End after so many measured requests."},
      {"timeout_ms", "T", "Deadline of a request; default 10000."},
      {"connections", "N", "Connections to spread requests over; default 1."},
      {"input", "[TENSOR=]PATH",
       "Samples, taken in turn: FILE.npy per input, FILE.npz or a folder of pictures; else random.",
       true},
      {"batch", "N", "Samples per request; default 1."},
      {"samples", "N", "Samples to take from the files; default 256."},
      {"resize", "PIXELS", "Pictures: shorter side after resizing."},
      {"crop", "PIXELS", "Pictures: side of the square in the middle."},
      {"layout", "nchw|nhwc", "Pictures: order of axes."},
      {"channel_order", "rgb|bgr", "Pictures: order of channels."},
      {"channels", "1|3", "Pictures: 1 for grey."},
      {"scale", "X", "Pictures: a value is (pixel * scale - mean) / std."},
      {"mean", "X[,Y,Z]", "Pictures: see scale."},
      {"std", "X[,Y,Z]", "Pictures: see scale."},
      {"seed", "N", "Of arrivals, orders and random inputs; default 1."},
      {"format", "table|json|csv", "How to print the result; json is one object."},
      {"hgrm", "FILE", "Write the percentile spectrum as HdrHistogram's plotters read it."},
      {"html", "FILE", "Write a page with the percentile plot."},
      {"address", "HOST:PORT",
       "The server's gRPC address; else FOURFOLD_ADDRESS, else 127.0.0.1:8001."},
      {"help", "", "Show this help."},
  };
  return *kFlags;
}

absl::StatusOr<Options> ReadOptions(const cli::Arguments& arguments,
                                    const std::string& default_address) {
  Reader reader(arguments);
  Options options;
  for (const std::string& word : arguments.positional()) {
    reader.Require(false, absl::StrCat("\"", word, "\" is one argument too many"));
  }
  options.address = arguments.Get("address", default_address);
  reader.Require(!options.address.empty(), "--address is empty, wanted HOST:PORT");
  options.model = arguments.Get("model", "");
  const std::vector<std::string> parts = absl::StrSplit(options.model, '@');
  reader.Require(parts.size() <= 2 && std::count(parts.begin(), parts.end(), "") == 0,
                 absl::StrCat("--model=", options.model, ": wanted NAME or NAME@VARIANT"));
  options.version = reader.Int("version", 0, 1, INT64_MAX);
  ReadCompare(arguments, reader, options);
  ReadLoad(arguments, reader, options);
  ReadInputs(arguments, reader, options);
  const std::string format = reader.Choice("format", {"table", "json", "csv"});
  options.format = format == "json"  ? Format::kJson
                   : format == "csv" ? Format::kCsv
                                     : Format::kTable;
  options.hgrm_path = arguments.Get("hgrm", "");
  options.html_path = arguments.Get("html", "");
  if (!reader.status().ok()) return reader.status();
  return options;
}

}  // namespace fourfold::loadtest
