#include "server/rpc/variant_service.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/rpc/reply.h"
#include "server/rpc/upload_call.h"
#include "server/rpc/variant_codec.h"
#include "server/rpc/watch_call.h"
#include "server/schedule/choose_variant.h"
#include "server/store/model_name.h"

namespace fourfold::rpc {
namespace {

constexpr size_t kDownloadChunkBytes = 1 << 20;

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Reply(reactor).Finish(status);
  return reactor;
}

// INVALID_ARGUMENT for a negative version, else as ModelRegistry::Find.
absl::StatusOr<std::shared_ptr<const registry::ModelVersion>> Find(
    const registry::ModelRegistry& registry, const std::string& model, int64_t version) {
  if (version < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("version: got ", version, ", wanted a number from 1, or 0 for the newest"));
  }
  return registry.Find(model, version);
}

// A call that fails before its stream begins; deletes itself.
template <typename Message>
class FailedWrite final : public grpc::ServerWriteReactor<Message> {
 public:
  explicit FailedWrite(const absl::Status& status) { this->Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// One file of a download.
struct DownloadFile {
  fourfold::v1::DownloadHeader header;
  base::MappedFile bytes;
};

// DATA_LOSS if the file is not as long as it was when it was stored.
absl::StatusOr<DownloadFile> OpenDownload(const store::ModelStore& store,
                                          const registry::ModelVersion& version,
                                          const registry::Variant& variant,
                                          const store::StoredFile& file) {
  ASSIGN_OR_RETURN(base::MappedFile bytes,
                   base::MappedFile::Open(store.FilePath(version.manifest, file.name)));
  if (static_cast<int64_t>(bytes.bytes().size()) != file.bytes) {
    return absl::DataLossError(
        absl::StrCat("file ", file.name, " of model ", version.model, " has changed its size"));
  }
  fourfold::v1::DownloadHeader header;
  header.set_model(version.model);
  header.set_version(version.version);
  header.set_variant(variant.name);
  header.set_file(absl::StrCat(version.model, ".", file.name));
  header.set_file_bytes(file.bytes);
  header.set_sha256(file.sha256);
  return DownloadFile{std::move(header), std::move(bytes)};
}

// The files of a variant, at least one.
absl::StatusOr<std::vector<DownloadFile>> OpenDownloads(const store::ModelStore& store,
                                                        const registry::ModelVersion& version,
                                                        const registry::Variant& variant) {
  std::vector<DownloadFile> files;
  ASSIGN_OR_RETURN(DownloadFile model, OpenDownload(store, version, variant, variant.file));
  model.header.set_total_bytes(variant.file_bytes());
  files.push_back(std::move(model));
  if (variant.data_file) {
    ASSIGN_OR_RETURN(DownloadFile data, OpenDownload(store, version, variant, *variant.data_file));
    data.header.set_file(variant.data_file->name);  // as the model says
    data.header.set_location(variant.data_file->name);
    files.push_back(std::move(data));
  }
  return files;
}

// The stream of a variant's files; deletes itself when done.
class DownloadCall final : public grpc::ServerWriteReactor<fourfold::v1::DownloadVariantResponse> {
 public:
  explicit DownloadCall(std::vector<DownloadFile> files) : files_(std::move(files)) {
    SendHeader();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(ToGrpc(absl::CancelledError("the caller has gone")));
    const auto rest = files_[file_].bytes.bytes().subspan(sent_);
    if (!rest.empty()) {
      const auto chunk = rest.first(std::min(rest.size(), kDownloadChunkBytes));
      message_.set_chunk(chunk.data(), chunk.size());
      sent_ += chunk.size();
      return StartWrite(&message_);
    }
    if (++file_ == files_.size()) return Finish(grpc::Status::OK);
    sent_ = 0;
    SendHeader();
  }

  void OnDone() override { delete this; }

 private:
  void SendHeader() {
    *message_.mutable_header() = files_[file_].header;
    StartWrite(&message_);
  }

  const std::vector<DownloadFile> files_;
  size_t file_ = 0;  // being sent
  size_t sent_ = 0;  // of it
  fourfold::v1::DownloadVariantResponse message_;
};

}  // namespace

grpc::ServerReadReactor<fourfold::v1::UploadRequest>* VariantService::Upload(
    Context* context, fourfold::v1::UploadResponse* response) {
  return new UploadCall({parts_.store, parts_.publisher, disk_, options_.variants_offered}, context,
                        response);
}

grpc::ServerWriteReactor<fourfold::v1::JobEvent>* VariantService::WatchJob(
    Context*, In<fourfold::v1::WatchJobRequest> request) {
  return new WatchCall(parts_.publisher, request->job_id());
}

VariantService::Unary* VariantService::GetJob(Context* context,
                                              In<fourfold::v1::GetJobRequest> request,
                                              fourfold::v1::Job* response) {
  const auto job = parts_.publisher.Get(request->job_id());
  if (job.ok()) Encode(*job, *response);
  return Answer(context, job.status());
}

VariantService::Unary* VariantService::ListJobs(Context* context,
                                                In<fourfold::v1::ListJobsRequest> request,
                                                fourfold::v1::ListJobsResponse* response) {
  for (const publish::Job& job : parts_.publisher.List()) {
    if (request->model().empty() || request->model() == job.model)
      Encode(job, *response->add_jobs());
  }
  return Answer(context, absl::OkStatus());
}

VariantService::Unary* VariantService::CancelJob(Context* context,
                                                 In<fourfold::v1::CancelJobRequest> request,
                                                 fourfold::v1::Job* response) {
  Unary* reactor = context->DefaultReactor();
  auto reply = std::make_shared<Reply>(reactor);  // std::function wants to be copied
  disk_.Post([this, request, response, reply] {   // files of a queued job go at once
    const auto job = parts_.publisher.Cancel(request->job_id());
    if (job.ok()) Encode(*job, *response);
    reply->Finish(job.status());
  });
  return reactor;
}

VariantService::Unary* VariantService::ListModels(Context* context,
                                                  In<fourfold::v1::ListModelsRequest>,
                                                  fourfold::v1::ListModelsResponse* response) {
  const auto snapshot = parts_.registry.snapshot();
  for (const auto& [name, versions] : *snapshot) {
    const registry::ModelVersion& newest = *versions.rbegin()->second;
    fourfold::v1::ModelSummary& model = *response->add_models();
    model.set_model(name);
    model.set_version(newest.version);
    for (const auto& [number, version] : versions) model.add_versions(number);
    model.set_default_variant(newest.Default()->name);
    for (const auto& variant : newest.variants) model.add_variants(variant->name);
    model.set_created_unix_ms(newest.created_unix_ms);
  }
  return Answer(context, absl::OkStatus());
}

VariantService::Unary* VariantService::DescribeModel(
    Context* context, In<fourfold::v1::DescribeModelRequest> request,
    fourfold::v1::DescribeModelResponse* response) {
  const auto version = Find(parts_.registry, request->model(), request->version());
  if (version.ok()) {
    Encode(**version, *response);
    const auto snapshot = parts_.registry.snapshot();
    if (const auto versions = snapshot->find(request->model()); versions != snapshot->end()) {
      for (const auto& [number, entry] : versions->second) response->add_versions(number);
    }
  }
  return Answer(context, version.status());
}

VariantService::Unary* VariantService::CompareVariants(
    Context* context, In<fourfold::v1::CompareVariantsRequest> request,
    fourfold::v1::Comparison* response) {
  const auto version = Find(parts_.registry, request->model(), request->version());
  if (version.ok()) Encode((*version)->report, *response);
  return Answer(context, version.status());
}

grpc::ServerWriteReactor<fourfold::v1::DownloadVariantResponse>* VariantService::DownloadVariant(
    Context*, In<fourfold::v1::DownloadVariantRequest> request) {
  using Failed = FailedWrite<fourfold::v1::DownloadVariantResponse>;
  const auto version = Find(parts_.registry, request->model(), request->version());
  if (!version.ok()) return new Failed(version.status());
  schedule::VariantWish wish;
  wish.variant = request->variant();
  const auto variant = schedule::ChooseVariant(**version, wish);
  if (!variant.ok()) return new Failed(variant.status());
  auto files = OpenDownloads(parts_.store, **version, **variant);
  if (!files.ok()) return new Failed(files.status());
  return new DownloadCall(*std::move(files));
}

VariantService::Unary* VariantService::DeleteModel(Context* context,
                                                   In<fourfold::v1::DeleteModelRequest> request,
                                                   fourfold::v1::DeleteModelResponse* response) {
  Unary* reactor = context->DefaultReactor();
  auto reply = std::make_shared<Reply>(reactor);
  disk_.Post([this, request, response, reply] { reply->Finish(Delete(*request, *response)); });
  return reactor;
}

absl::Status VariantService::Delete(const fourfold::v1::DeleteModelRequest& request,
                                    fourfold::v1::DeleteModelResponse& response) {
  RETURN_IF_ERROR(store::CheckModelName(request.model()));
  if (request.version() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("version: got ", request.version(), ", wanted a number from 1, or 0 for all"));
  }
  const auto unloaded = parts_.registry.Remove(request.model(), request.version());
  std::set<int64_t> versions;
  if (unloaded.ok()) versions.insert(unloaded->begin(), unloaded->end());
  // Also what lies in the store but could not be loaded.
  ASSIGN_OR_RETURN(const std::vector<store::StoredVersion> stored, parts_.store.List());
  for (const store::StoredVersion& one : stored) {
    if (one.model == request.model() &&
        (request.version() == 0 || one.version == request.version())) {
      versions.insert(one.version);
    }
  }
  if (versions.empty()) return unloaded.status();
  for (const int64_t version : versions) {
    const absl::Status deleted = parts_.store.Delete(request.model(), version);
    if (!deleted.ok() && !absl::IsNotFound(deleted)) return deleted;
    base::LogInfo("model.deleted", {{"model", request.model()}, {"version", version}});
    response.add_versions(version);
  }
  return absl::OkStatus();
}

}  // namespace fourfold::rpc
