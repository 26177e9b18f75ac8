#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/samples/sample_source.h"

namespace fourfold::samples {

// A source of pictures, decoded when read; see SampleSource::Open. A CSV of labels has lines
// file,class with file relative to the folder; a first line whose class is no number is a header.
// Files whose names do not end like a picture's (jpg, jpeg, png, bmp, gif, pgm, ppm) are left out.
absl::StatusOr<std::unique_ptr<SampleSource>> OpenImageFolder(const std::string& path,
                                                              const SourceOptions& options);

}  // namespace fourfold::samples
