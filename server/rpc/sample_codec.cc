#include "server/rpc/sample_codec.h"

#include <cmath>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/rpc/datatype.h"

namespace fourfold::rpc {
namespace {

using graph::DataType;

constexpr int kRankMax = 8;

// Index of the first element that is NaN or infinite, -1 for none.
template <typename T, typename Test>
int64_t FirstBad(absl::string_view bytes, Test bad) {
  for (size_t offset = 0; offset < bytes.size(); offset += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    if (bad(value)) return static_cast<int64_t>(offset / sizeof(T));
  }
  return -1;
}

int64_t FirstNotFinite(DataType type, absl::string_view bytes) {
  switch (type) {
    case DataType::kFloat32:
      return FirstBad<float>(bytes, [](float v) { return !std::isfinite(v); });
    case DataType::kFloat64:
      return FirstBad<double>(bytes, [](double v) { return !std::isfinite(v); });
    case DataType::kFloat16:
      return FirstBad<uint16_t>(bytes, [](uint16_t v) { return (v & 0x7c00) == 0x7c00; });
    default: return -1;
  }
}

absl::StatusOr<store::SampleTensor> DecodeTensor(const fourfold::v1::SampleTensor& tensor,
                                                 const std::string& where, int64_t first) {
  const auto wrong = [&](auto&&... what) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", what...));
  };
  const std::optional<DataType> type = DatatypeNamed(tensor.datatype());
  const std::optional<absl::string_view> descr = type ? NumpyDescr(*type) : std::nullopt;
  if (!descr) {
    return wrong("got datatype \"",
                 absl::CHexEscape(absl::string_view(tensor.datatype()).substr(0, 32)),
                 "\", wanted BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32 or FP64");
  }
  const graph::Shape shape(tensor.shape().begin(), tensor.shape().end());
  if (shape.empty() || shape.size() > kRankMax + 1 || shape[0] < 1) {
    return wrong("got shape [", absl::StrJoin(shape, ","),
                 "], wanted the number of samples first, then at most ", kRankMax, " dimensions");
  }
  const std::optional<int64_t> bytes = CheckedBytes(*type, shape);
  if (!bytes || *bytes == 0 || static_cast<int64_t>(tensor.raw().size()) != *bytes) {
    return wrong("got ", tensor.raw().size(), " bytes, wanted ",
                 bytes ? absl::StrCat(*bytes) : "fewer", " for ", tensor.datatype(), " [",
                 absl::StrJoin(shape, ","), "]");
  }
  if (const int64_t bad = FirstNotFinite(*type, tensor.raw()); bad >= 0) {
    const int64_t per_sample = *CheckedCount(shape) / shape[0];
    return wrong("element ", bad % per_sample, " of sample ", first + bad / per_sample,
                 " is NaN or infinite, wanted finite numbers");
  }
  return store::SampleTensor{tensor.name(), std::string(*descr),
                             graph::Shape(shape.begin() + 1, shape.end()), tensor.raw()};
}

}  // namespace

absl::StatusOr<store::SampleBatch> DecodeSamples(const fourfold::v1::SampleBatch& batch,
                                                 store::SampleSet set, int64_t first) {
  const bool calibration = set == store::SampleSet::kCalibration;
  const std::string where =
      absl::StrCat(calibration ? "calibration" : "evaluation", " samples from sample ", first);
  if (batch.tensors_size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": got no tensor, wanted one for each input of the model"));
  }
  store::SampleBatch decoded;
  for (const auto& tensor : batch.tensors()) {
    const std::string here =
        absl::StrCat(where, ": tensor \"",
                     absl::CHexEscape(absl::string_view(tensor.name()).substr(0, 128)), "\"");
    ASSIGN_OR_RETURN(store::SampleTensor one, DecodeTensor(tensor, here, first));
    if (decoded.tensors.empty()) {
      decoded.count = tensor.shape(0);
    } else if (tensor.shape(0) != decoded.count) {
      return absl::InvalidArgumentError(absl::StrCat(here, ": got ", tensor.shape(0),
                                                     " samples, wanted ", decoded.count,
                                                     " as in the batch's first tensor"));
    }
    decoded.tensors.push_back(std::move(one));
  }
  if (batch.labels_size() > 0) {
    if (calibration) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": got labels, wanted them with evaluation samples only"));
    }
    if (batch.labels_size() != decoded.count) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": got ", batch.labels_size(),
                                                     " labels, wanted ", decoded.count,
                                                     ", one per sample"));
    }
    for (int i = 0; i < batch.labels_size(); ++i) {
      if (batch.labels(i) >= 0) continue;
      return absl::InvalidArgumentError(absl::StrCat(where, ": label of sample ", first + i, " is ",
                                                     batch.labels(i),
                                                     ", wanted a class index from 0"));
    }
    decoded.labels.assign(batch.labels().begin(), batch.labels().end());
  }
  return decoded;
}

}  // namespace fourfold::rpc
