// fourfold-bench: the latency of model files in this process, without a server.

#include <cstdio>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "client/cli/flags.h"
#include "server/base/status_macros.h"
#include "server/tools/bench.h"
#include "server/tools/cpu_flag.h"

namespace fourfold::tools {
namespace {

const std::vector<cli::Flag> kFlags = {
    {"batch", "N", "Samples per run; default 1."},
    {"threads", "N", "Threads of one run; default 1."},
    {"seconds", "S", "How long each model is timed; default 3."},
    {"profile", "", "Also time every step by itself."},
    {"cpu_features", "LEVEL",
     "Use no more than this of the CPU: native, avx2, avx512_vnni, reference, ..."},
    {"engine", "NAME", "Use only this engine's kernels: onednn, reference, ..."},
    {"format", "table|json", "Default table."},
    {"help", "", "This text."},
};

void PrintHelp() {
  std::cout
      << "usage: fourfold-bench MODEL [MODEL ...] [flags]\n\n"
         "Runs each model on zeros and prints median, p90 and p99 latency. Several models are run\n"
         "in turn in one loop; their speed-up is against the first.\n\n";
  for (const cli::Flag& flag : kFlags) {
    std::printf("  --%-22s %s\n",
                (flag.value.empty() ? flag.name : absl::StrCat(flag.name, "=", flag.value)).c_str(),
                flag.help.c_str());
  }
}

absl::StatusOr<BenchOptions> ReadOptions(const cli::Arguments& arguments, bool* json) {
  BenchOptions options;
  options.models = arguments.positional();
  if (options.models.empty()) return absl::InvalidArgumentError("wanted at least one MODEL");
  ASSIGN_OR_RETURN(options.batch, arguments.GetInt("batch", 1, 1));
  ASSIGN_OR_RETURN(const int64_t threads, arguments.GetInt("threads", 1, 1));
  ASSIGN_OR_RETURN(options.seconds, arguments.GetDouble("seconds", 3.0));
  ASSIGN_OR_RETURN(const std::string format, arguments.GetChoice("format", {"table", "json"}));
  constexpr int64_t kThreadsMost = 1024;
  if (threads > kThreadsMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads: got ", threads, ", wanted at most ", kThreadsMost));
  }
  options.threads = static_cast<int>(threads);
  options.profile = arguments.IsOn("profile");
  options.engine = arguments.Get("engine", "");
  *json = format == "json";
  ASSIGN_OR_RETURN(options.features, ApplyCpuFlag(arguments.Get("cpu_features", "")));
  return options;
}

int Main(const std::vector<std::string>& words) {
  const absl::StatusOr<cli::Arguments> arguments = cli::ParseArguments(kFlags, words);
  if (arguments.ok() && arguments->IsOn("help")) {
    PrintHelp();
    return 0;
  }
  bool json = false;
  const absl::StatusOr<BenchOptions> options =
      arguments.ok() ? ReadOptions(*arguments, &json)
                     : absl::StatusOr<BenchOptions>(arguments.status());
  if (!options.ok()) {
    std::cerr << "fourfold-bench: " << options.status().message() << " (see --help)\n";
    return 2;
  }
  const absl::StatusOr<std::vector<BenchResult>> results = Bench(*options);
  if (!results.ok()) {
    std::cerr << "fourfold-bench: " << absl::StatusCodeToString(results.status().code()) << ": "
              << results.status().message() << "\n";
    return 1;
  }
  std::cout << (json ? BenchToJson(*results, *options) + "\n" : BenchToTable(*results, *options));
  return 0;
}

}  // namespace
}  // namespace fourfold::tools

int main(int argc, char** argv) { return fourfold::tools::Main({argv + 1, argv + argc}); }
