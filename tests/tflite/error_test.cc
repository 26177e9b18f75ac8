// What is refused, and what the message says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "server/tflite/import.h"
#include "tests/tflite/model_builder.h"

namespace fourfold::tflite {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Type = schema::TensorType;

absl::Status StatusOf(ModelBuilder& b, const graph::ImportLimits& limits = {}) {
  const std::vector<std::byte> file = b.Bytes();
  return Import(file, limits).status();
}

void ExpectInvalid(const absl::Status& status, const std::string& part) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

// relu(x) -> y with the indices that a test wants.
void Relu(ModelBuilder& b, int32_t from, int32_t to) { b.Operator(Code::RELU, {from}, {to}); }

TEST(TfliteErrorTest, OtherBytesAreNoModel) {
  const std::string text = "something else entirely";
  ExpectInvalid(Import(std::as_bytes(std::span(text))).status(), "TFL3");
  ExpectInvalid(Import({}).status(), "TFL3");
}

TEST(TfliteErrorTest, AnotherVersionIsNamed) {
  ModelBuilder b;
  b.version = 2;
  b.Output(b.Input("x", {1}));
  ExpectInvalid(StatusOf(b), "version 2, 3 is wanted");
}

TEST(TfliteErrorTest, AllMissingOperatorsAreNamedAtOnce) {
  ModelBuilder b;
  const int x = b.Input("x", {1}), a = b.Tensor("a", {1}), c = b.Tensor("c", {1}),
            y = b.Tensor("y", {1}), z = b.Tensor("z", {1});
  b.Operator(Code::UNIQUE, {x}, {a});
  b.CustomOperator("MyLayer", {a}, {c});
  b.Operator(Code::RELU, {c}, {y});  // reads what is missing: no error of its own
  b.Operator(Code::UNIQUE, {y}, {z});
  b.Output(z);
  const absl::Status status = StatusOf(b);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("2 operators are not supported"),
                    HasSubstr("UNIQUE (operator 0, tensor 1 \"a\" and 1 more)"),
                    HasSubstr("CUSTOM \"MyLayer\" (operator 1, tensor 2 \"c\")")));
}

TEST(TfliteErrorTest, OptionsThatWeLackAreNamedWithTheOperator) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2, 2}), y = b.Tensor("y", {1, 2});
  b.Operator(Code::GATHER, {x, b.Ints("i", {0})}, {y}, schema::CreateGatherOptions(b.fbb, 1, 1));
  b.Output(y);
  const absl::Status status = StatusOf(b);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("GATHER (batch_dims 1; operator 0"));
}

TEST(TfliteErrorTest, ElementTypesThatWeLackAreNamedWithTheTensor) {
  ModelBuilder b;
  const int x = b.Input("x", {1});
  const int y = b.Tensor("words", {1}, Type::STRING);
  Relu(b, x, y);
  b.Output(y);
  const absl::Status status = StatusOf(b);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"words\" element type STRING"));
}

TEST(TfliteErrorTest, TensorIndicesOutOfRange) {
  for (const int32_t index : {3, 1000000, -2, std::numeric_limits<int32_t>::min()}) {
    ModelBuilder reads, writes, gives;
    Relu(reads, index, reads.Tensor("y", {1}));
    reads.Output(0);
    ExpectInvalid(StatusOf(reads), "operator 0 (RELU");
    Relu(writes, writes.Input("x", {1}), index);
    writes.Output(0);
    ExpectInvalid(StatusOf(writes), "is not there");
    gives.Input("x", {1});
    gives.Output(index);
    ExpectInvalid(StatusOf(gives), "is not there");
  }
}

TEST(TfliteErrorTest, MissingRequiredInputs) {
  ModelBuilder b;
  Relu(b, -1, b.Tensor("y", {1}));
  b.Output(0);
  ExpectInvalid(StatusOf(b), "has 0 inputs, 1 to 1 are wanted");
}

TEST(TfliteErrorTest, ReadingWhatIsWrittenLater) {
  ModelBuilder b;
  b.Input("x", {1});
  const int a = b.Tensor("a", {1}), y = b.Tensor("y", {1});
  Relu(b, a, y);
  Relu(b, 0, a);
  b.Output(y);
  ExpectInvalid(StatusOf(b), "reads tensor 1 \"a\", which nothing before it writes");
}

TEST(TfliteErrorTest, WritingTwiceAndWritingConstants) {
  ModelBuilder twice;
  const int x = twice.Input("x", {1}), y = twice.Tensor("y", {1});
  Relu(twice, x, y);
  Relu(twice, x, y);
  twice.Output(y);
  ExpectInvalid(StatusOf(twice), "which is there already");
  ModelBuilder constant;
  const int c = constant.Floats("c", {1}, {1});
  Relu(constant, constant.Input("x", {1}), c);
  constant.Output(c);
  ExpectInvalid(StatusOf(constant), "which is there already");
}

TEST(TfliteErrorTest, OutputsThatNobodyWrites) {
  ModelBuilder b;
  b.Input("x", {1});
  b.Output(b.Tensor("y", {1}));
  ExpectInvalid(StatusOf(b), "nothing in the model writes its output tensor 1 \"y\"");
  ModelBuilder none;
  none.Input("x", {1});
  ExpectInvalid(StatusOf(none), "no outputs");
}

TEST(TfliteErrorTest, ConstantsOfAnotherSizeThanTheirShape) {
  ModelBuilder b;
  const int c = b.Floats("c", {3}, {1, 2}), y = b.Tensor("y", {3});
  Relu(b, c, y);
  b.Output(y);
  ExpectInvalid(StatusOf(b), "tensor 0 \"c\" holds 8 bytes, float32 [3] wants 12");
}

TEST(TfliteErrorTest, DimensionsAndTheirLimits) {
  ModelBuilder negative;
  negative.Output(negative.Input("x", {1, -7}));
  ExpectInvalid(StatusOf(negative), "has the dimension -7");
  const auto with_elements = [](int32_t elements) {
    ModelBuilder b;
    b.Output(b.Input("x", {elements, 2}));
    return StatusOf(b, {.tensor_elements = 20});
  };
  EXPECT_TRUE(with_elements(10).ok());
  ExpectInvalid(with_elements(11), "at most 20 elements");
  const auto with_rank = [](size_t rank) {
    ModelBuilder b;
    b.Output(b.Input("x", ModelBuilder::Shape(rank, 1)));
    return StatusOf(b, {.rank = 4});
  };
  EXPECT_TRUE(with_rank(4).ok());
  ExpectInvalid(with_rank(5), "5 dimensions, at most 4");
}

TEST(TfliteErrorTest, FilesAndTheirLimits) {
  const auto build = [] {
    ModelBuilder b;
    const int x = b.Input("x", {1}), a = b.Tensor("a", {1}), y = b.Tensor("y", {1});
    Relu(b, x, a);
    Relu(b, a, y);
    b.Output(y);
    return b.Bytes();
  };
  const std::vector<std::byte> file = build();
  EXPECT_TRUE(Import(file, {.file_bytes = file.size()}).ok());
  ExpectInvalid(Import(file, {.file_bytes = file.size() - 1}).status(), "bytes, at most");
  EXPECT_TRUE(Import(file, {.nodes = 2}).ok());
  ExpectInvalid(Import(file, {.nodes = 1}).status(), "2 operators, at most 1");
  ExpectInvalid(Import(file, {.values = 2}).status(), "3 tensors, at most 2");
}

TEST(TfliteErrorTest, QuantizationThatDoesNotFit) {
  const auto with = [](const ModelBuilder::Quantization& how) {
    ModelBuilder b;
    const int x = b.Input("x", {1, 2}, Type::INT8, how), y = b.Tensor("y", {1, 2}, Type::INT8, how);
    Relu(b, x, y);
    b.Output(y);
    return StatusOf(b);
  };
  EXPECT_TRUE(with({{0.5f}, {127}}).ok());
  ExpectInvalid(with({{0.5f}, {128}}), "zero point 128, wanted -128 to 127");
  ExpectInvalid(with({{0.0f}, {0}}), "scale 0");
  ExpectInvalid(with({{-1.0f}, {0}}), "scale -1");
  ExpectInvalid(with({{std::numeric_limits<float>::quiet_NaN()}, {0}}), "scale nan");
  ExpectInvalid(with({{1, 1, 1}, {0, 0, 0}, 1}), "3 scales along dimension 1");
  ExpectInvalid(with({{1, 1}, {0, 0}, 7}), "2 scales along dimension 7");
  EXPECT_EQ(with({{1, 1}, {0, 0}, 1}).code(), absl::StatusCode::kUnimplemented);
}

TEST(TfliteErrorTest, ConvolutionsThatDoNotFit) {
  const auto conv = [](ModelBuilder::Shape filter, int stride, int biases = 0) {
    ModelBuilder b;
    const int x = b.Input("x", {1, 4, 4, 4});
    size_t count = 1;
    for (int32_t dim : filter) count *= static_cast<size_t>(dim);
    const int w = b.Floats("w", filter, std::vector<float>(count, 1.0f));
    const int bias = biases == 0 ? -1 : b.Floats("b", {biases}, std::vector<float>(biases, 0.0f));
    const int y = b.Tensor("y", {});
    b.Operator(Code::CONV_2D, {x, w, bias}, {y},
               schema::CreateConv2DOptions(b.fbb, schema::Padding::SAME, stride, stride));
    b.Output(y);
    return StatusOf(b);
  };
  EXPECT_TRUE(conv({2, 3, 3, 4}, 1).ok());
  ExpectInvalid(conv({2, 3, 3, 4}, 0), "has the stride 0");
  ExpectInvalid(conv({2, 3, 3, 3}, 1), "weights for 3 input channels, the input has 4");
  ExpectInvalid(conv({2, 9, 4}, 1), "has not 4 dimensions");
  ExpectInvalid(conv({2, 3, 3, 4}, 1, 3), "bias of shape [3] for 2 channels");
}

TEST(TfliteErrorTest, OptionsOfAnotherOperator) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2}), y = b.Tensor("y", {1, 2});
  b.Operator(Code::SOFTMAX, {x}, {y}, schema::CreateAddOptions(b.fbb));
  b.Output(y);
  ExpectInvalid(StatusOf(b), "operator 0 (SOFTMAX, tensor 1 \"y\"): lacks its options");
}

}  // namespace
}  // namespace fourfold::tflite
