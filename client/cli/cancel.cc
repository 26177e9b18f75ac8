#include "client/cli/command.h"
#include "client/cli/json_text.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto job = client.Cancel(arguments.positional()[0]);
  if (!job.ok()) return Failed(job.status());
  if (*format == "json") {
    PrintJson(context.out, JobToJson(*job));
  } else {
    const bool ending = job->state == client::JobState::kRunning;
    context.out << "job " << job->job_id << " (" << job->model << " version " << job->version
                << ") is " << (ending ? "being cancelled" : JobStateName(job->state)) << "\n";
  }
  return Done();
}

}  // namespace

Command CancelCommand() {
  return {.name = "cancel",
          .operands = {"JOB"},
          .summary = "Stop a job that is queued or running; nothing of it is published.",
          .details = "",
          .flags = {FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
