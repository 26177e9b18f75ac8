// fourfold-conformance: runs ONNX's backend test cases through import, passes, plan and run.

#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <regex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/flags.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"
#include "tests/conformance/run_isolated.h"
#include "tests/conformance/summary.h"

namespace fourfold::conformance {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr int kSkipped = 77;  // ctest's SKIP_RETURN_CODE

const std::vector<cli::Flag> kFlags = {
    {"suite", "LIST", "Only the cases in folders of these names, as node,simple."},
    {"filter", "REGEX", "Only cases in whose suite/name this is found."},
    {"optimise", "both|on|off", "With passes, without, or both: the answers must be the same."},
    {"round_trip", "", "Also export each graph, import the file and compare again."},
    {"engine", "NAME", "Only kernels of this engine, as reference."},
    {"isolate", "", "A process for each case, not one for many."},
    {"timeout", "S", "Seconds that a case may take; default 60."},
    {"memory", "MIB", "Address space of a process; default 8192, 0: as much as there is."},
    {"pass_min", "X", "Fail also if less than this fraction of the cases is passed; default 0."},
    {"failed_max", "N", "End with exit code 0 in spite of so many failures; default 0."},
    {"known_gaps", "FILE",
     "Fail also if a case whose operators are all in the importer's table is unsupported, unless "
     "the file lists it with a reason."},
    {"all", "", "List unsupported cases too."},
    {"skip_missing", "", "End with exit code 77, not 1, if FOLDER is not there."},
    {"format", "table|json", "What goes to standard output."},
    {"help", "", "This text."},
};

struct Job {
  std::string folder;
  std::vector<std::string> suites;
  std::string filter;
  RunOptions run;
  IsolationOptions isolation;
  int64_t memory_mib = 0;
  double pass_min = 0;
  int64_t failed_max = 0;
  std::string known_gaps;
  bool all = false;
  bool skip_missing = false;
  bool json = false;
};

void PrintHelp() {
  std::cout << "usage: fourfold-conformance FOLDER [flags]\n\n"
               "Runs the ONNX backend test cases in FOLDER: import, optimise, plan, run. Ends with "
               "exit code 1\nif any fails; what is refused as unsupported is counted and listed by "
               "operator.\n\n";
  for (const cli::Flag& flag : kFlags) {
    const std::string name = flag.value.empty() ? flag.name : flag.name + "=" + flag.value;
    std::cout << "  --" << name << std::string(name.size() < 24 ? 24 - name.size() : 1, ' ')
              << flag.help << "\n";
  }
}

absl::StatusOr<Job> ReadJob(const cli::Arguments& arguments) {
  Job job;
  if (arguments.positional().size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("wanted one FOLDER, got ", arguments.positional().size(), " of them"));
  }
  job.folder = arguments.positional()[0];
  if (arguments.Has("suite")) job.suites = absl::StrSplit(arguments.Get("suite", ""), ',');
  job.filter = arguments.Get("filter", "");
  try {
    const std::regex parsed(job.filter);
  } catch (const std::regex_error&) {
    return absl::InvalidArgumentError(
        absl::StrCat("--filter: \"", job.filter, "\" is no regular expression"));
  }
  ASSIGN_OR_RETURN(const std::string optimise,
                   arguments.GetChoice("optimise", {"both", "on", "off"}));
  job.run.with_passes = optimise != "off";
  job.run.without_passes = optimise != "on";
  job.run.round_trip = arguments.IsOn("round_trip");
  job.run.engine = arguments.Get("engine", "");
  if (arguments.IsOn("isolate")) job.isolation.batch = 1;
  ASSIGN_OR_RETURN(const int64_t seconds, arguments.GetInt("timeout", 60, 1));
  job.isolation.timeout = absl::Seconds(seconds);
  ASSIGN_OR_RETURN(job.memory_mib, arguments.GetInt("memory", 8192, 0));
  ASSIGN_OR_RETURN(job.pass_min, arguments.GetDouble("pass_min", 0));
  ASSIGN_OR_RETURN(job.failed_max, arguments.GetInt("failed_max", 0, 0));
  job.known_gaps = arguments.Get("known_gaps", "");
  job.all = arguments.IsOn("all");
  job.skip_missing = arguments.IsOn("skip_missing");
  ASSIGN_OR_RETURN(const std::string format, arguments.GetChoice("format", {"table", "json"}));
  job.json = format == "json";
  return job;
}

void KeepChosen(const Job& job, std::vector<Case>& cases) {
  const std::regex filter(job.filter);
  std::erase_if(cases, [&](const Case& test) {
    const bool in_suite = job.suites.empty() || std::find(job.suites.begin(), job.suites.end(),
                                                          test.suite) != job.suites.end();
    return !in_suite || !std::regex_search(FullName(test), filter);
  });
}

// Children inherit it. Sanitizers reserve more address space than there is memory.
void LimitMemory([[maybe_unused]] int64_t mib) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (mib == 0) return;
  const rlimit limit{static_cast<rlim_t>(mib) << 20, static_cast<rlim_t>(mib) << 20};
  setrlimit(RLIMIT_AS, &limit);
#endif
}

// What makes the run a failure beside failed cases; a line each.
absl::StatusOr<std::vector<std::string>> Offences(const Job& job, const Summary& summary) {
  std::vector<std::string> offences;
  const Tally tally = summary.Count();
  const double passed = static_cast<double>(tally.passed) / static_cast<double>(tally.total());
  if (passed < job.pass_min) {
    offences.push_back(
        absl::StrCat("TOO FEW: ", passed, " of the cases passed, wanted ", job.pass_min));
  }
  if (job.known_gaps.empty()) return offences;
  ASSIGN_OR_RETURN(const std::string text, base::ReadFile(job.known_gaps));
  ASSIGN_OR_RETURN(const KnownGaps gaps, KnownGaps::Parse(text));
  for (const std::string& line : gaps.Stale(summary)) std::cerr << line << "\n";
  for (std::string& line : gaps.Offences(summary)) offences.push_back(std::move(line));
  return offences;
}

absl::StatusOr<int> Run(const Job& job) {
  ASSIGN_OR_RETURN(CaseList list, FindCases(job.folder));
  KeepChosen(job, list.cases);
  if (list.cases.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no case in ", job.folder, " matches --suite and --filter"));
  }
  LimitMemory(job.memory_mib);
  Summary summary;
  ASSIGN_OR_RETURN(summary.results, RunIsolated(list.cases, job.isolation, [&](const Case& test) {
                     return RunCase(test, job.run);
                   }));
  summary.cases = std::move(list.cases);
  summary.no_data = std::move(list.no_data);
  ASSIGN_OR_RETURN(const std::vector<std::string> offences, Offences(job, summary));
  for (const std::string& line : offences) std::cerr << line << "\n";
  std::cout << (job.json ? ToJson(summary) + "\n" : ToText(summary, job.all));
  const size_t failures = summary.Count().failed + summary.CountRoundTrips().failed;
  const bool tolerated = failures <= static_cast<size_t>(job.failed_max);
  return tolerated && offences.empty() ? kDone : kFailed;
}

int Main(const std::vector<std::string>& words) {
  const absl::StatusOr<cli::Arguments> arguments = cli::ParseArguments(kFlags, words);
  if (arguments.ok() && arguments->IsOn("help")) {
    PrintHelp();
    return kDone;
  }
  const absl::StatusOr<Job> job =
      arguments.ok() ? ReadJob(*arguments) : absl::StatusOr<Job>(arguments.status());
  if (!job.ok()) {
    std::cerr << "fourfold-conformance: " << job.status().message() << " (see --help)\n";
    return kWrongUsage;
  }
  if (job->skip_missing && !base::Exists(job->folder)) {
    std::cout << "SKIPPED: there is no " << job->folder
              << "; install Debian's package libonnx-testdata\n";
    return kSkipped;
  }
  const absl::StatusOr<int> code = Run(*job);
  if (!code.ok()) {
    std::cerr << "fourfold-conformance: " << code.status().message() << "\n";
    return kFailed;
  }
  return *code;
}

}  // namespace
}  // namespace fourfold::conformance

int main(int argc, char** argv) { return fourfold::conformance::Main({argv + 1, argv + argc}); }
