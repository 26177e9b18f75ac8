#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/json_text.h"
#include "client/cli/table.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

std::string ToTable(const std::vector<client::Job>& jobs) {
  Table table;
  table.AddColumn("job", Align::kLeft);
  table.AddColumn("model", Align::kLeft);
  table.AddColumn("version", Align::kRight);
  table.AddColumn("state", Align::kLeft);
  table.AddColumn("stage", Align::kLeft);
  table.AddColumn("received (UTC)", Align::kLeft);
  table.AddColumn("message", Align::kLeft);
  for (const client::Job& job : jobs) {
    const bool running = job.state == client::JobState::kRunning;
    table.AddRow(
        {job.job_id, job.model, absl::StrCat(job.version), JobStateName(job.state),
         running ? absl::StrCat(job.stage, " ", FormatFixed(job.percent, 0), "%") : job.stage,
         FormatTime(job.created_unix_ms), job.message});
  }
  return table.Render();
}

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto jobs = client.Jobs(arguments.Get("model", ""));
  if (!jobs.ok()) return Failed(jobs.status());
  if (*format == "json") {
    nlohmann::ordered_json json;
    json["jobs"] = nlohmann::ordered_json::array();
    for (const client::Job& job : *jobs) json["jobs"].push_back(JobToJson(job));
    PrintJson(context.out, json);
  } else if (jobs->empty()) {
    context.out << "no jobs\n";
  } else {
    context.out << ToTable(*jobs);
  }
  return Done();
}

}  // namespace

Command JobsCommand() {
  return {.name = "jobs",
          .operands = {},
          .summary = "List uploads that were or are being made into variants.",
          .details = "",
          .flags = {{"model", "NAME", "Only jobs of this model."}, FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
