#include "server/tools/file_samples.h"

#include "server/base/status_macros.h"

namespace fourfold::tools {
namespace {

using graph::DataType;

DataType TypeOf(samples::DType dtype) {
  switch (dtype) {
    case samples::DType::kFloat16: return DataType::kFloat16;
    case samples::DType::kFloat32: return DataType::kFloat32;
    case samples::DType::kFloat64: return DataType::kFloat64;
    case samples::DType::kInt8: return DataType::kInt8;
    case samples::DType::kInt16: return DataType::kInt16;
    case samples::DType::kInt32: return DataType::kInt32;
    case samples::DType::kInt64: return DataType::kInt64;
    case samples::DType::kUint8: return DataType::kUint8;
    case samples::DType::kUint16: return DataType::kUint16;
    case samples::DType::kUint32: return DataType::kUint32;
    case samples::DType::kUint64: return DataType::kUint64;
    case samples::DType::kBool: return DataType::kBool;
  }
  return DataType::kFloat32;
}

class FileSamples final : public quantize::SampleSet {
 public:
  explicit FileSamples(std::unique_ptr<samples::SampleSource> source) : source_(std::move(source)) {
    for (const samples::SampleInput& input : source_->inputs()) {
      inputs_.push_back({input.name, TypeOf(input.dtype), input.dims});
    }
  }

  int64_t size() const override { return source_->size(); }
  const std::vector<quantize::SampleInput>& inputs() const override { return inputs_; }

  absl::StatusOr<std::vector<std::vector<std::byte>>> Read(int64_t index) const override {
    ASSIGN_OR_RETURN(const samples::Sample sample, source_->Read(index));
    std::vector<std::vector<std::byte>> arrays;
    for (std::span<const std::byte> array : sample.inputs)
      arrays.emplace_back(array.begin(), array.end());
    return arrays;
  }

  std::span<const int64_t> labels() const override {
    if (!source_->labels().has_value()) return {};
    return *source_->labels();
  }

 private:
  const std::unique_ptr<samples::SampleSource> source_;
  std::vector<quantize::SampleInput> inputs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<quantize::SampleSet>> OpenSamples(
    const std::string& path, const samples::SourceOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<samples::SampleSource> source,
                   samples::SampleSource::Open(path, options));
  return std::make_unique<FileSamples>(std::move(source));
}

}  // namespace fourfold::tools
