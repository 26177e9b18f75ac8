#pragma once

#include <vector>

#include "client/comparison.h"
#include "client/job.h"
#include "client/model.h"
#include "client/tensor.h"
#include "proto/fourfold/v1/variants.pb.h"
#include "proto/inference/grpc_predict_v2.pb.h"

// Protocol messages to the client's structs. For client/*.cc only: callers of the library never
// see protocol types.
namespace fourfold::client {

Comparison FromProto(const v1::Comparison& proto);
Job FromProto(const v1::Job& proto);
JobEvent FromProto(const v1::JobEvent& proto);
ModelSummary FromProto(const v1::ModelSummary& proto);
ModelDescription FromProto(const v1::DescribeModelResponse& proto);
std::vector<TensorDescription> FromProto(
    const google::protobuf::RepeatedPtrField<inference::ModelMetadataResponse::TensorMetadata>&
        tensors);

}  // namespace fourfold::client
