#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/fourfold/v1/variants.pb.h"
#include "server/base/task_queue.h"
#include "server/publish/publisher.h"
#include "server/store/model_store.h"

namespace fourfold::rpc {

// What an upload works with; all outlive it.
struct UploadParts {
  store::ModelStore& store;
  publish::Publisher& publisher;
  base::TaskQueue& disk;  // messages are written there, not on gRPC's threads
  const std::vector<std::string>& variants_offered;
};

// The state of one upload: checks the order and form of its messages and stages what they hold.
// Used by one thread at a time. What is staged goes with the object unless Complete succeeded.
class Upload {
 public:
  explicit Upload(UploadParts parts) : parts_(parts) {}

  absl::Status Take(const fourfold::v1::UploadRequest& request);

  // The client has sent everything.
  absl::Status Complete(fourfold::v1::UploadResponse& response);

 private:
  enum class Phase { kHeader, kModel, kExternal, kSamples, kEvaluation };

  absl::Status TakeHeader(const fourfold::v1::UploadHeader& header);
  absl::Status TakeExternal(const fourfold::v1::ExternalDataChunk& chunk);
  // The last file of external data has all bytes that were announced for it.
  absl::Status CheckExternalFile() const;
  absl::Status TakeSamples(const fourfold::v1::SampleBatch& batch, store::SampleSet set);
  // Parts come in the order of Phase.
  absl::Status Enter(Phase phase);

  const UploadParts parts_;
  Phase phase_ = Phase::kHeader;
  fourfold::v1::UploadHeader header_;
  std::vector<std::string> variants_;
  std::string job_id_;
  std::string external_location_;   // of the file being received
  int64_t external_announced_ = 0;  // its bytes; 0: not known
  int64_t external_got_ = 0;        // of them
  std::optional<publish::Publisher::Place> place_;
  std::unique_ptr<store::Staging> staging_;
};

// The stream of one upload; deletes itself when done.
class UploadCall final : public grpc::ServerReadReactor<fourfold::v1::UploadRequest> {
 public:
  UploadCall(UploadParts parts, grpc::CallbackServerContext* context,
             fourfold::v1::UploadResponse* response);

  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  void TakeMessage();
  void Complete();

  const UploadParts parts_;
  grpc::CallbackServerContext* const context_;
  fourfold::v1::UploadResponse* const response_;
  fourfold::v1::UploadRequest request_;
  std::optional<Upload> upload_;  // dropped, with what it staged, before the call is answered
};

}  // namespace fourfold::rpc
