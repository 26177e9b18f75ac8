#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/command.h"
#include "client/cli/comparison_text.h"
#include "client/cli/json_text.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/samples/sample_source.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

using client::UploadPart;
using samples::SampleSource;

constexpr std::array kImageFlags = {"resize",   "crop",  "layout", "channel_order",
                                    "channels", "scale", "mean",   "std"};

absl::StatusOr<samples::SourceOptions> SourceOptions(const Arguments& arguments) {
  samples::SourceOptions options;
  // Empty: the server takes pictures for the model's only input.
  options.input_name = arguments.Get("input", "");
  for (const char* flag : kImageFlags) {
    if (!arguments.Has(flag)) continue;
    if (absl::Status set = options.images.Set(flag, arguments.Get(flag, "")); !set.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, ": ", set.message()));
    }
  }
  if (absl::Status valid = options.images.Validate(); !valid.ok()) return valid;
  return options;
}

// Null if the flag is not there.
absl::StatusOr<std::unique_ptr<SampleSource>> OpenSamples(const Arguments& arguments,
                                                          const std::string& flag,
                                                          const samples::SourceOptions& options) {
  if (!arguments.Has(flag)) return std::unique_ptr<SampleSource>();
  return SampleSource::Open(arguments.Get(flag, ""), options);
}

void ShowUpload(const client::UploadProgress& progress, ProgressLine& line) {
  const double share = static_cast<double>(progress.done) /
                       static_cast<double>(std::max<int64_t>(progress.total, 1));
  switch (progress.part) {
    case UploadPart::kModel:
      line.Show(absl::StrCat("sending model, ", FormatBytes(progress.total)), share);
      break;
    case UploadPart::kExternalData:
      line.Show(absl::StrCat("sending weights, ", FormatBytes(progress.total)), share);
      break;
    case UploadPart::kCalibration:
      line.Show(absl::StrCat("sending ", progress.total, " calibration samples"), share);
      break;
    case UploadPart::kEvaluation:
      line.Show(absl::StrCat("sending ", progress.total, " evaluation samples"), share);
      break;
  }
}

// Follows the job to its end; prints each stage once, and the comparison if it went well.
Outcome Wait(const client::UploadResult& upload, bool as_json, const Context& context,
             client::Client& client) {
  ProgressLine line(context.err, context.err_is_terminal);
  std::string stage;
  const auto last = client.WatchJob(upload.job_id, [&](const client::JobEvent& event) {
    if (event.stage != stage) {
      stage = event.stage;
      line.Clear();
      if (!as_json && !stage.empty() && !IsFinal(event.state)) {
        context.out << "  " << stage << std::endl;
      }
    }
    line.Show(absl::StrCat(JobStateName(event.state), ": ", event.stage,
                           event.message.empty() ? "" : " ", event.message),
              event.percent / 100);
  });
  line.Clear();
  if (!last.ok()) {
    return Failed(absl::Status(last.status().code(),
                               absl::StrCat(last.status().message(), "; job ", upload.job_id,
                                            " goes on if the server does, see 'fourfold jobs'")));
  }
  if (last->state != client::JobState::kDone) {
    return Failed(absl::StrCat("job ", upload.job_id, " ", JobStateName(last->state), " at ",
                               last->stage.empty() ? "its start" : last->stage,
                               last->message.empty() ? "" : ": ", last->message));
  }
  const auto comparison = client.Compare(upload.model, upload.version);
  if (!comparison.ok()) return Failed(comparison.status());
  if (as_json) {
    nlohmann::ordered_json json = {{"job_id", upload.job_id}, {"state", "done"}};
    json.update(ComparisonToJson(*comparison));
    PrintJson(context.out, json);
  } else {
    context.out << "\n" << ComparisonToTable(*comparison);
  }
  return Done();
}

Outcome Run(const Arguments& arguments, const Context& context, client::Client& client) {
  const auto format = arguments.GetChoice("format", {"table", "json"});
  if (!format.ok()) return WrongUsage(format.status());
  const bool as_json = *format == "json";
  auto options = SourceOptions(arguments);
  if (!options.ok()) return WrongUsage(options.status());

  client::UploadRequest request;
  request.model_path = arguments.positional()[0];
  request.model = arguments.Get("name", "");
  if (request.model.empty()) return WrongUsage("lacks --name=NAME");
  if (arguments.Has("variants")) {
    request.variants = absl::StrSplit(arguments.Get("variants", ""), ',', absl::SkipWhitespace());
    if (request.variants.empty()) return WrongUsage("--variants is empty, wanted fp32,int8,...");
  }
  if (arguments.Has("labels") && !arguments.Has("eval")) {
    return WrongUsage("--labels names the classes of --eval=FOLDER, which is not given");
  }
  const auto calibration = OpenSamples(arguments, "calibration", *options);
  if (!calibration.ok()) return Failed(calibration.status());
  options->labels_path = arguments.Get("labels", "");
  const auto evaluation = OpenSamples(arguments, "eval", *options);
  if (!evaluation.ok()) return Failed(evaluation.status());
  request.calibration = calibration->get();
  request.evaluation = evaluation->get();

  ProgressLine line(context.err, context.err_is_terminal);
  request.progress = [&line](const client::UploadProgress& progress) {
    ShowUpload(progress, line);
  };
  const auto upload = client.Upload(request);
  line.Clear();
  if (!upload.ok()) return Failed(upload.status());
  if (!as_json) {
    context.out << "job " << upload->job_id << " makes " << upload->model << " version "
                << upload->version << std::endl;
  }
  if (arguments.IsOn("wait")) return Wait(*upload, as_json, context, client);
  if (as_json) {
    PrintJson(context.out,
              {{"job_id", upload->job_id}, {"model", upload->model}, {"version", upload->version}});
  }
  return Done();
}

}  // namespace

Command UploadCommand() {
  return {.name = "upload",
          .operands = {"MODEL"},
          .summary =
              "Send a float model (ONNX or TensorFlow Lite) with samples; the server makes and "
              "measures its variants.",
          .details =
              "Files beside the model in which it keeps weights (external data) are sent too.\n"
              "Samples (PATH) are an .npz whose arrays are named like the model's inputs, first "
              "axis =\n"
              "sample, labels in an integer array \"labels\"; or a folder of pictures, with "
              "--labels or\n"
              "one subfolder per class. A pixel becomes (pixel * scale - mean) / std, pixels from "
              "0 to\n"
              "255. The variant int8 needs --calibration.",
          .flags = {{"name", "NAME", "The name to serve the model by."},
                    {"variants", "fp32,fp16,...", "Variants to make; else all."},
                    {"calibration", "PATH", "Representative samples."},
                    {"eval", "PATH", "Held-out samples to measure accuracy with."},
                    {"labels", "FILE.csv", "Classes of the pictures of --eval: file,class."},
                    {"wait", "", "Wait for the variants and show the comparison."},
                    {"input", "TENSOR", "The input that pictures are, if the model has several."},
                    {"resize", "N", "Pictures: shorter side in pixels."},
                    {"crop", "N", "Pictures: side of the square in the middle, pixels."},
                    {"layout", "nchw|nhwc", "Pictures: order of axes; else nchw."},
                    {"channel_order", "rgb|bgr", "Pictures: else rgb."},
                    {"channels", "3|1", "Pictures: colours or grey; else 3."},
                    {"scale", "X", "Pictures: factor for a pixel; else 1."},
                    {"mean", "R,G,B", "Pictures: subtracted after scaling; one number or three."},
                    {"std", "R,G,B", "Pictures: divisor after that; one number or three."},
                    FormatFlag("table|json")},
          .run = Run};
}

}  // namespace fourfold::cli
