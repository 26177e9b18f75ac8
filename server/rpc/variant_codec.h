#pragma once

#include "proto/fourfold/v1/variants.pb.h"
#include "server/publish/job.h"
#include "server/registry/model_registry.h"
#include "server/report/report.h"

namespace fourfold::rpc {

// Our structs as the messages of fourfold.v1.
void Encode(const publish::Job& job, fourfold::v1::Job& message);
void Encode(const publish::Job& job, fourfold::v1::JobEvent& message);
void Encode(const report::Report& report, fourfold::v1::Comparison& message);
void Encode(const registry::ModelVersion& version, fourfold::v1::DescribeModelResponse& message);

}  // namespace fourfold::rpc
