#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/inference/grpc_predict_v2.pb.h"
#include "server/graph/tensor.h"
#include "server/runtime/plan.h"
#include "server/schedule/choose_variant.h"
#include "server/schedule/scheduler.h"

namespace fourfold::rpc {

// What a request's parameters ask for. Unknown ones are passed over.
struct InferWishes {
  schedule::VariantWish variant;
  std::optional<absl::Duration> timeout;  // Triton's "timeout", microseconds
};

// INVALID_ARGUMENT names the parameter, what it is and what it should be.
absl::StatusOr<InferWishes> DecodeParameters(const inference::ModelInferRequest& request);

// A request's tensors in the model's order, checked against the model. Views into the request where
// it carries raw bytes.
struct DecodedInputs {
  std::vector<graph::Shape> shapes;
  std::vector<std::span<const std::byte>> inputs;
  std::vector<std::string> converted;  // what typed contents became
};

// INVALID_ARGUMENT names the tensor, what was got and what is wanted; UNIMPLEMENTED for shared
// memory. The result borrows from the request.
absl::StatusOr<DecodedInputs> DecodeInputs(const inference::ModelInferRequest& request,
                                           const std::vector<runtime::TensorInfo>& model_inputs);

// Indices of the wanted outputs in the model's order; all where none is named. INVALID_ARGUMENT for
// names that the model lacks and for duplicates, UNIMPLEMENTED for the classification extension.
absl::StatusOr<std::vector<size_t>> DecodeOutputs(
    const inference::ModelInferRequest& request,
    const std::vector<runtime::TensorInfo>& model_outputs);

// Fills tensors and raw_output_contents, moving the bytes of `outputs`.
void EncodeOutputs(std::vector<schedule::OutputTensor> outputs, const std::vector<size_t>& wanted,
                   inference::ModelInferResponse& response);

}  // namespace fourfold::rpc
