#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/json_text.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto version = arguments.GetInt("version", 0, 1);
  if (!version.ok()) return WrongUsage(version.status());
  const auto name = ParseModelName(arguments.positional()[0]);
  if (!name.ok()) return WrongUsage(name.status());
  const std::string path = arguments.Get("output", "");
  if (path.empty()) return WrongUsage("lacks --output=FILE");

  ProgressLine line(context.err, context.err_is_terminal);
  const auto file = client.Download(
      {.model = name->model,
       .version = *version,
       .variant = name->variant,
       .path = path,
       .progress = [&line, &path](int64_t done_bytes, int64_t total_bytes) {
         line.Show(path, static_cast<double>(done_bytes) / static_cast<double>(total_bytes));
       }});
  line.Clear();
  if (!file.ok()) return Failed(file.status());
  if (*format == "json") {
    nlohmann::ordered_json json = {{"model", file->model},           {"version", file->version},
                                   {"variant", file->variant},       {"path", path},
                                   {"file_bytes", file->file_bytes}, {"sha256", file->sha256}};
    if (!file->data_path.empty()) json["data_path"] = file->data_path;
    PrintJson(context.out, json);
  } else {
    context.out << file->model << "@" << file->variant << " version " << file->version << " is in "
                << path << (file->data_path.empty() ? "" : " and " + file->data_path) << " ("
                << FormatBytes(file->file_bytes) << ", SHA-256 " << file->sha256 << ")\n";
  }
  return Done();
}

}  // namespace

Command DownloadCommand() {
  return {.name = "download",
          .operands = {"NAME[@VARIANT]"},
          .summary = "Fetch a variant as an ONNX file, with its checksum verified.",
          .details =
              "Without @VARIANT the model's default variant. The weights of a large one come in a\n"
              "second file, which has to stay beside the first under the name that it gets.",
          .flags = {{"output", "FILE", "Where to write it; an older file is replaced at the end."},
                    VersionFlag("The version to fetch; else the newest."),
                    FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
