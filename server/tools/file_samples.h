#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "client/samples/sample_source.h"
#include "server/quantize/samples.h"

namespace fourfold::tools {

// Samples of a path on disk (see samples::SampleSource) as the quantizer wants them. Owns the
// source.
absl::StatusOr<std::unique_ptr<quantize::SampleSet>> OpenSamples(
    const std::string& path, const samples::SourceOptions& options);

}  // namespace fourfold::tools
