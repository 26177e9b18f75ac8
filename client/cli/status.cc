#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/json_text.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto status = client.Status();
  if (!status.ok()) return Failed(status.status());
  if (*format == "json") {
    const nlohmann::ordered_json json = {
        {"address", client.address()}, {"live", status->live},
        {"ready", status->ready},      {"name", status->name},
        {"version", status->version},  {"extensions", status->extensions}};
    PrintJson(context.out, json);
  } else {
    context.out << status->name << " " << status->version << " at " << client.address() << ": "
                << (status->live ? "live" : "not live") << ", "
                << (status->ready ? "ready" : "not ready") << "\n";
    if (!status->extensions.empty()) {
      context.out << "extensions: " << absl::StrJoin(status->extensions, " ") << "\n";
    }
  }
  if (!status->live || !status->ready) return Failed("the server is not ready");
  return Done();
}

}  // namespace

Command StatusCommand() {
  return {.name = "status",
          .operands = {},
          .summary = "Ask the server whether it is live and ready; exit code 1 if it is not.",
          .details = "",
          .flags = {FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
