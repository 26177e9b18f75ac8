#include "client/cli/command.h"
#include "client/cli/comparison_text.h"
#include "client/cli/json_text.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json", "csv"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto version = arguments.GetInt("version", 0, 1);
  if (!version.ok()) return WrongUsage(version.status());

  const auto comparison = client.Compare(arguments.positional()[0], *version);
  if (!comparison.ok()) return Failed(comparison.status());
  if (*format == "json") {
    PrintJson(context.out, ComparisonToJson(*comparison));
  } else if (*format == "csv") {
    context.out << ComparisonToCsv(*comparison);
  } else {
    context.out << ComparisonToTable(*comparison);
  }
  return Done();
}

}  // namespace

Command CompareCommand() {
  return {
      .name = "compare",
      .operands = {"NAME"},
      .summary = "Show what each variant of a model costs and loses.",
      .details =
          "Size, latency and accuracy as the server measured them on its machine. In JSON and\n"
          "CSV: sizes in bytes, times in milliseconds, accuracies as fractions from 0 to 1.",
      .flags = {VersionFlag("The version to show; else the newest."), FormatFlag("table|json|csv")},
      .run = Run};
}

}  // namespace fourfold::cli
