// fourfold-quantize: makes the variants of one ONNX model offline. The server runs it for each
// upload.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/flags.h"
#include "client/cli/progress.h"
#include "server/base/cpu_budget.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"
#include "server/onnx/operators_markdown.h"
#include "server/quantize/make_variants.h"
#include "server/tools/cpu_flag.h"
#include "server/tools/external_listing.h"
#include "server/tools/file_samples.h"
#include "server/tools/progress_pipe.h"
#include "server/tools/report_text.h"

namespace fourfold::tools {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

constexpr const char* kImageFlags[] = {"resize",   "crop",  "layout", "channel_order",
                                       "channels", "scale", "mean",   "std"};

const std::vector<cli::Flag> kFlags = {
    {"out", "DIR", "Folder for the variants and report.json; made if it is not there."},
    {"name", "NAME", "Name of the model in the report; default: the file's name."},
    {"external_data", "FILE.json",
     "Where files lie that the model names, if not beside it: what the server stores of an "
     "upload."},
    {"max_inline_bytes", "N",
     "Variants with more bytes of weights keep them in a file of their own, fp32.onnx.data; "
     "default 1 GiB."},
    {"variants", "LIST", "Which to make, default fp32,fp16,hybrid,int8; fp32 is always made."},
    {"calibration", "PATH",
     "Unlabelled samples: an .npz, or a folder of pictures. int8 needs them, unless the model "
     "comes "
     "quantized."},
    {"recalibrate", "", "Calibrate anew a model that comes quantized."},
    {"eval", "PATH", "Samples, labelled if possible, to check the accuracy with."},
    {"labels", "FILE.csv", "Classes of a folder of evaluation pictures: lines of file,class."},
    {"resize", "N", "Pictures: pixels of the shorter side."},
    {"crop", "N", "Pictures: side of the square in the middle."},
    {"layout", "nchw|nhwc", "Pictures: order of the model's input."},
    {"channel_order", "rgb|bgr", "Pictures: order of the channels."},
    {"channels", "3|1", "Pictures: 1 for grey."},
    {"scale", "X", "Pictures: value = (pixel * scale - mean) / std."},
    {"mean", "X[,X,X]", "See scale."},
    {"std", "X[,X,X]", "See scale."},
    {"threads", "N", "Threads of one run when latency is measured; default 1."},
    {"workers", "N", "Threads that run samples; default: what this process may use."},
    {"cpu_features", "LEVEL",
     "Use no more than this of the CPU: native, avx2, avx512_vnni, reference, ..."},
    {"measure_seconds", "S", "How long each variant is timed; default 1."},
    {"max_loss", "X", "Loss of top-1 that the default variant may have; default 0.01."},
    {"progress_fd", "N", "Write progress as JSON lines to this file descriptor."},
    {"format", "table|json", "What goes to standard output at the end."},
    {"explain", "", "Print below what each variant runs, node by node, and why not in int8."},
    {"operators", "", "Print the table of supported operators as Markdown, and nothing else."},
    {"help", "", "This text."},
};

void PrintHelp() {
  std::cout
      << "usage: fourfold-quantize MODEL --out=DIR [flags]\n\n"
         "Makes fp32.onnx, fp16.onnx, hybrid.onnx and int8.onnx of a model (ONNX or TensorFlow "
         "Lite)\n"
         "and measures what each costs and loses on this machine: report.json. A model that comes\n"
         "quantized is int8.onnx with the scales that it has.\n\n";
  for (const cli::Flag& flag : kFlags) {
    std::printf("  --%-28s %s\n",
                (flag.value.empty() ? flag.name : absl::StrCat(flag.name, "=", flag.value)).c_str(),
                flag.help.c_str());
  }
}

struct Job {
  std::string model_path;
  std::string external_data;  // empty: beside the model
  std::string out;
  std::string calibration;
  std::string eval;
  samples::SourceOptions source;
  quantize::VariantsOptions variants;
  int progress_fd = -1;
  bool json = false;
  bool explain = false;
};

absl::StatusOr<Job> ReadJob(const cli::Arguments& arguments) {
  Job job;
  if (arguments.positional().size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("wanted one MODEL, got ", arguments.positional().size(), " of them"));
  }
  job.model_path = arguments.positional()[0];
  job.out = arguments.Get("out", "");
  if (job.out.empty()) return absl::InvalidArgumentError("--out=DIR is missing");
  job.variants.data_folder = job.out;
  job.external_data = arguments.Get("external_data", "");
  job.calibration = arguments.Get("calibration", "");
  job.eval = arguments.Get("eval", "");
  job.source.input_name = "";
  job.source.labels_path = arguments.Get("labels", "");
  for (const char* flag : kImageFlags) {
    if (!arguments.Has(flag)) continue;
    if (absl::Status set = job.source.images.Set(flag, arguments.Get(flag, "")); !set.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, ": ", set.message()));
    }
  }
  RETURN_IF_ERROR(job.source.images.Validate());
  std::string stem = job.model_path.substr(job.model_path.find_last_of('/') + 1);
  for (const char* ending : {".onnx", ".tflite"}) {
    if (absl::EndsWith(stem, ending) && stem != ending) stem.resize(stem.rfind(ending));
  }
  job.variants.model_name = arguments.Get("name", stem);
  if (arguments.Has("variants")) {
    job.variants.variants = absl::StrSplit(arguments.Get("variants", ""), ',');
  }
  ASSIGN_OR_RETURN(const int64_t threads, arguments.GetInt("threads", 1, 1));
  ASSIGN_OR_RETURN(const int64_t workers,
                   arguments.GetInt("workers", base::ReadCpuBudget().threads(), 1));
  ASSIGN_OR_RETURN(
      const int64_t inline_bytes,
      arguments.GetInt("max_inline_bytes", static_cast<int64_t>(job.variants.inline_bytes_max), 0));
  job.variants.inline_bytes_max = static_cast<size_t>(inline_bytes);
  ASSIGN_OR_RETURN(const int64_t progress_fd, arguments.GetInt("progress_fd", -1, 0));
  ASSIGN_OR_RETURN(job.variants.measure_seconds, arguments.GetDouble("measure_seconds", 1.0));
  ASSIGN_OR_RETURN(job.variants.loss_max, arguments.GetDouble("max_loss", 0.01));
  if (!(job.variants.loss_max >= 0 && job.variants.loss_max <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max_loss: got ", job.variants.loss_max, ", wanted a fraction from 0 to 1"));
  }
  constexpr int64_t kThreadsMost = 1024;
  if (std::max(threads, workers) > kThreadsMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads and --workers: wanted at most ", kThreadsMost));
  }
  ASSIGN_OR_RETURN(const std::string format, arguments.GetChoice("format", {"table", "json"}));
  job.variants.recalibrate = arguments.IsOn("recalibrate");
  job.variants.threads = static_cast<int>(threads);
  job.variants.workers = static_cast<int>(workers);
  job.progress_fd = static_cast<int>(progress_fd);
  job.json = format == "json";
  job.explain = arguments.IsOn("explain");
  ASSIGN_OR_RETURN(job.variants.features, ApplyCpuFlag(arguments.Get("cpu_features", "")));
  return job;
}

absl::StatusOr<report::Report> Run(Job& job, ProgressPipe& pipe, cli::ProgressLine& line) {
  ASSIGN_OR_RETURN(const base::MappedFile model, base::MappedFile::Open(job.model_path));
  std::unique_ptr<onnx::ExternalData> external;
  if (job.external_data.empty()) {
    external = std::make_unique<onnx::ExternalFolder>(FolderOf(job.model_path));
  } else {
    ASSIGN_OR_RETURN(onnx::ExternalFiles files, ReadExternalListing(job.external_data));
    external = std::make_unique<onnx::ExternalFiles>(std::move(files));
  }
  std::unique_ptr<quantize::SampleSet> calibration;
  std::unique_ptr<quantize::SampleSet> evaluation;
  if (!job.calibration.empty()) {
    samples::SourceOptions unlabelled = job.source;
    unlabelled.labels_path.clear();
    ASSIGN_OR_RETURN(calibration, OpenSamples(job.calibration, unlabelled));
  }
  if (!job.eval.empty()) {
    ASSIGN_OR_RETURN(evaluation, OpenSamples(job.eval, job.source));
  }
  RETURN_IF_ERROR(base::MakeDirectories(job.out));
  ASSIGN_OR_RETURN(report::Report report,
                   quantize::MakeVariants(
                       model.bytes(), calibration.get(), evaluation.get(), job.variants,
                       [&](const std::string& name, absl::string_view bytes) {
                         return base::WriteFileAtomically(absl::StrCat(job.out, "/", name), bytes);
                       },
                       [&](absl::string_view stage, int percent, absl::string_view message) {
                         pipe.Report(stage, percent, message);
                         line.Show(absl::StrCat(stage, ": ", message), percent / 100.0);
                       },
                       external.get()));
  RETURN_IF_ERROR(
      base::WriteFileAtomically(absl::StrCat(job.out, "/report.json"), report::ToJson(report)));
  return report;
}

int Main(const std::vector<std::string>& words) {
  const absl::StatusOr<cli::Arguments> arguments = cli::ParseArguments(kFlags, words);
  if (arguments.ok() && arguments->IsOn("help")) {
    PrintHelp();
    return kDone;
  }
  if (arguments.ok() && arguments->IsOn("operators")) {
    std::cout << onnx::OperatorsMarkdown();
    return kDone;
  }
  absl::StatusOr<Job> job =
      arguments.ok() ? ReadJob(*arguments) : absl::StatusOr<Job>(arguments.status());
  if (!job.ok()) {
    std::cerr << "fourfold-quantize: " << job.status().message() << " (see --help)\n";
    return kWrongUsage;
  }
  signal(SIGPIPE, SIG_IGN);
  ProgressPipe pipe(job->progress_fd);
  cli::ProgressLine line(std::cerr, isatty(STDERR_FILENO) == 1);
  absl::StatusOr<report::Report> report = absl::InternalError("not run");
  try {
    report = Run(*job, pipe, line);
  } catch (const std::bad_alloc&) {
    // The limit that the server set, or the machine's: an answer, not a crash.
    report = absl::ResourceExhaustedError("the model needs more memory than this job may use");
  }
  line.Clear();
  if (!report.ok()) {
    pipe.Fail(report.status());
    std::cerr << "fourfold-quantize: " << absl::StatusCodeToString(report.status().code()) << ": "
              << report.status().message() << "\n";
    return kFailed;
  }
  std::cout << (job->json ? report::ToJson(*report) + "\n" : ReportToTable(*report));
  if (job->explain && !job->json) std::cout << LayersOfVariants(*report);
  return kDone;
}

}  // namespace
}  // namespace fourfold::tools

int main(int argc, char** argv) { return fourfold::tools::Main({argv + 1, argv + argc}); }
