#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "tflite/schema_generated.h"

namespace fourfold::tflite {

// Builds small TensorFlow Lite files for tests, tensor by tensor and operator by operator:
//
//   ModelBuilder b;
//   const int x = b.Input("x", {1, 2});
//   const int y = b.Tensor("y", {1, 2});
//   b.Operator(Code::RELU, {x}, {y});
//   b.Output(y);
//   const std::vector<std::byte> file = b.Bytes();
using Code = schema::BuiltinOperator;

struct TensorQuantization {
  std::vector<float> scale;
  std::vector<int64_t> zero_point;
  int axis = 0;
};

class ModelBuilder {
 public:
  using Shape = std::vector<int32_t>;
  using Type = schema::TensorType;
  using Quantization = TensorQuantization;

  flatbuffers::FlatBufferBuilder fbb;  // for options
  uint32_t version = 3;

  // Tensors are numbered from 0; the functions return the number.
  int Tensor(const std::string& name, const Shape& shape, Type type = Type::FLOAT32,
             const Quantization& quantization = {}, const Shape& signature = {},
             bool is_variable = false);
  int Input(const std::string& name, const Shape& shape, Type type = Type::FLOAT32,
            const Quantization& quantization = {}, const Shape& signature = {});
  template <typename T>
  int Constant(const std::string& name, const Shape& shape, Type type, const std::vector<T>& values,
               const Quantization& quantization = {}) {
    const auto bytes = std::as_bytes(std::span(values));
    return AddConstant(name, shape, type, {bytes.begin(), bytes.end()}, quantization);
  }
  int Floats(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    return Constant(name, shape, Type::FLOAT32, values);
  }
  int Ints(const std::string& name, const std::vector<int32_t>& values) {
    return Constant(name, {static_cast<int32_t>(values.size())}, Type::INT32, values);
  }

  void Operator(Code code, const std::vector<int32_t>& inputs, const std::vector<int32_t>& outputs,
                schema::BuiltinOptions options_type = schema::BuiltinOptions::NONE,
                flatbuffers::Offset<void> options = 0);
  // With the options that an operator of that kind has: Operator<schema::AddOptions>(...).
  template <typename Options>
  void Operator(Code code, const std::vector<int32_t>& inputs, const std::vector<int32_t>& outputs,
                flatbuffers::Offset<Options> options) {
    Operator(code, inputs, outputs, schema::BuiltinOptionsTraits<Options>::enum_value,
             options.Union());
  }
  void CustomOperator(const std::string& name, const std::vector<int32_t>& inputs,
                      const std::vector<int32_t>& outputs);
  void Output(int tensor) { outputs_.push_back(tensor); }

  // The file; call once.
  std::vector<std::byte> Bytes();

 private:
  int AddConstant(const std::string& name, const Shape& shape, Type type,
                  const std::vector<std::byte>& bytes, const Quantization& quantization);
  int AddTensor(const std::string& name, const Shape& shape, Type type, uint32_t buffer,
                const Quantization& quantization, const Shape& signature, bool is_variable);

  std::vector<flatbuffers::Offset<schema::Tensor>> tensors_;
  std::vector<flatbuffers::Offset<schema::Operator>> operators_;
  std::vector<flatbuffers::Offset<schema::OperatorCode>> codes_;
  std::vector<flatbuffers::Offset<schema::Buffer>> buffers_ = {};
  std::vector<int32_t> inputs_, outputs_;
};

// The model's only output for float32 inputs (or integer ones, as T says), after all passes.
std::vector<float> Answer(const std::vector<std::byte>& file,
                          const std::vector<std::vector<float>>& inputs, int64_t batch = 1);
template <typename T>
std::vector<T> IntegerAnswer(const std::vector<std::byte>& file, const std::vector<T>& input);

// The graph after all passes; a failed test and an empty graph if the file is refused.
graph::Graph Imported(const std::vector<std::byte>& file);

}  // namespace fourfold::tflite
