#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/json_text.h"
#include "client/cli/layers_text.h"
#include "client/cli/table.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

using nlohmann::ordered_json;

ordered_json TensorsToJson(const std::vector<client::TensorDescription>& tensors) {
  ordered_json json = ordered_json::array();
  for (const client::TensorDescription& tensor : tensors) {
    json.push_back({{"name", tensor.name}, {"datatype", tensor.datatype}, {"shape", tensor.shape}});
  }
  return json;
}

ordered_json ToJson(const client::ModelDescription& model) {
  ordered_json json;
  json["model"] = model.model;
  json["version"] = model.version;
  json["versions"] = model.versions;
  json["default_variant"] = model.default_variant;
  json["inputs"] = TensorsToJson(model.inputs);
  json["outputs"] = TensorsToJson(model.outputs);
  json["variants"] = ordered_json::array();
  for (const client::VariantFile& variant : model.variants) {
    json["variants"].push_back({{"variant", variant.variant},
                                {"default", variant.variant == model.default_variant},
                                {"file", variant.file},
                                {"file_bytes", variant.file_bytes},
                                {"sha256", variant.sha256}});
    if (variant.data_file.empty()) continue;
    json["variants"].back()["data_file"] = variant.data_file;
    json["variants"].back()["data_bytes"] = variant.data_bytes;
    json["variants"].back()["data_sha256"] = variant.data_sha256;
  }
  json["created_unix_ms"] = model.created_unix_ms;
  json["batching"] = model.batching;
  return json;
}

std::string ToTable(const client::ModelDescription& model) {
  Table tensors;
  tensors.AddColumn("tensor", Align::kLeft);
  tensors.AddColumn("name", Align::kLeft);
  tensors.AddColumn("type", Align::kLeft);
  tensors.AddColumn("shape", Align::kLeft);
  for (const auto& t : model.inputs) {
    tensors.AddRow({"input", t.name, t.datatype, FormatShape(t.shape)});
  }
  for (const auto& t : model.outputs) {
    tensors.AddRow({"output", t.name, t.datatype, FormatShape(t.shape)});
  }
  Table variants;
  variants.AddColumn("variant", Align::kLeft);
  variants.AddColumn("file", Align::kLeft);
  variants.AddColumn("size", Align::kRight);
  variants.AddColumn("SHA-256", Align::kLeft);
  for (const client::VariantFile& file : model.variants) {
    variants.AddRow({absl::StrCat(file.variant, file.variant == model.default_variant ? " *" : ""),
                     file.file, FormatBytes(file.file_bytes), file.sha256});
    if (file.data_file.empty()) continue;
    variants.AddRow({"", file.data_file, FormatBytes(file.data_bytes), file.data_sha256});
  }
  return absl::StrCat(
      model.model, " version ", model.version, " of ", absl::StrJoin(model.versions, ", "),
      ", published ", FormatTime(model.created_unix_ms), " UTC\n",
      model.batching.empty() ? "" : absl::StrCat("requests: ", model.batching, "\n"), "\n",
      tensors.Render(), "\n", variants.Render(), "\n* answers requests that name only \"",
      model.model, "\"\n");
}

ordered_json ToJson(const client::LayerReport& layer) {
  return {{"node", layer.node},
          {"operation", layer.operation},
          {"output", layer.output},
          {"precision", layer.precision},
          {"kernel", layer.kernel},
          {"macs", layer.macs},
          {"why_not_int8", layer.why_not_int8}};
}

// The steps of one variant, from the report that was made when it was measured.
Outcome ShowLayers(const std::string& name, const std::string& variant, int64_t version, bool json,
                   const Context& context, client::Client& client) {
  const auto comparison = client.Compare(name, version);
  if (!comparison.ok()) return Failed(comparison.status());
  std::vector<std::string> names;
  for (const client::VariantReport& report : comparison->variants) {
    names.push_back(report.variant);
    if (report.variant != variant) continue;
    if (json) {
      ordered_json layers = ordered_json::array();
      for (const client::LayerReport& layer : report.executed.layers)
        layers.push_back(ToJson(layer));
      PrintJson(context.out, {{"model", name},
                              {"version", comparison->version},
                              {"variant", variant},
                              {"layers", layers}});
      return Done();
    }
    std::vector<LayerRow> rows;
    for (const client::LayerReport& layer : report.executed.layers) {
      rows.push_back({layer.node, layer.operation, layer.output, layer.precision, layer.kernel,
                      layer.macs, layer.why_not_int8});
    }
    context.out << LayersToTable(rows);
    return Done();
  }
  return Failed(absl::NotFoundError(absl::StrCat("model ", name, " has no variant \"", variant,
                                                 "\"; there are ", absl::StrJoin(names, ", "))));
}

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto version = arguments.GetInt("version", 0, 1);
  if (!version.ok()) return WrongUsage(version.status());
  const std::string& name = arguments.positional()[0];
  const auto named = ParseModelName(name);
  if (!named.ok()) return WrongUsage(named.status());
  if (arguments.IsOn("layers") || !named->variant.empty()) {
    const std::string& variant = named->variant;
    return ShowLayers(named->model, variant.empty() ? "int8" : variant, *version, *format == "json",
                      context, client);
  }
  const auto model = client.Describe(name, *version);
  if (!model.ok()) return Failed(model.status());
  if (*format == "json") {
    PrintJson(context.out, ToJson(*model));
  } else {
    context.out << ToTable(*model);
  }
  return Done();
}

}  // namespace

Command ShowCommand() {
  return {.name = "show",
          .operands = {"NAME[@VARIANT]"},
          .summary = "Show a model's inputs, outputs, versions and files, or a variant's steps.",
          .details =
              "NAME@VARIANT lists what runs, node by node: operation, result, precision, "
              "kernel,\nand why a product is not computed in int8.\n",
          .flags = {VersionFlag("The version to show; else the newest."),
                    {"layers", "", "List the steps of int8, as NAME@int8 does."},
                    FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
