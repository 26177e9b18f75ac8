#pragma once

#include <string>
#include <vector>

#include "server/quantize/samples.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::testing {

// Samples held in memory: one array, or several under their names.
class VectorSamples final : public quantize::SampleSet {
 public:
  struct Array {
    quantize::SampleInput input;
    std::vector<Bytes> samples;
  };

  VectorSamples() = default;
  VectorSamples(const std::string& name, const graph::Shape& shape,
                const std::vector<std::vector<float>>& samples) {
    Add(name, shape, samples);
  }

  VectorSamples& Add(const std::string& name, const graph::Shape& shape,
                     const std::vector<std::vector<float>>& samples) {
    inputs_.push_back({name, graph::DataType::kFloat32, shape});
    auto& array = arrays_.emplace_back();
    for (const auto& sample : samples) array.push_back(ToBytes(sample));
    return *this;
  }
  VectorSamples& Labels(std::vector<int64_t> labels) {
    labels_ = std::move(labels);
    return *this;
  }
  VectorSamples& Type(graph::DataType type) {
    inputs_.back().type = type;
    return *this;
  }

  int64_t size() const override {
    return arrays_.empty() ? 0 : static_cast<int64_t>(arrays_[0].size());
  }
  const std::vector<quantize::SampleInput>& inputs() const override { return inputs_; }
  absl::StatusOr<std::vector<std::vector<std::byte>>> Read(int64_t index) const override {
    std::vector<std::vector<std::byte>> sample;
    for (const auto& array : arrays_) sample.push_back(array[static_cast<size_t>(index)]);
    return sample;
  }
  std::span<const int64_t> labels() const override { return labels_; }

 private:
  std::vector<quantize::SampleInput> inputs_;
  std::vector<std::vector<Bytes>> arrays_;
  std::vector<int64_t> labels_;
};

// `count` samples of uniform numbers.
inline VectorSamples UniformSamples(const std::string& name, const graph::Shape& shape,
                                    size_t count, uint32_t seed) {
  std::vector<std::vector<float>> samples;
  for (size_t i = 0; i < count; ++i) {
    samples.push_back(
        Uniform(static_cast<size_t>(graph::ElementCount(shape)), seed + static_cast<uint32_t>(i)));
  }
  return {name, shape, samples};
}

}  // namespace fourfold::testing
