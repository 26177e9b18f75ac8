// run_model MODEL INPUTS OUTPUTS [CPU_LEVEL]: what a model file of any format that the quantizer
// reads answers, for tests in other languages. INPUTS is a file of samples one after another, each
// the bytes of the model's inputs in their order, row-major; OUTPUTS gets the bytes of the outputs
// likewise. Prints one JSON object with their names, types and shapes. Exit code 0, or 1 with a
// message.

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

absl::Status RunModel(const std::vector<std::string>& words) {
  if (words.size() < 3) {
    return absl::InvalidArgumentError("wanted MODEL INPUTS OUTPUTS [CPU_LEVEL]");
  }
  ASSIGN_OR_RETURN(const base::MappedFile file, base::MappedFile::Open(words[0]));
  ASSIGN_OR_RETURN(graph::Graph graph, quantize::ImportModel(file.bytes()));
  RETURN_IF_ERROR(passes::Optimize(graph));
  runtime::ModelOptions options;
  ASSIGN_OR_RETURN(options.features, tools::ApplyCpuFlag(words.size() > 3 ? words[3] : ""));
  const runtime::Model model(std::move(graph), options);
  ASSIGN_OR_RETURN(const std::vector<graph::Shape> shapes, model.ShapesForBatch(1));
  ASSIGN_OR_RETURN(const std::shared_ptr<const runtime::Plan> plan, model.PlanFor(shapes));

  ASSIGN_OR_RETURN(const base::MappedFile samples, base::MappedFile::Open(words[1]));
  size_t sample_bytes = 0;
  std::vector<std::vector<std::byte>> in_buffers, out_buffers;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const auto& input : plan->inputs()) {
    in.push_back(in_buffers.emplace_back(input.bytes()).data());
    sample_bytes += input.bytes();
  }
  for (const auto& output : plan->outputs())
    out.push_back(out_buffers.emplace_back(output.bytes()).data());
  if (samples.bytes().size() % sample_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("INPUTS has ", samples.bytes().size(), " bytes, a sample has ", sample_bytes));
  }
  registry::PoolParallel parallel(1);
  runtime::Arena arena;
  std::string results;
  size_t at = 0;
  while (at < samples.bytes().size()) {
    for (auto& buffer : in_buffers) {
      std::memcpy(buffer.data(), samples.bytes().data() + at, buffer.size());
      at += buffer.size();
    }
    runtime::Run(*plan, arena, in, out, parallel);
    for (const auto& buffer : out_buffers) {
      results.append(reinterpret_cast<const char*>(buffer.data()), buffer.size());
    }
  }
  RETURN_IF_ERROR(base::WriteFileAtomically(words[2], results));
  std::printf("{\"inputs\": %s, \"outputs\": %s}\n", Describe(plan->inputs()).c_str(),
              Describe(plan->outputs()).c_str());
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
