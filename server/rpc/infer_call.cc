#include "server/rpc/infer_call.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/rpc/infer_codec.h"
#include "server/rpc/model_address.h"
#include "server/schedule/choose_variant.h"

namespace fourfold::rpc {
namespace {

// A call between decoding and answer.
struct Work {
  Work(const InferenceParts& parts, InferCall call)
      : parts(parts), call(std::move(call)), arrived(parts.clock.Now()) {}

  const InferenceParts parts;
  const InferCall call;
  const absl::Time arrived;
  std::shared_ptr<const registry::Variant> variant;
  DecodedInputs inputs;  // borrows from the request
  std::vector<size_t> outputs;

  void Finish(const absl::Status& status) {
    if (variant && variant->series) {
      variant->series->RequestDone(status.code(), parts.clock.Now() - arrived);
    } else {
      parts.metrics.UnroutedRequest(status.code());
    }
    inputs = {};
    call.done(status);
  }
};

absl::Status Submit(const std::shared_ptr<Work>& work) {
  const InferenceParts& parts = work->parts;
  const inference::ModelInferRequest& request = *work->call.request;
  ASSIGN_OR_RETURN(const ModelAddress address,
                   ParseModelAddress(request.model_name(), request.model_version()));
  ASSIGN_OR_RETURN(const auto version, parts.registry.Find(address.model, address.version));
  ASSIGN_OR_RETURN(InferWishes wishes, DecodeParameters(request));
  if (!address.variant.empty()) {
    if (!wishes.variant.variant.empty() && wishes.variant.variant != address.variant) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter variant: got \"", wishes.variant.variant.substr(0, 64),
                       "\", but the model name says \"", address.variant, "\""));
    }
    wishes.variant.variant = address.variant;
  }
  ASSIGN_OR_RETURN(work->variant, schedule::ChooseVariant(*version, wishes.variant));
  ASSIGN_OR_RETURN(work->inputs, DecodeInputs(request, work->variant->model->inputs()));
  ASSIGN_OR_RETURN(work->outputs, DecodeOutputs(request, work->variant->model->outputs()));

  schedule::Job job;
  job.variant = work->variant;
  job.shapes = work->inputs.shapes;
  job.inputs = work->inputs.inputs;
  job.deadline = work->call.deadline;
  if (wishes.timeout) job.deadline = std::min(job.deadline, work->arrived + *wishes.timeout);
  job.cancelled = work->call.cancelled;
  job.done = [work, number = version->version](
                 absl::StatusOr<std::vector<schedule::OutputTensor>> outputs) {
    if (outputs.ok()) {
      inference::ModelInferResponse& response = *work->call.response;
      response.set_model_name(work->call.request->model_name());
      response.set_model_version(absl::StrCat(number));
      response.set_id(work->call.request->id());
      (*response.mutable_parameters())["variant"].set_string_param(work->variant->name);
      EncodeOutputs(*std::move(outputs), work->outputs, response);
    }
    work->Finish(outputs.status());
  };
  return parts.scheduler.Submit(std::move(job));
}

}  // namespace

void StartInfer(const InferenceParts& parts, InferCall call) {
  const auto work = std::make_shared<Work>(parts, std::move(call));
  if (const absl::Status refused = Submit(work); !refused.ok()) work->Finish(refused);
}

}  // namespace fourfold::rpc
