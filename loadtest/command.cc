#include <algorithm>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/samples/file.h"
#include "loadtest/hgrm.h"
#include "loadtest/loadtest.h"

namespace fourfold::loadtest {
namespace {

void PrintHelp(std::ostream& out) {
  out << "usage: fourfold-loadtest --model=NAME[@VARIANT] [flags]\n\n"
         "Puts load on a server of the Open Inference Protocol and measures latencies: in a "
         "closed\n"
         "loop (--concurrency) the next request waits for an answer; in an open loop (--rate)\n"
         "requests are sent at their time whatever the server does, and latency counts from that\n"
         "time. --compare sends to several variants in turn and compares latencies and answers.\n"
         "Ctrl-C ends the run early and prints what was measured.\n\nflags:\n";
  for (const cli::Flag& flag : Flags()) {
    std::string form =
        absl::StrCat("  --", flag.name, flag.value.empty() ? "" : absl::StrCat("=", flag.value));
    form.resize(std::max<size_t>(form.size() + 2, 30), ' ');
    out << form << flag.help << (flag.repeated ? " May be repeated." : "") << "\n";
  }
  out << "\nexit codes: 0 done, 1 failed, 2 wrong usage.\n";
}

std::string ToText(const Report& report) {
  switch (report.options.format) {
    case Format::kJson: return ReportToJson(report);
    case Format::kCsv: return ReportToCsv(report);
    case Format::kTable: break;
  }
  return ReportToTable(report);
}

absl::Status Write(const std::string& path, const std::string& text) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  return samples::WriteFile(path, {&bytes, 1});
}

// "out.hgrm" of the variant int8 is "out.int8.hgrm".
std::string PathOf(const std::string& path, const std::string& label) {
  const size_t slash = path.rfind('/');
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) {
    return absl::StrCat(path, ".", label);
  }
  return absl::StrCat(path.substr(0, dot), ".", label, path.substr(dot));
}

absl::Status WriteFiles(const Report& report) {
  const Options& options = report.options;
  if (!options.hgrm_path.empty()) {
    for (const TargetReport& target : report.targets) {
      const std::string path =
          report.compares() ? PathOf(options.hgrm_path, target.label) : options.hgrm_path;
      if (absl::Status written = Write(path, ToHgrm(target.figures.latency)); !written.ok()) {
        return written;
      }
    }
  }
  return options.html_path.empty() ? absl::OkStatus()
                                   : Write(options.html_path, ReportToHtml(report));
}

ExitCode Fail(const Context& context, const absl::Status& status) {
  context.err << "fourfold-loadtest: " << absl::StatusCodeToString(status.code()) << ": "
              << std::string(status.message()) << "\n";
  return kFailed;
}

ExitCode WrongUsage(const Context& context, const absl::Status& status) {
  context.err << "fourfold-loadtest: " << std::string(status.message())
              << "\nTry 'fourfold-loadtest --help'.\n";
  return kWrongUsage;
}

}  // namespace

ExitCode RunLoadtest(const std::vector<std::string>& words, const Context& context) {
  const auto arguments = cli::ParseArguments(Flags(), words);
  if (!arguments.ok()) return WrongUsage(context, arguments.status());
  if (arguments->IsOn("help")) {
    PrintHelp(context.out);
    return kDone;
  }
  const auto options = ReadOptions(*arguments, context.address);
  if (!options.ok()) return WrongUsage(context, options.status());

  cli::ProgressLine progress(context.err, context.err_is_terminal);
  const auto report = RunLoad(*options, progress, context.stop);
  progress.Clear();
  if (!report.ok()) return Fail(context, report.status());
  context.out << ToText(*report) << std::flush;
  if (options->format != Format::kTable) {
    for (const std::string& doubt : report->generator.doubts) {
      context.err << "fourfold-loadtest: " << doubt << ": figures are not to be trusted\n";
    }
  }
  if (absl::Status written = WriteFiles(*report); !written.ok()) return Fail(context, written);
  if (report->all.ok() == 0 && !report->interrupted) {
    return Fail(context,
                absl::UnavailableError(absl::StrCat(
                    "none of ", report->all.ended(), " measured requests was answered",
                    report->all.first_error.empty() ? "" : ": ", report->all.first_error)));
  }
  return kDone;
}

}  // namespace fourfold::loadtest
