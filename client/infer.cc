// Inference: one call that waits for its answer, and calls that do not.

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/connection.h"

namespace fourfold::client {
namespace {

const std::string& InferMethod() {
  static const auto* const kMethod =
      new std::string("/inference.GRPCInferenceService/ModelInfer");  // never destroyed
  return *kMethod;
}

inference::ModelInferRequest ToProto(const InferRequest& request) {
  inference::ModelInferRequest proto;
  proto.set_model_name(request.model);
  if (request.version != 0) proto.set_model_version(absl::StrCat(request.version));
  proto.set_id(request.id);
  for (const Tensor& tensor : request.inputs) {
    auto* input = proto.add_inputs();
    input->set_name(tensor.name);
    input->set_datatype(tensor.datatype);
    input->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    proto.add_raw_input_contents(tensor.bytes);
  }
  for (const std::string& output : request.outputs) proto.add_outputs()->set_name(output);
  return proto;
}

inference::ModelInferResponse ToProto(const InferResponse& response) {
  inference::ModelInferResponse proto;
  proto.set_model_name(response.model);
  if (response.version != 0) proto.set_model_version(absl::StrCat(response.version));
  proto.set_id(response.id);
  if (!response.variant.empty()) {
    (*proto.mutable_parameters())["variant"].set_string_param(response.variant);
  }
  for (const Tensor& tensor : response.outputs) {
    auto* output = proto.add_outputs();
    output->set_name(tensor.name);
    output->set_datatype(tensor.datatype);
    output->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    proto.add_raw_output_contents(tensor.bytes);
  }
  return proto;
}

absl::StatusOr<InferResponse> FromProto(inference::ModelInferResponse& proto) {
  if (proto.outputs_size() != proto.raw_output_contents_size()) {
    return absl::DataLossError(absl::StrCat(
        "response of ", proto.model_name(), " has ", proto.outputs_size(), " outputs but ",
        proto.raw_output_contents_size(), " raw contents, wanted as many"));
  }
  InferResponse response;
  response.model = proto.model_name();
  response.id = proto.id();
  if (!proto.model_version().empty() &&
      !absl::SimpleAtoi(proto.model_version(), &response.version)) {
    return absl::DataLossError(absl::StrCat("response of ", proto.model_name(), " has version \"",
                                            proto.model_version(), "\", wanted a number"));
  }
  const auto variant = proto.parameters().find("variant");
  if (variant != proto.parameters().end()) response.variant = variant->second.string_param();
  for (int i = 0; i < proto.outputs_size(); ++i) {
    const auto& output = proto.outputs(i);
    response.outputs.push_back({output.name(),
                                output.datatype(),
                                {output.shape().begin(), output.shape().end()},
                                std::move(*proto.mutable_raw_output_contents(i))});
  }
  return response;
}

}  // namespace

// A message's fields may come in any order, so a message is its model's name and then the rest.
struct EncodedRequest::Message {
  Message(const std::string& model, grpc::Slice rest_slice) : rest(std::move(rest_slice)) {
    inference::ModelInferRequest name;
    name.set_model_name(model);
    const std::array<grpc::Slice, 2> slices = {grpc::Slice(name.SerializeAsString()), rest};
    buffer = grpc::ByteBuffer(slices.data(), slices.size());
  }

  grpc::Slice rest;
  grpc::ByteBuffer buffer;
};

EncodedRequest::EncodedRequest(const InferRequest& request) {
  inference::ModelInferRequest rest = ToProto(request);
  rest.clear_model_name();
  message_ = std::make_shared<const Message>(request.model, grpc::Slice(rest.SerializeAsString()));
}

EncodedRequest::EncodedRequest(std::shared_ptr<const Message> message)
    : message_(std::move(message)) {}

EncodedRequest EncodedRequest::ForModel(const std::string& model) const {
  return EncodedRequest(std::make_shared<const Message>(model, message_->rest));
}

int64_t EncodedRequest::bytes() const { return static_cast<int64_t>(message_->buffer.Length()); }

struct EncodedResponse::Message {
  grpc::ByteBuffer buffer;
};

EncodedResponse::EncodedResponse(const InferResponse& response) {
  const grpc::Slice slice(ToProto(response).SerializeAsString());
  message_ = std::make_shared<const Message>(Message{grpc::ByteBuffer(&slice, 1)});
}

EncodedResponse::EncodedResponse(std::shared_ptr<const Message> message)
    : message_(std::move(message)) {}

int64_t EncodedResponse::bytes() const { return static_cast<int64_t>(message_->buffer.Length()); }

absl::StatusOr<InferResponse> EncodedResponse::Decode() const {
  grpc::ByteBuffer buffer = message_->buffer;  // reading uses it up; a copy shares the bytes
  inference::ModelInferResponse proto;
  const grpc::Status read =
      grpc::SerializationTraits<inference::ModelInferResponse>::Deserialize(&buffer, &proto);
  if (!read.ok()) {
    return absl::DataLossError(
        absl::StrCat("the answer of ", bytes(), " bytes is no ModelInferResponse"));
  }
  return FromProto(proto);
}

absl::StatusOr<InferResponse> Client::Infer(const InferRequest& request) {
  grpc::ClientContext context;
  connection_->SetDeadline(context);
  inference::ModelInferResponse response;
  const absl::Status status = connection_->ToStatus(
      connection_->inference->ModelInfer(&context, ToProto(request), &response));
  if (!status.ok()) return status;
  return FromProto(response);
}

void Client::InferAsync(const EncodedRequest& request, absl::Duration timeout,
                        InferCallback on_done) {
  struct Call {
    EncodedRequest request;
    InferCallback on_done;
    grpc::ClientContext context = {};
    grpc::ByteBuffer response = {};
  };
  auto* const call = new Call{request, std::move(on_done)};
  call->context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
  connection_->in_flight.Add(&call->context);
  const auto done = [this, call](const grpc::Status& grpc_status) {
    const std::unique_ptr<Call> owned(call);
    const absl::Status status = connection_->ToStatus(grpc_status);
    const InferCallback on_done = std::move(call->on_done);
    if (status.ok()) {
      on_done(EncodedResponse(std::make_shared<const EncodedResponse::Message>(
          EncodedResponse::Message{std::move(call->response)})));
    } else {
      on_done(status);
    }
    connection_->in_flight.Remove(&call->context);  // the last use of `this`
  };
  connection_->bytes.UnaryCall(&call->context, InferMethod(), grpc::StubOptions(),
                               &call->request.message_->buffer, &call->response, done);
}

}  // namespace fourfold::client
