#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/flags.h"
#include "client/client.h"

namespace fourfold::cli {

enum ExitCode : int { kDone = 0, kFailed = 1, kWrongUsage = 2 };

// Where a command writes and what it takes from its surroundings. Borrowed for the run.
struct Context {
  std::ostream& out;     // results only
  std::ostream& err;     // errors and progress
  bool err_is_terminal;  // progress is shown
  std::string address;   // the server, from FOURFOLD_ADDRESS or the default
};

// How a command ended; the message, if any, goes to Context::err.
struct Outcome {
  ExitCode code = kDone;
  std::string message;
};

Outcome Done();
// "NOT_FOUND: no model \"x\""
Outcome Failed(const absl::Status& status);
Outcome Failed(std::string message);
Outcome WrongUsage(const absl::Status& status);
Outcome WrongUsage(std::string message);

// One subcommand.
struct Command {
  std::string name;
  std::vector<std::string> operands;  // what must follow the name, e.g. {"MODEL.onnx"}
  std::string summary;                // one line
  std::string details;                // further lines of the help; may be empty
  std::vector<Flag> flags;            // beside --address and --help, which all have
  // Called with as many positional arguments as `operands`, --address checked.
  std::function<Outcome(const Arguments&, const Context&, client::Client&)> run;
};

Command CancelCommand();
Command CompareCommand();
Command DeleteCommand();
Command DownloadCommand();
Command InferCommand();
Command JobsCommand();
Command ListCommand();
Command ShowCommand();
Command StatusCommand();
Command UploadCommand();

// Flags that several commands have.
Flag FormatFlag(const std::string& choices);  // "table|json"
Flag VersionFlag(const std::string& what);

// "resnet50@int8" in its parts; without "@" the variant is empty.
struct ModelName {
  std::string model;
  std::string variant;
};
absl::StatusOr<ModelName> ParseModelName(const std::string& text);

// Runs the command line `words` (without the program's name) and returns the exit code.
int RunFourfold(const std::vector<std::string>& words, const Context& context);

}  // namespace fourfold::cli
