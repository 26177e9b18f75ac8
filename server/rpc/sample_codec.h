#pragma once

#include "absl/status/statusor.h"
#include "proto/fourfold/v1/variants.pb.h"
#include "server/store/sample_writer.h"
#include "server/store/staging.h"

namespace fourfold::rpc {

// A batch of an upload as the store takes it, checked as far as it can be without the model: types,
// shapes, byte counts, label counts, and that every number is finite. `first` is the index of its
// first sample in the set, for messages. Borrows the bytes of `batch`. INVALID_ARGUMENT.
absl::StatusOr<store::SampleBatch> DecodeSamples(const fourfold::v1::SampleBatch& batch,
                                                 store::SampleSet set, int64_t first);

}  // namespace fourfold::rpc
