#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/json_text.h"
#include "client/cli/table.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

nlohmann::ordered_json ToJson(const std::vector<client::ModelSummary>& models) {
  nlohmann::ordered_json json;
  json["models"] = nlohmann::ordered_json::array();
  for (const client::ModelSummary& model : models) {
    json["models"].push_back({{"model", model.model},
                              {"version", model.version},
                              {"versions", model.versions},
                              {"default_variant", model.default_variant},
                              {"variants", model.variants},
                              {"created_unix_ms", model.created_unix_ms}});
  }
  return json;
}

std::string ToTable(const std::vector<client::ModelSummary>& models) {
  Table table;
  table.AddColumn("model", Align::kLeft);
  table.AddColumn("version", Align::kRight);
  table.AddColumn("variants", Align::kLeft);
  table.AddColumn("default", Align::kLeft);
  table.AddColumn("published (UTC)", Align::kLeft);
  for (const client::ModelSummary& model : models) {
    table.AddRow({model.model, absl::StrCat(model.version), absl::StrJoin(model.variants, ","),
                  model.default_variant, FormatTime(model.created_unix_ms)});
  }
  return table.Render();
}

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto models = client.List();
  if (!models.ok()) return Failed(models.status());
  if (*format == "json") {
    PrintJson(context.out, ToJson(*models));
  } else if (models->empty()) {
    context.out << "no models yet; fourfold upload MODEL.onnx --name=NAME makes one\n";
  } else {
    context.out << ToTable(*models);
  }
  return Done();
}

}  // namespace

Command ListCommand() {
  return {.name = "list",
          .operands = {},
          .summary = "List the models that the server serves.",
          .details = "",
          .flags = {FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
