#include "tests/tflite/model_builder.h"

#include "server/passes/passes.h"
#include "server/tflite/import.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::tflite {

int ModelBuilder::AddTensor(const std::string& name, const Shape& shape, Type type, uint32_t buffer,
                            const Quantization& quantization, const Shape& signature,
                            bool is_variable) {
  flatbuffers::Offset<schema::QuantizationParameters> parameters = 0;
  if (!quantization.scale.empty()) {
    parameters = schema::CreateQuantizationParameters(
        fbb, 0, 0, fbb.CreateVector(quantization.scale), fbb.CreateVector(quantization.zero_point),
        schema::QuantizationDetails::NONE, 0, quantization.axis);
  }
  const auto dims = fbb.CreateVector(shape);
  const flatbuffers::Offset<flatbuffers::Vector<int32_t>> unknown =
      signature.empty() ? 0 : fbb.CreateVector(signature);
  tensors_.push_back(schema::CreateTensor(fbb, dims, type, buffer, fbb.CreateString(name),
                                          parameters, is_variable, 0, unknown, true));
  return static_cast<int>(tensors_.size()) - 1;
}

int ModelBuilder::Tensor(const std::string& name, const Shape& shape, Type type,
                         const Quantization& quantization, const Shape& signature,
                         bool is_variable) {
  return AddTensor(name, shape, type, 0, quantization, signature, is_variable);
}

int ModelBuilder::Input(const std::string& name, const Shape& shape, Type type,
                        const Quantization& quantization, const Shape& signature) {
  inputs_.push_back(AddTensor(name, shape, type, 0, quantization, signature, false));
  return inputs_.back();
}

int ModelBuilder::AddConstant(const std::string& name, const Shape& shape, Type type,
                              const std::vector<std::byte>& bytes,
                              const Quantization& quantization) {
  buffers_.push_back(schema::CreateBuffer(
      fbb, fbb.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size())));
  const auto buffer = static_cast<uint32_t>(buffers_.size());  // behind the empty one
  return AddTensor(name, shape, type, buffer, quantization, {}, false);
}

void ModelBuilder::Operator(Code code, const std::vector<int32_t>& inputs,
                            const std::vector<int32_t>& outputs,
                            schema::BuiltinOptions options_type,
                            flatbuffers::Offset<void> options) {
  const auto index = static_cast<uint32_t>(codes_.size());
  const int small = std::min<int>(static_cast<int>(code), 127);
  codes_.push_back(schema::CreateOperatorCode(fbb, static_cast<int8_t>(small), 0, 1, code));
  const auto in = fbb.CreateVector(inputs), out = fbb.CreateVector(outputs);
  operators_.push_back(schema::CreateOperator(fbb, index, in, out, options_type, options));
}

void ModelBuilder::CustomOperator(const std::string& name, const std::vector<int32_t>& inputs,
                                  const std::vector<int32_t>& outputs) {
  const auto index = static_cast<uint32_t>(codes_.size());
  codes_.push_back(schema::CreateOperatorCode(fbb, static_cast<int8_t>(Code::CUSTOM),
                                              fbb.CreateString(name), 1, Code::CUSTOM));
  const auto in = fbb.CreateVector(inputs), out = fbb.CreateVector(outputs);
  operators_.push_back(schema::CreateOperator(fbb, index, in, out));
}

std::vector<std::byte> ModelBuilder::Bytes() {
  buffers_.insert(buffers_.begin(), schema::CreateBuffer(fbb));
  const auto subgraph = schema::CreateSubGraph(
      fbb, fbb.CreateVector(tensors_), fbb.CreateVector(inputs_), fbb.CreateVector(outputs_),
      fbb.CreateVector(operators_), fbb.CreateString("main"));
  const auto subgraphs = fbb.CreateVector(&subgraph, 1);
  schema::FinishModelBuffer(
      fbb, schema::CreateModel(fbb, version, fbb.CreateVector(codes_), subgraphs,
                               fbb.CreateString("test"), fbb.CreateVector(buffers_)));
  const auto* begin = reinterpret_cast<const std::byte*>(fbb.GetBufferPointer());
  return {begin, begin + fbb.GetSize()};
}

graph::Graph Imported(const std::vector<std::byte>& file) {
  absl::StatusOr<graph::Graph> graph = Import(file);
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  const absl::Status optimized = passes::Optimize(*graph);
  EXPECT_TRUE(optimized.ok()) << optimized;
  return *std::move(graph);
}

std::vector<float> Answer(const std::vector<std::byte>& file,
                          const std::vector<std::vector<float>>& inputs, int64_t batch) {
  const graph::Graph graph = Imported(file);
  if (graph.outputs.empty()) return {};
  return testing::RunFloat(graph, inputs, batch);
}

template <typename T>
std::vector<T> IntegerAnswer(const std::vector<std::byte>& file, const std::vector<T>& input) {
  const graph::Graph graph = Imported(file);
  if (graph.outputs.empty()) return {};
  const auto plan = testing::Compile(graph);
  if (plan == nullptr) return {};
  return testing::FromBytes<T>(testing::RunPlan(*plan, {testing::ToBytes(input)})[0]);
}
template std::vector<int8_t> IntegerAnswer(const std::vector<std::byte>&,
                                           const std::vector<int8_t>&);
template std::vector<uint8_t> IntegerAnswer(const std::vector<std::byte>&,
                                            const std::vector<uint8_t>&);

}  // namespace fourfold::tflite
