#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/samples/sample_source.h"

namespace fourfold::samples {

// Lists the arrays of a folder of .npy files.
inline constexpr absl::string_view kSamplesFile = "samples.json";
// The name of the array of labels in an .npz.
inline constexpr absl::string_view kLabels = "labels";

// Sources whose samples are rows of arrays; see SampleSource::Open.
absl::StatusOr<std::unique_ptr<SampleSource>> OpenNpz(const std::string& path,
                                                      const SourceOptions& options);
absl::StatusOr<std::unique_ptr<SampleSource>> OpenSamplesFolder(const std::string& path,
                                                                const SourceOptions& options);

}  // namespace fourfold::samples
