#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/json_text.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto version = arguments.GetInt("version", 0, 1);
  if (!version.ok()) return WrongUsage(version.status());
  const std::string& model = arguments.positional()[0];
  const auto versions = client.Delete(model, *version);
  if (!versions.ok()) return Failed(versions.status());
  if (*format == "json") {
    const nlohmann::ordered_json json = {{"model", model}, {"deleted_versions", *versions}};
    PrintJson(context.out, json);
  } else {
    context.out << "deleted " << model << (versions->size() == 1 ? " version " : " versions ")
                << absl::StrJoin(*versions, ", ") << "\n";
  }
  return Done();
}

}  // namespace

Command DeleteCommand() {
  return {.name = "delete",
          .operands = {"NAME"},
          .summary = "Stop serving a model and delete it, with all its versions.",
          .details = "Requests that the server is working on still finish.",
          .flags = {VersionFlag("Delete only this version."), FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
