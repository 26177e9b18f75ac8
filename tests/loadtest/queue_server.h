#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/tensor.h"

namespace fourfold::loadtest {

// One request as it passed through the server.
struct Served {
  std::string model;
  std::chrono::steady_clock::time_point arrived;
  std::chrono::steady_clock::time_point begun;  // left the queue
  std::chrono::steady_clock::time_point done;   // was answered
};

// How the server behaves. `k` counts a model's requests from 0 in the order in which they begin.
struct QueueServerOptions {
  std::function<std::chrono::nanoseconds(const std::string& model, int64_t k)> service_time = {};
  std::function<absl::StatusCode(const std::string& model, int64_t k)> status = {};
  // The values of the output "y" from those of the first input; the same if empty.
  std::function<std::vector<float>(const std::string& model, int64_t k, std::vector<float> x)>
      answer = {};
  std::vector<client::TensorDescription> inputs = {{"x", "FP32", {-1, 4}}};
  // Requests to other models are NOT_FOUND; empty: all are known.
  std::vector<std::string> models = {};
};

// An Open Inference Protocol server of known behaviour on a free loopback port: one queue, one
// request at a time, each of which takes its service time. Stops when destroyed.
class QueueServer {
 public:
  explicit QueueServer(QueueServerOptions options);
  ~QueueServer();

  const std::string& address() const { return address_; }
  // Of all requests that have been answered, in that order.
  std::vector<Served> served() const;
  // From how many connections requests came.
  size_t connections() const;

 private:
  class Service;
  struct Server;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Server> server_;
  std::string address_;
};

}  // namespace fourfold::loadtest
