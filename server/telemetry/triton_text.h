#pragma once

#include <map>
#include <string>

#include "server/telemetry/labels.h"
#include "server/telemetry/statistics.h"

namespace fourfold::telemetry {

// The nv_inference_* counters of Triton's metrics (core/src/metrics.cc there: names, help, labels
// model and version, durations in microseconds), with the variant as one more label. Prometheus
// text format 0.0.4.
std::string TritonText(const std::map<VariantLabels, VariantStatistics>& statistics);

}  // namespace fourfold::telemetry
