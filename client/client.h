#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/comparison.h"
#include "client/encoded.h"
#include "client/job.h"
#include "client/model.h"
#include "client/tensor.h"
#include "client/upload.h"

namespace fourfold::client {

struct ClientOptions {
  // HOST:PORT of the server's gRPC listener.
  std::string address = "127.0.0.1:8001";
  // How long a call may take. Not for Upload, WatchJob and Download, which take as long as they do.
  absl::Duration call_timeout = absl::Seconds(60);
  // Clients of one process share a connection to the same address; this one has its own.
  bool own_connection = false;
};

struct InferRequest {
  std::string model = {};  // NAME or NAME@VARIANT
  int64_t version = 0;     // 0: the newest
  std::string id = {};     // echoed; may be empty
  std::vector<Tensor> inputs = {};
  std::vector<std::string> outputs = {};  // names; empty: all
};

struct InferResponse {
  std::string model;
  int64_t version = 0;
  std::string variant;  // which one answered; empty if the server does not say
  std::string id;
  std::vector<Tensor> outputs;
};

// How an asynchronous inference ended.
using InferCallback = std::function<void(absl::StatusOr<EncodedResponse>)>;

struct DownloadRequest {
  std::string model = {};
  int64_t version = 0;       // 0: the newest
  std::string variant = {};  // empty: the default variant
  // The ONNX file to write. It appears, or replaces an older one, only when all bytes have arrived
  // and their checksum is right. A large variant's weights come in a second file, which has to lie
  // in the same folder under the name that the first one gives it ("fp32.onnx.data").
  std::string path = {};
  // Called after each chunk with the bytes so far and in total; may be empty.
  std::function<void(int64_t done_bytes, int64_t total_bytes)> progress = {};
};

struct Downloaded {
  std::string model;
  int64_t version = 0;
  std::string variant;
  int64_t file_bytes = 0;  // of both files
  std::string sha256;      // of the ONNX file
  std::string data_path;   // the second file; empty: there is none
};

// Calls one Fourfold server over gRPC. Connects with the first call and again after a loss; a call
// does not wait for a server that refuses connections.
//
// Errors are the server's status, code and message. UNAVAILABLE names the address. A version of 0
// is the newest. Thread-safe; every method but InferAsync blocks its caller.
class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::string& address() const;

  // Liveness, readiness, name, version and protocol extensions of the server.
  absl::StatusOr<ServerStatus> Status();

  // One inference. DATA_LOSS: the response's tensors and bytes do not match.
  absl::StatusOr<InferResponse> Infer(const InferRequest& request);
  // Starts one inference and returns. `on_done` is called once, on a thread of the library, never
  // on the caller's: it must not block or destroy the Client, and may start further calls.
  // DEADLINE_EXCEEDED after `timeout`. Calls that are in flight when the Client is destroyed end as
  // CANCELLED, and have been told before the destructor returns.
  void InferAsync(const EncodedRequest& request, absl::Duration timeout, InferCallback on_done);
  // The inputs that a model (NAME or NAME@VARIANT) expects.
  absl::StatusOr<std::vector<TensorDescription>> Inputs(const std::string& model, int64_t version);

  // Sends a model with samples. Returns when the server has it all and has made a job of it.
  // NOT_FOUND, PERMISSION_DENIED: the model file cannot be read. Errors of sample sources are
  // returned as they are, and the server then keeps nothing.
  absl::StatusOr<UploadResult> Upload(const UploadRequest& request);

  // Calls `on_event` with the job's present state and with each change, and returns the last event,
  // whose state is final. A failed job is an OK result with JobState::kFailed.
  absl::StatusOr<JobEvent> WatchJob(const std::string& job_id,
                                    const std::function<void(const JobEvent&)>& on_event);
  absl::StatusOr<Job> GetJob(const std::string& job_id);
  // Newest first; an empty model means all.
  absl::StatusOr<std::vector<Job>> Jobs(const std::string& model);
  absl::StatusOr<Job> Cancel(const std::string& job_id);

  absl::StatusOr<std::vector<ModelSummary>> List();
  absl::StatusOr<ModelDescription> Describe(const std::string& model, int64_t version);
  absl::StatusOr<Comparison> Compare(const std::string& model, int64_t version);
  // Deletes one version, or with version 0 the whole model. Returns the deleted versions.
  absl::StatusOr<std::vector<int64_t>> Delete(const std::string& model, int64_t version);

  // Fetches a variant's files. DATA_LOSS: bytes are missing or a checksum is wrong; files that were
  // there before stay as they were. ALREADY_EXISTS: where the weights have to lie, there is another
  // file, which may be another model's.
  absl::StatusOr<Downloaded> Download(const DownloadRequest& request);

 private:
  struct Connection;  // channel and stubs
  const std::unique_ptr<Connection> connection_;
};

}  // namespace fourfold::client
