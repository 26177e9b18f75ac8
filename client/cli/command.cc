#include "client/cli/command.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fourfold::cli {
namespace {

std::vector<Command> Commands() {
  return {UploadCommand(), InferCommand(),    CompareCommand(), ListCommand(), ShowCommand(),
          StatusCommand(), DownloadCommand(), DeleteCommand(),  JobsCommand(), CancelCommand()};
}

std::vector<Flag> CommonFlags() {
  return {{"address", "HOST:PORT",
           "The server's gRPC address; else FOURFOLD_ADDRESS, else 127.0.0.1:8001."},
          {"help", "", "Show this help."}};
}

std::string Pad(std::string text, size_t width) {
  text.resize(std::max(text.size() + 2, width), ' ');
  return text;
}

void PrintFlags(const std::vector<Flag>& flags, std::ostream& out) {
  for (const Flag& flag : flags) {
    const std::string form =
        absl::StrCat("  --", flag.name, flag.value.empty() ? "" : absl::StrCat("=", flag.value));
    out << Pad(form, 30) << flag.help << (flag.repeated ? " May be repeated." : "") << "\n";
  }
}

void PrintOverview(std::ostream& out) {
  out << "fourfold: one model in four precisions, measured on the machine that serves it\n\n"
         "usage: fourfold COMMAND [arguments] [flags]\n\ncommands:\n";
  for (const Command& command : Commands()) {
    out << Pad(absl::StrCat("  ", command.name, " ", absl::StrJoin(command.operands, " ")), 30)
        << command.summary << "\n";
  }
  out << "\nflags of every command:\n";
  PrintFlags(CommonFlags(), out);
  out << "\nflags are written --name=value or --name value.\n"
         "exit codes: 0 done, 1 failed, 2 wrong usage.\n"
         "Try 'fourfold COMMAND --help'.\n";
}

void PrintHelp(const Command& command, std::ostream& out) {
  out << "usage: fourfold " << command.name;
  for (const std::string& operand : command.operands) out << " " << operand;
  out << " [flags]\n\n" << command.summary << "\n";
  if (!command.details.empty()) out << "\n" << command.details << "\n";
  out << "\nflags:\n";
  PrintFlags(command.flags, out);
  PrintFlags(CommonFlags(), out);
}

absl::Status CheckOperands(const Command& command, const std::vector<std::string>& given) {
  const std::vector<std::string>& wanted = command.operands;
  if (given.size() < wanted.size()) {
    return absl::InvalidArgumentError(absl::StrCat("lacks ", wanted[given.size()]));
  }
  if (given.size() > wanted.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", given[wanted.size()], "\" is one argument too many"));
  }
  return absl::OkStatus();
}

Outcome RunCommand(const Command& command, const std::vector<std::string>& words,
                   const Context& context) {
  std::vector<Flag> flags = command.flags;
  for (Flag& flag : CommonFlags()) flags.push_back(std::move(flag));
  const absl::StatusOr<Arguments> arguments = ParseArguments(flags, words);
  if (!arguments.ok()) return WrongUsage(arguments.status());
  if (arguments->IsOn("help")) {
    PrintHelp(command, context.out);
    return Done();
  }
  if (absl::Status checked = CheckOperands(command, arguments->positional()); !checked.ok()) {
    return WrongUsage(checked);
  }
  const std::string address = arguments->Get("address", context.address);
  if (address.empty()) return WrongUsage("--address is empty, wanted HOST:PORT");
  client::Client client({.address = address});
  return command.run(*arguments, context, client);
}

}  // namespace

Outcome Done() { return {}; }

Outcome Failed(const absl::Status& status) {
  return {kFailed, absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message())};
}

Outcome Failed(std::string message) { return {kFailed, std::move(message)}; }

Outcome WrongUsage(const absl::Status& status) {
  return {kWrongUsage, std::string(status.message())};
}

Outcome WrongUsage(std::string message) { return {kWrongUsage, std::move(message)}; }

Flag FormatFlag(const std::string& choices) {
  return {"format", choices, "How to print the result; json is one object and nothing else."};
}

Flag VersionFlag(const std::string& what) { return {"version", "N", what}; }

absl::StatusOr<ModelName> ParseModelName(const std::string& text) {
  const size_t at = text.find('@');
  ModelName name{text.substr(0, at), at == std::string::npos ? "" : text.substr(at + 1)};
  if (name.model.empty() || (at != std::string::npos && name.variant.empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a model's name, wanted NAME or NAME@VARIANT"));
  }
  return name;
}

int RunFourfold(const std::vector<std::string>& words, const Context& context) {
  const std::string first = words.empty() ? "--help" : words.front();
  if (first == "--help" || first == "-h" || first == "help") {
    PrintOverview(words.empty() ? context.err : context.out);
    return words.empty() ? kWrongUsage : kDone;
  }
  const std::vector<Command> commands = Commands();
  const auto command = std::find_if(commands.begin(), commands.end(),
                                    [&](const Command& c) { return c.name == first; });
  if (command == commands.end()) {
    std::vector<std::string> names;
    for (const Command& known : commands) names.push_back(known.name);
    const std::string nearest = Nearest(first, names);
    context.err << "fourfold: " << (absl::StartsWith(first, "-") ? "unknown flag " : "no command ")
                << first << (nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest))
                << "\nTry 'fourfold --help'.\n";
    return kWrongUsage;
  }
  const Outcome outcome = RunCommand(*command, {words.begin() + 1, words.end()}, context);
  context.out.flush();
  if (!outcome.message.empty()) {
    context.err << "fourfold " << command->name << ": " << outcome.message << "\n";
  }
  if (outcome.code == kWrongUsage) {
    context.err << "Try 'fourfold " << command->name << " --help'.\n";
  }
  return outcome.code;
}

}  // namespace fourfold::cli
