#include "server/rpc/upload_call.h"

#include <grpcpp/server_context.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/rpc/sample_codec.h"
#include "server/rpc/status.h"

namespace fourfold::rpc {
namespace {

using fourfold::v1::UploadRequest;

absl::string_view PartName(UploadRequest::PartCase part) {
  switch (part) {
    case UploadRequest::kHeader: return "header";
    case UploadRequest::kModelChunk: return "model_chunk";
    case UploadRequest::kSamples: return "samples";
    case UploadRequest::kEvaluation: return "evaluation";
    case UploadRequest::kExternalData: return "external_data";
    case UploadRequest::PART_NOT_SET: break;
  }
  return "an empty message";
}

absl::Status CheckAnnounced(absl::string_view what, int64_t announced, int64_t got) {
  if (announced == 0 || announced == got) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("upload: got ", got, " ", what, ", wanted ",
                                                 announced, " as the header announced"));
}

}  // namespace

absl::Status Upload::Enter(Phase phase) {
  if (phase < phase_) {
    return absl::InvalidArgumentError(
        "upload: messages out of order, wanted header, model_chunk, external_data, samples, "
        "evaluation");
  }
  phase_ = phase;
  return absl::OkStatus();
}

absl::Status Upload::Take(const UploadRequest& request) {
  if (!staging_ && request.part_case() != UploadRequest::kHeader) {
    return absl::InvalidArgumentError(absl::StrCat(
        "upload: the first message is ", PartName(request.part_case()), ", wanted header"));
  }
  switch (request.part_case()) {
    case UploadRequest::kHeader: return TakeHeader(request.header());
    case UploadRequest::kModelChunk:
      RETURN_IF_ERROR(Enter(Phase::kModel));
      if (header_.model_bytes() > 0 && static_cast<int64_t>(request.model_chunk().size()) >
                                           header_.model_bytes() - staging_->model_bytes()) {
        return absl::InvalidArgumentError(absl::StrCat("upload: more model bytes than the ",
                                                       header_.model_bytes(),
                                                       " that the header announced"));
      }
      return staging_->AppendModel(request.model_chunk());
    case UploadRequest::kExternalData:
      RETURN_IF_ERROR(Enter(Phase::kExternal));
      return TakeExternal(request.external_data());
    case UploadRequest::kSamples:
      RETURN_IF_ERROR(Enter(Phase::kSamples));
      return TakeSamples(request.samples(), store::SampleSet::kCalibration);
    case UploadRequest::kEvaluation:
      RETURN_IF_ERROR(Enter(Phase::kEvaluation));
      return TakeSamples(request.evaluation(), store::SampleSet::kEvaluation);
    case UploadRequest::PART_NOT_SET: break;
  }
  return absl::InvalidArgumentError(
      "upload: got an empty message, wanted header, model_chunk, external_data, samples or "
      "evaluation");
}

absl::Status Upload::TakeHeader(const fourfold::v1::UploadHeader& header) {
  if (staging_) return absl::InvalidArgumentError("upload: got a second header, wanted one");
  if (header.model_bytes() < 0 || header.calibration_samples() < 0 ||
      header.evaluation_samples() < 0 || header.external_bytes() < 0) {
    return absl::InvalidArgumentError(
        "upload: the header announces a negative count, wanted 0 or more");
  }
  variants_.assign(header.variants().begin(), header.variants().end());
  for (size_t i = 0; i < variants_.size(); ++i) {
    const auto& offered = parts_.variants_offered;
    if (std::find(offered.begin(), offered.end(), variants_[i]) == offered.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("upload: unknown variant \"",
                       absl::CHexEscape(absl::string_view(variants_[i]).substr(0, 64)),
                       "\", wanted some of ", absl::StrJoin(offered, ", ")));
    }
    if (std::find(variants_.begin(), variants_.begin() + static_cast<std::ptrdiff_t>(i),
                  variants_[i]) != variants_.begin() + static_cast<std::ptrdiff_t>(i)) {
      return absl::InvalidArgumentError(
          absl::StrCat("upload: variant ", variants_[i], " is asked for twice"));
    }
  }
  ASSIGN_OR_RETURN(publish::Publisher::Place place, parts_.publisher.Admit());
  place_.emplace(std::move(place));
  job_id_ = publish::NewJobId();
  ASSIGN_OR_RETURN(staging_, parts_.store.Stage(job_id_, header.model()));
  RETURN_IF_ERROR(staging_->Expect(header.model_bytes()));
  RETURN_IF_ERROR(staging_->Expect(header.external_bytes()));
  RETURN_IF_ERROR(staging_->Expect(header.model_bytes() + header.external_bytes()));
  header_ = header;
  return absl::OkStatus();
}

absl::Status Upload::TakeExternal(const fourfold::v1::ExternalDataChunk& chunk) {
  if (!chunk.location().empty()) {
    RETURN_IF_ERROR(CheckExternalFile());
    if (chunk.file_bytes() < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "upload: a file of external data has ", chunk.file_bytes(), " bytes, wanted 0 or more"));
    }
    RETURN_IF_ERROR(staging_->BeginExternal(chunk.location()));
    external_location_ = chunk.location();
    external_announced_ = chunk.file_bytes();
    external_got_ = 0;
  }
  const auto bytes = static_cast<int64_t>(chunk.data().size());
  const bool over_file = external_announced_ > 0 && bytes > external_announced_ - external_got_;
  const bool over_all =
      header_.external_bytes() > 0 && bytes > header_.external_bytes() - staging_->external_bytes();
  if (over_file || over_all) {
    return absl::InvalidArgumentError(absl::StrCat(
        "upload: more bytes of external data than the ",
        over_file ? external_announced_ : header_.external_bytes(), " that were announced",
        over_file ? absl::StrCat(" for \"", absl::CHexEscape(external_location_), "\"") : ""));
  }
  external_got_ += bytes;
  return staging_->AppendExternal(chunk.data());
}

absl::Status Upload::CheckExternalFile() const {
  return CheckAnnounced(absl::StrCat("bytes of \"", absl::CHexEscape(external_location_), "\""),
                        external_announced_, external_got_);
}

absl::Status Upload::TakeSamples(const fourfold::v1::SampleBatch& batch, store::SampleSet set) {
  ASSIGN_OR_RETURN(const store::SampleBatch decoded,
                   DecodeSamples(batch, set, staging_->samples(set)));
  return staging_->AppendSamples(set, decoded);
}

absl::Status Upload::Complete(fourfold::v1::UploadResponse& response) {
  if (!staging_) return absl::InvalidArgumentError("upload: got no message, wanted a header first");
  RETURN_IF_ERROR(
      CheckAnnounced("bytes of the model", header_.model_bytes(), staging_->model_bytes()));
  RETURN_IF_ERROR(CheckExternalFile());
  RETURN_IF_ERROR(CheckAnnounced("bytes of external data", header_.external_bytes(),
                                 staging_->external_bytes()));
  RETURN_IF_ERROR(CheckAnnounced("calibration samples", header_.calibration_samples(),
                                 staging_->samples(store::SampleSet::kCalibration)));
  RETURN_IF_ERROR(CheckAnnounced("evaluation samples", header_.evaluation_samples(),
                                 staging_->samples(store::SampleSet::kEvaluation)));
  RETURN_IF_ERROR(staging_->Seal());
  ASSIGN_OR_RETURN(const publish::Job job,
                   parts_.publisher.Start(std::move(*place_), job_id_, std::move(staging_),
                                          std::move(variants_)));
  response.set_job_id(job.id);
  response.set_model(job.model);
  response.set_version(job.version);
  return absl::OkStatus();
}

UploadCall::UploadCall(UploadParts parts, grpc::CallbackServerContext* context,
                       fourfold::v1::UploadResponse* response)
    : parts_(parts), context_(context), response_(response) {
  upload_.emplace(parts_);
  StartRead(&request_);
}

void UploadCall::OnReadDone(bool ok) {
  // Until the task has run there is neither a read nor an answer under way, so the call stays.
  parts_.disk.Post([this, ok] { ok ? TakeMessage() : Complete(); });
}

void UploadCall::TakeMessage() {
  const absl::Status status = upload_->Take(request_);
  if (status.ok()) {
    StartRead(&request_);
    return;
  }
  upload_.reset();
  Finish(ToGrpc(status));
}

void UploadCall::Complete() {
  // A broken stream also ends reading, and is no complete upload.
  const absl::Status status = context_->IsCancelled()
                                  ? absl::CancelledError("the upload was broken off")
                                  : upload_->Complete(*response_);
  upload_.reset();
  Finish(ToGrpc(status));
}

void UploadCall::OnDone() { delete this; }

}  // namespace fourfold::rpc
