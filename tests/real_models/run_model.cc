// run_model MODEL INPUTS OUTPUTS [CPU_LEVEL [SHAPES]]: what a model file of any format that the
// quantizer reads answers, for tests in other languages. INPUTS is a file of samples one after
// another, each the bytes of the model's inputs in their order, row-major; OUTPUTS gets the bytes
// of the outputs likewise. SHAPES are those of the inputs ("1x512,2x1x128,": the third is a scalar)
// where the model leaves more than the batch open. Prints one JSON object with names, types and
// shapes of the last sample. Exit code 0, or 1 with a message.

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"
#include "server/passes/passes.h"
#include "server/quantize/import_model.h"
#include "server/registry/pool_parallel.h"
#include "server/runtime/executor.h"
#include "server/runtime/model.h"
#include "server/tools/cpu_flag.h"

namespace fourfold {
namespace {

std::string Describe(const std::vector<runtime::TensorInfo>& tensors) {
  std::vector<std::string> texts;
  for (const runtime::TensorInfo& tensor : tensors) {
    texts.push_back(absl::StrCat("{\"name\": \"", tensor.name, "\", \"type\": \"",
                                 graph::TypeText(tensor.type), "\", \"shape\": [",
                                 absl::StrJoin(tensor.shape, ", "), "]}"));
  }
  return absl::StrCat("[", absl::StrJoin(texts, ", "), "]");
}

// "1x512,2x1x128,"
absl::StatusOr<std::vector<graph::Shape>> ParseShapes(const std::string& text,
                                                      const runtime::Model& model) {
  std::vector<graph::Shape> shapes;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    graph::Shape& shape = shapes.emplace_back();
    for (absl::string_view dim : absl::StrSplit(part, 'x', absl::SkipEmpty())) {
      int64_t value = 0;
      if (!absl::SimpleAtoi(dim, &value)) {
        return absl::InvalidArgumentError(absl::StrCat("SHAPES: \"", text, "\""));
      }
      shape.push_back(value);
    }
  }
  if (shapes.size() != model.inputs().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("SHAPES: got ", shapes.size(), ", wanted ", model.inputs().size()));
  }
  return shapes;
}

absl::Status RunModel(const std::vector<std::string>& words) {
  if (words.size() < 3) {
    return absl::InvalidArgumentError("wanted MODEL INPUTS OUTPUTS [CPU_LEVEL [SHAPES]]");
  }
  ASSIGN_OR_RETURN(const base::MappedFile file, base::MappedFile::Open(words[0]));
  ASSIGN_OR_RETURN(graph::Graph graph, quantize::ImportModel(file.bytes()));
  RETURN_IF_ERROR(passes::Optimize(graph));
  runtime::ModelOptions options;
  ASSIGN_OR_RETURN(options.features, tools::ApplyCpuFlag(words.size() > 3 ? words[3] : ""));
  const runtime::Model model(std::move(graph), options);
  ASSIGN_OR_RETURN(const std::vector<graph::Shape> shapes,
                   words.size() > 4 ? ParseShapes(words[4], model) : model.ShapesForBatch(1));

  ASSIGN_OR_RETURN(const base::MappedFile samples, base::MappedFile::Open(words[1]));
  std::vector<runtime::TensorInfo> inputs = model.inputs();
  size_t sample_bytes = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].shape = shapes[i];
    sample_bytes += inputs[i].bytes();
  }
  if (sample_bytes == 0 || samples.bytes().size() % sample_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("INPUTS has ", samples.bytes().size(), " bytes, a sample has ", sample_bytes));
  }
  registry::PoolParallel parallel(1);
  runtime::Arena arena;
  std::string results;
  std::vector<runtime::TensorInfo> outputs = model.outputs();
  size_t at = 0;
  while (at < samples.bytes().size()) {
    std::vector<std::vector<std::byte>> buffers;
    std::vector<runtime::TensorRef> refs;
    for (const runtime::TensorInfo& input : inputs) {
      const auto begin = samples.bytes().begin() + static_cast<std::ptrdiff_t>(at);
      at += input.bytes();
      buffers.emplace_back(begin, samples.bytes().begin() + static_cast<std::ptrdiff_t>(at));
      refs.push_back({input.type, input.shape, buffers.back().data()});
    }
    ASSIGN_OR_RETURN(const std::vector<graph::TensorPtr> answers,
                     model.Execute(refs, arena, parallel));
    for (size_t i = 0; i < answers.size(); ++i) {
      outputs[i].shape = answers[i]->shape();
      results.append(static_cast<const char*>(answers[i]->data()), answers[i]->bytes());
    }
  }
  RETURN_IF_ERROR(base::WriteFileAtomically(words[2], results));
  std::printf("{\"inputs\": %s, \"outputs\": %s}\n", Describe(inputs).c_str(),
              Describe(outputs).c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace fourfold

int main(int argc, char** argv) {
  const absl::Status status = fourfold::RunModel({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "run_model: %s\n", status.ToString().c_str());
  return 1;
}
