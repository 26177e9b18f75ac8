#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kernels/cpu_features.h"

namespace fourfold {

struct ServerOptions {
  std::string model_store;                   // directory, created if it is not there
  std::string grpc_listen = "0.0.0.0:8001";  // HOST:PORT, port 0: any free one
  std::string http_listen = "0.0.0.0:8000";
  std::string metrics_listen = "0.0.0.0:8002";
  int threads = 0;                      // all executions together; 0: what the CPU budget allows
  int threads_per_request = 1;          // of one execution; more: lower latency, lower throughput
  std::string cpu_features = "native";  // narrows the instruction sets, see ParseCpuFeatures
  std::string quantizer;                // path of fourfold-quantize
  int64_t upload_bytes_max = int64_t{4} << 30;      // model and samples of one upload
  int64_t samples_max = 100'000;                    // of one upload
  int64_t inline_bytes_max = int64_t{1} << 30;      // weights of a variant with one file; more: two
  int64_t message_bytes_max = 64 << 20;             // of one gRPC message, either way
  int queue_max = 256;                              // inference requests that wait, of each variant
  int64_t batch_max = 32;                           // samples of one execution
  int64_t batch_memory_bytes = int64_t{128} << 20;  // of one worker for a batch's activations
  absl::Duration batch_delay_max = absl::ZeroDuration();  // waiting for others to join a batch
  int stream_requests_max = 64;  // of one ModelStreamInfer, read and not answered yet
  int jobs_max = 8;              // uploads under way
  int64_t job_memory_bytes = int64_t{16} << 30;     // of the quantizer, beside files; 0: no limit
  absl::Duration job_time_max = absl::Hours(1);     // of the quantizer
  absl::Duration grace_period = absl::Seconds(30);  // for finishing at shutdown
  // How long calls are still answered, with UNAVAILABLE, when all work is done: clients and load
  // balancers learn to go elsewhere before connections close (a call that meets the closing of its
  // connection would end with CANCELLED).
  absl::Duration drain_delay = absl::Milliseconds(500);
  int connection_streams_max = 1000;  // calls under way on one connection
  int64_t grpc_memory_bytes = int64_t{4}
                              << 30;  // gRPC's buffers; over it new connections are refused
};

// The server: wires all parts, serves from Start to Shutdown. Destruction shuts down at once.
class Server {
 public:
  // INVALID_ARGUMENT for options that mean nothing, UNAVAILABLE if an address cannot be bound, the
  // store's errors. Models of the store that cannot be loaded are logged and left out.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  ~Server();

  // Where it listens, with the ports that were bound.
  struct Addresses {
    std::string grpc;
    std::string http;
    std::string metrics;
  };
  const Addresses& addresses() const;

  // Not ready, then refuses new requests, cancels jobs, finishes what is queued, at most for the
  // grace period, and stops listening. Once.
  void Shutdown();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace fourfold
