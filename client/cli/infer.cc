#include <sys/stat.h>

#include <chrono>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/json_text.h"
#include "client/cli/table.h"
#include "client/cli/tensor_text.h"
#include "client/datatype.h"
#include "client/samples/npy.h"
#include "client/samples/npz.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

using nlohmann::ordered_json;

// What --input=[TENSOR=]FILE.npy says.
struct InputFlag {
  std::string tensor;  // empty: the model's only input
  std::string path;
};

InputFlag ParseInputFlag(const std::string& text) {
  struct stat facts;
  const size_t equals = text.find('=');
  // A file name may have "=" in it.
  if (equals == std::string::npos || stat(text.c_str(), &facts) == 0) return {"", text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

absl::StatusOr<client::Tensor> ReadTensor(const InputFlag& input) {
  const auto array = samples::ReadNpyFile(input.path);
  if (!array.ok()) return array.status();
  const std::span<const std::byte> data = array->bytes.data;
  return client::Tensor{input.tensor, client::DatatypeName(array->dtype), array->dims,
                        std::string(reinterpret_cast<const char*>(data.data()), data.size())};
}

absl::StatusOr<std::string> OnlyInput(client::Client& client, const std::string& model,
                                      int64_t version) {
  const auto inputs = client.Inputs(model, version);
  if (!inputs.ok()) return inputs.status();
  if (inputs->size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(model, " has the inputs ",
                     absl::StrJoin(*inputs, ", ",
                                   [](std::string* out, const client::TensorDescription& input) {
                                     absl::StrAppend(out, input.name);
                                   }),
                     "; say --input=TENSOR=FILE.npy for each"));
  }
  return inputs->front().name;
}

absl::Status WriteOutputs(const std::string& path, const std::vector<client::Tensor>& outputs) {
  std::vector<samples::NamedArray> arrays;
  for (const client::Tensor& output : outputs) {
    const auto dtype = client::ParseDatatype(output.datatype);
    if (!dtype.ok()) return dtype.status();
    arrays.push_back({output.name, samples::MakeArray(*dtype, output.shape,
                                                      std::as_bytes(std::span(output.bytes)))});
  }
  return samples::WriteNpz(path, arrays);
}

absl::Status PrintOutputs(const client::InferResponse& response, double milliseconds,
                          const std::string& format, std::ostream& out) {
  if (format == "json") {
    ordered_json json = {{"model", response.model},
                         {"version", response.version},
                         {"variant", response.variant},
                         {"round_trip_ms", milliseconds},
                         {"outputs", ordered_json::array()}};
    for (const client::Tensor& output : response.outputs) {
      auto data = ElementsToJson(output, std::numeric_limits<int64_t>::max());
      if (!data.ok()) return data.status();
      json["outputs"].push_back({{"name", output.name},
                                 {"datatype", output.datatype},
                                 {"shape", output.shape},
                                 {"data", *std::move(data)}});
    }
    PrintJson(out, json);
    return absl::OkStatus();
  }
  constexpr int64_t kShown = 8;
  Table table;
  table.AddColumn("output", Align::kLeft);
  table.AddColumn("type", Align::kLeft);
  table.AddColumn("shape", Align::kLeft);
  table.AddColumn("largest at", Align::kLeft);
  table.AddColumn("first values", Align::kLeft);
  for (const client::Tensor& output : response.outputs) {
    const auto largest = LargestToText(output, kShown);
    if (!largest.ok()) return largest.status();
    const auto values = ElementsToText(output, kShown);
    if (!values.ok()) return values.status();
    table.AddRow({output.name, output.datatype, FormatShape(output.shape), *largest, *values});
  }
  const bool says_variant =
      !response.variant.empty() && response.model.find('@') == std::string::npos;
  out << response.model << (says_variant ? absl::StrCat("@", response.variant) : "") << " version "
      << response.version << " answered in " << FormatFixed(milliseconds, 3) << " ms\n\n"
      << table.Render();
  return absl::OkStatus();
}

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const auto version = arguments.GetInt("version", 0, 1);
  if (!version.ok()) return WrongUsage(version.status());
  if (const auto name = ParseModelName(arguments.positional()[0]); !name.ok()) {
    return WrongUsage(name.status());
  }
  if (!arguments.Has("input")) return WrongUsage("lacks --input=[TENSOR=]FILE.npy");

  client::InferRequest request;
  request.model = arguments.positional()[0];
  request.version = *version;
  for (const std::string& text : arguments.GetAll("input")) {
    auto tensor = ReadTensor(ParseInputFlag(text));
    if (!tensor.ok()) return Failed(tensor.status());
    if (tensor->name.empty()) {
      auto name = OnlyInput(client, request.model, request.version);
      if (!name.ok()) return Failed(name.status());
      tensor->name = *std::move(name);
    }
    request.inputs.push_back(*std::move(tensor));
  }

  const auto begin = std::chrono::steady_clock::now();
  const auto response = client.Infer(request);
  const std::chrono::duration<double, std::milli> duration =
      std::chrono::steady_clock::now() - begin;
  if (!response.ok()) return Failed(response.status());
  if (arguments.Has("output")) {
    if (absl::Status written = WriteOutputs(arguments.Get("output", ""), response->outputs);
        !written.ok()) {
      return Failed(written);
    }
  }
  if (absl::Status printed = PrintOutputs(*response, duration.count(), *format, context.out);
      !printed.ok()) {
    return Failed(printed);
  }
  return Done();
}

}  // namespace

Command InferCommand() {
  return {.name = "infer",
          .operands = {"NAME[@VARIANT]"},
          .summary = "Run one inference.",
          .details =
              "Arrays have the shape of the model's inputs, with the batch axis. Without\n"
              "@VARIANT the model's default variant answers.",
          .flags = {{"input", "[TENSOR=]FILE.npy",
                     "An input; TENSOR may be left out if the model has only one.", true},
                    {"output", "FILE.npz", "Write the outputs, as arrays of their names."},
                    VersionFlag("The version to ask; else the newest."),
                    FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
