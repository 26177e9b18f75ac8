#pragma once

#include <atomic>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/progress.h"
#include "loadtest/options.h"
#include "loadtest/report.h"

namespace fourfold::loadtest {

enum ExitCode : int { kDone = 0, kFailed = 1, kWrongUsage = 2 };

// Puts the load of `options` on the server and reports. Before it begins, the server, the model and
// each compared variant are asked once, and the reference's answers are fetched. Ends early, with
// what has been measured, soon after `stop` becomes true. Errors: of those first questions and of
// the input files; RESOURCE_EXHAUSTED if reference answers take more than 1 GiB; CANCELLED if
// `stop` came before the load.
absl::StatusOr<Report> RunLoad(const Options& options, cli::ProgressLine& progress,
                               const std::atomic<bool>& stop);

// Where the program writes and what it takes from its surroundings. Borrowed for the run.
struct Context {
  std::ostream& out;     // the result only
  std::ostream& err;     // errors and progress
  bool err_is_terminal;  // progress is shown
  std::string address;   // the server, from FOURFOLD_ADDRESS or the default
  const std::atomic<bool>& stop;
};

// Runs the command line `words` (without the program's name). kFailed: it could not begin, nothing
// was answered, or a file could not be written.
ExitCode RunLoadtest(const std::vector<std::string>& words, const Context& context);

}  // namespace fourfold::loadtest
