// fourfold-server: reads flags, starts the server, waits for SIGTERM or SIGINT.

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/log.h"
#include "server/server.h"

using fourfold::ServerOptions;

ABSL_FLAG(std::string, model_store, "",
          "directory that holds the models; created if it is not there");
ABSL_FLAG(std::string, grpc_listen, ServerOptions().grpc_listen,
          "HOST:PORT for gRPC; port 0: any free one");
ABSL_FLAG(std::string, http_listen, ServerOptions().http_listen, "HOST:PORT for HTTP");
ABSL_FLAG(std::string, metrics_listen, ServerOptions().metrics_listen,
          "HOST:PORT for Prometheus' /metrics");
ABSL_FLAG(int, threads, 0,
          "threads of all executions together; 0: what affinity and control group allow");
ABSL_FLAG(int, threads_per_request, ServerOptions().threads_per_request,
          "threads of one execution");
ABSL_FLAG(std::string, cpu_features, ServerOptions().cpu_features,
          "native, or the highest instruction set to use: reference, avx2, avx512, avx512_vnni, "
          "amx, neon, ...");
ABSL_FLAG(std::string, quantizer, "", "path of fourfold-quantize; empty: beside this program");
ABSL_FLAG(int64_t, max_upload_bytes, ServerOptions().upload_bytes_max,
          "of one upload, model, its external data and samples");
ABSL_FLAG(int64_t, max_samples, ServerOptions().samples_max, "samples of one upload");
ABSL_FLAG(int64_t, max_message_bytes, ServerOptions().message_bytes_max, "of one gRPC message");
ABSL_FLAG(int, queue_limit, ServerOptions().queue_max,
          "inference requests of one variant that wait for a worker");
ABSL_FLAG(int64_t, max_batch, ServerOptions().batch_max,
          "samples of waiting requests that run together; 1: every request runs by itself");
ABSL_FLAG(
    int64_t, batch_memory_bytes, ServerOptions().batch_memory_bytes,
    "what the activations of a batch may take of each worker's memory; larger batches are not "
    "formed");
ABSL_FLAG(double, batch_delay_ms, absl::ToDoubleMilliseconds(ServerOptions().batch_delay_max),
          "how long a request is held back for others to join its batch; 0: a batch is what waits "
          "when a worker comes free");
ABSL_FLAG(
    int, max_stream_requests, ServerOptions().stream_requests_max,
    "inference requests of one stream that are not answered yet; the next is read after that");
ABSL_FLAG(int, max_jobs, ServerOptions().jobs_max, "uploads being received, queued or running");
ABSL_FLAG(int64_t, job_memory_bytes, ServerOptions().job_memory_bytes,
          "memory of a job's child process, beside the files that it maps; 0: no limit");
ABSL_FLAG(
    int64_t, max_inline_bytes, ServerOptions().inline_bytes_max,
    "weights that a variant's ONNX file holds itself; variants with more keep them in a second "
    "file, fp32.onnx.data");
ABSL_FLAG(double, job_seconds, absl::ToDoubleSeconds(ServerOptions().job_time_max),
          "time of one job");
ABSL_FLAG(double, grace_period_seconds, absl::ToDoubleSeconds(ServerOptions().grace_period),
          "for finishing requests after SIGTERM");
ABSL_FLAG(double, drain_seconds, absl::ToDoubleSeconds(ServerOptions().drain_delay),
          "how long calls are still answered with UNAVAILABLE before connections close");
ABSL_FLAG(std::string, ports_file, "",
          "file to write the addresses to as JSON when ready, for scripts that use port 0");

namespace {

// The quantizer beside this program.
std::string DefaultQuantizer() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "fourfold-quantize" : (self.parent_path() / "fourfold-quantize").string();
}

ServerOptions OptionsFromFlags() {
  ServerOptions options;
  options.model_store = absl::GetFlag(FLAGS_model_store);
  options.grpc_listen = absl::GetFlag(FLAGS_grpc_listen);
  options.http_listen = absl::GetFlag(FLAGS_http_listen);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  options.threads = absl::GetFlag(FLAGS_threads);
  options.threads_per_request = absl::GetFlag(FLAGS_threads_per_request);
  options.cpu_features = absl::GetFlag(FLAGS_cpu_features);
  options.quantizer = absl::GetFlag(FLAGS_quantizer);
  if (options.quantizer.empty()) options.quantizer = DefaultQuantizer();
  options.upload_bytes_max = absl::GetFlag(FLAGS_max_upload_bytes);
  options.samples_max = absl::GetFlag(FLAGS_max_samples);
  options.message_bytes_max = absl::GetFlag(FLAGS_max_message_bytes);
  options.queue_max = absl::GetFlag(FLAGS_queue_limit);
  options.batch_max = absl::GetFlag(FLAGS_max_batch);
  options.batch_memory_bytes = absl::GetFlag(FLAGS_batch_memory_bytes);
  options.batch_delay_max = absl::Milliseconds(absl::GetFlag(FLAGS_batch_delay_ms));
  options.stream_requests_max = absl::GetFlag(FLAGS_max_stream_requests);
  options.jobs_max = absl::GetFlag(FLAGS_max_jobs);
  options.inline_bytes_max = absl::GetFlag(FLAGS_max_inline_bytes);
  options.job_memory_bytes = absl::GetFlag(FLAGS_job_memory_bytes);
  options.job_time_max = absl::Seconds(absl::GetFlag(FLAGS_job_seconds));
  options.grace_period = absl::Seconds(absl::GetFlag(FLAGS_grace_period_seconds));
  options.drain_delay = absl::Seconds(absl::GetFlag(FLAGS_drain_seconds));
  return options;
}

int exit_code_while_parsing = -1;  // not parsing

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "fourfold-server: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "serves neural networks in four precisions\n\n  fourfold-server --model_store=DIR");
  absl::FlagsUsageConfig usage;
  usage.contains_helpshort_flags = usage.contains_help_flags = [](absl::string_view file) {
    return file.find("server/main.cc") != absl::string_view::npos;
  };
  absl::SetFlagsUsageConfig(usage);
  // Abseil ends the program with 1 after --help and after a bad flag; ours are 0 and 2.
  exit_code_while_parsing = 2;
  for (int i = 1; i < argc; ++i) {
    if (absl::StartsWith(argv[i], "--help") || absl::StartsWith(argv[i], "-help"))
      exit_code_while_parsing = 0;
  }
  std::atexit([] {
    if (exit_code_while_parsing < 0) return;
    std::fflush(nullptr);
    std::_Exit(exit_code_while_parsing);
  });
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  exit_code_while_parsing = -1;
  if (rest.size() > 1) {
    return Fail(absl::InvalidArgumentError(
        absl::StrCat("unexpected argument \"", rest[1], "\", wanted flags only")));
  }
  // Threads inherit the mask: the signals wait for sigwait below.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  auto server = fourfold::Server::Start(OptionsFromFlags());
  if (!server.ok()) return Fail(server.status());
  const fourfold::Server::Addresses& addresses = (*server)->addresses();
  std::printf("fourfold-server is ready: gRPC %s, HTTP %s, metrics %s\n", addresses.grpc.c_str(),
              addresses.http.c_str(), addresses.metrics.c_str());
  std::fflush(stdout);
  if (const std::string path = absl::GetFlag(FLAGS_ports_file); !path.empty()) {
    const std::string json =
        absl::StrCat("{\"grpc\": \"", addresses.grpc, "\", \"http\": \"", addresses.http,
                     "\", \"metrics\": \"", addresses.metrics, "\"}\n");
    if (const absl::Status written = fourfold::base::WriteFileAtomically(path, json);
        !written.ok()) {
      return Fail(written);
    }
  }

  int number = 0;
  sigwait(&signals, &number);
  fourfold::base::LogInfo("server.stopping", {{"signal", number}});
  (*server)->Shutdown();
  server->reset();
  fourfold::base::LogInfo("server.stopped");
  return 0;
}
