#include "tests/bad_models/refuse_model.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/status_macros.h"
#include "server/onnx/external_data.h"
#include "server/onnx/import.h"
#include "server/passes/passes.h"
#include "server/runtime/program.h"

namespace fourfold::testing {
namespace {

absl::Status Load(const std::string& bytes) {
  onnx::ExternalFolder beside("");
  ASSIGN_OR_RETURN(graph::Graph graph, onnx::Import(std::as_bytes(std::span(bytes)), {}, &beside));
  RETURN_IF_ERROR(passes::Optimize(graph));
  std::vector<graph::TensorPtr> zeros;
  std::vector<runtime::TensorRef> inputs;
  for (const graph::ValueId id : graph.inputs) {
    const graph::Value& value = graph.value(id);
    graph::Shape shape = value.shape.value_or(graph::Shape());
    for (int64_t& dim : shape) dim = dim == graph::kUnknownDim ? 1 : dim;
    const auto bytes =
        static_cast<size_t>(graph::ElementCount(shape)) * graph::ElementSize(value.type);
    zeros.push_back(graph::Tensor::Copy(value.type, shape, std::vector<std::byte>(bytes)));
    inputs.push_back({value.type, std::move(shape), zeros.back()->data()});
  }
  constexpr size_t kPlansMax = 4;
  kernels::PackedWeights packed;
  const runtime::Program program(graph, {.packed = &packed}, kPlansMax);
  runtime::Arena arena;
  kernels::Sequential sequential;
  return program.Run(inputs, arena, sequential).status();
}

[[noreturn]] void ReportAndExit(int fd, const absl::Status& status) {
  const std::string text =
      absl::StrCat(static_cast<int>(status.code()), "\n",
                   absl::string_view(status.message().data(), status.message().size()));
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) _exit(1);
    if (n > 0) done += static_cast<size_t>(n);
  }
  _exit(0);
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

Refusal LoadModel(const std::string& bytes) {
  Refusal refusal;
  int ends[2];
  if (pipe(ends) != 0) {
    refusal.crash = "cannot make a pipe";
    return refusal;
  }
  const pid_t child = fork();
  if (child == 0) ReportAndExit(ends[1], Load(bytes));
  close(ends[1]);
  const std::string text = ReadAll(ends[0]);
  close(ends[0]);
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  refusal.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  refusal.resident_mib = usage.ru_maxrss / 1024;
  if (WIFSIGNALED(status)) {
    refusal.crash = absl::StrCat("signal ", WTERMSIG(status));
  } else if (WEXITSTATUS(status) != 0) {
    refusal.crash = absl::StrCat("exit code ", WEXITSTATUS(status));
  } else {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(text, absl::MaxSplits('\n', 1));
    int code = 0;
    if (!absl::SimpleAtoi(parts.first, &code)) refusal.crash = "it said nothing";
    refusal.status = absl::Status(static_cast<absl::StatusCode>(code), parts.second);
  }
  return refusal;
}

}  // namespace fourfold::testing
