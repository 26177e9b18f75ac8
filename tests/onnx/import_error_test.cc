#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/onnx/model_builder.h"

namespace fourfold::onnx {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void ExpectError(const absl::Status& status, absl::StatusCode code,
                 const ::testing::Matcher<std::string>& message) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), message);
}

void ExpectInvalid(const ModelBuilder& builder, const ::testing::Matcher<std::string>& message,
                   const ImportLimits& limits = {}) {
  ExpectError(builder.Import(limits).status(), absl::StatusCode::kInvalidArgument, message);
}

void ExpectUnimplemented(const ModelBuilder& builder,
                         const ::testing::Matcher<std::string>& message) {
  ExpectError(builder.Import().status(), absl::StatusCode::kUnimplemented, message);
}

// x [2, 3] -> Relu -> y
ModelBuilder ReluModel(int64_t opset = 13) {
  ModelBuilder builder(opset);
  builder.Input("x", {2, 3});
  builder.Node("Relu", {"x"}, {"y"}, "relu");
  builder.Output("y");
  return builder;
}

TEST(ImportErrorTest, EmptyFile) {
  ExpectError(ImportBytes("").status(), absl::StatusCode::kInvalidArgument, HasSubstr("empty"));
}

TEST(ImportErrorTest, Garbage) {
  ExpectError(ImportBytes("\xff\xff\xff\xffnot a model").status(),
              absl::StatusCode::kInvalidArgument, HasSubstr("not a valid ONNX model"));
}

TEST(ImportErrorTest, TruncatedAnywhere) {
  const std::string bytes = ReluModel().Bytes();
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_EQ(ImportBytes(bytes.substr(0, size)).status().code(),
              absl::StatusCode::kInvalidArgument)
        << "cut to " << size << " of " << bytes.size() << " bytes";
  }
}

TEST(ImportErrorTest, FileOfTheLimitIsReadAndOneByteMoreIsNot) {
  const ModelBuilder builder = ReluModel();
  EXPECT_TRUE(builder.Import({.file_bytes = builder.Bytes().size()}).ok());
  ExpectInvalid(builder, HasSubstr("bytes, at most"), {.file_bytes = builder.Bytes().size() - 1});
}

TEST(ImportErrorTest, NodesOverTheLimit) {
  ModelBuilder builder = ReluModel();
  EXPECT_TRUE(builder.Import({.nodes = 1}).ok());
  builder.Node("Relu", {"y"}, {"z"});
  ExpectInvalid(builder, HasSubstr("more than 1 nodes"), {.nodes = 1});
}

TEST(ImportErrorTest, ValuesOverTheLimit) {
  EXPECT_TRUE(ReluModel().Import({.values = 2}).ok());
  ExpectInvalid(ReluModel(), HasSubstr("more than 1 values"), {.values = 1});
}

TEST(ImportErrorTest, NameOfAnInputOverTheLimit) {
  ModelBuilder builder;
  builder.Input("1234", {2, 3});
  builder.Node("Relu", {"1234"}, {"y"}, "relu");
  builder.Output("y");
  EXPECT_TRUE(builder.Import({.name_bytes = 4}).ok());
  ExpectInvalid(builder, AllOf(HasSubstr("\"1234\""), HasSubstr("at most 3 bytes")),
                {.name_bytes = 3});
}

TEST(ImportErrorTest, NameOfAnOutputThatIsNoText) {
  ModelBuilder builder;
  builder.Input("x", {2, 3});
  builder.Node("Relu", {"x"}, {"\xff"}, "relu");
  builder.Output("\xff");
  ExpectInvalid(builder, HasSubstr("\"\\377\" is not UTF-8"));
}

TEST(ImportErrorTest, OtherNamesAreMadePresentable) {
  ModelBuilder builder;
  builder.Input("x", {2, 3});
  builder.Node("Relu", {"x"}, {"\xff"}, "relu\n");
  builder.Node("Relu", {"\xff"}, {"y"}, std::string(1000, 'n'));
  builder.Output("y");
  const auto graph = builder.Import();
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes[0].name, "relu\\n");
  EXPECT_EQ(graph->value(graph->nodes[0].outputs[0]).name, "\\377");
  EXPECT_EQ(graph->nodes[1].name, std::string(256, 'n') + "...");
}

TEST(ImportErrorTest, PartsThatDoNotAddUp) {
  ModelBuilder builder;
  builder.Input("x", {6, 2});
  builder.Int64s("sizes", {2, 3});
  builder.Node("Relu", {"x"}, {"r"}, "relu");
  builder.Node("Split", {"r", "sizes"}, {"y", "z"}, "parts");
  builder.Output("y");
  ExpectInvalid(builder, AllOf(HasSubstr("\"parts\""), HasSubstr("add up to 5")));
}

TEST(ImportErrorTest, UnevenPartsBeforeOpset18) {
  for (const int64_t opset : {13, 18}) {
    ModelBuilder builder(opset);
    builder.Input("x", {5, 2});
    auto& split = builder.Node("Split", {"x"}, {"y", "z"}, "parts");
    if (opset >= 18) AddInt(split, "num_outputs", 2);
    builder.Output("y");
    EXPECT_EQ(builder.Import().ok(), opset >= 18) << builder.Import().status();
  }
}

TEST(ImportErrorTest, RankOverTheLimit) {
  EXPECT_TRUE(ReluModel().Import({.rank = 2}).ok());
  ExpectInvalid(ReluModel(), AllOf(HasSubstr("\"x\""), HasSubstr("2 dimensions, at most 1")),
                {.rank = 1});
}

TEST(ImportErrorTest, ElementsOverTheLimit) {
  EXPECT_TRUE(ReluModel().Import({.tensor_elements = 6}).ok());
  ExpectInvalid(ReluModel(), HasSubstr("at most 5 elements"), {.tensor_elements = 5});
}

TEST(ImportErrorTest, DimensionsWhoseProductOverflows) {
  ModelBuilder builder;
  builder.Input("x", {1});
  auto& tensor = *builder.graph().add_initializer();
  tensor.set_name("huge");
  tensor.set_data_type(::onnx::TensorProto::FLOAT);
  for (int i = 0; i < 4; ++i) tensor.add_dims(int64_t{1} << 40);
  tensor.set_raw_data("1234");
  builder.Node("Add", {"x", "huge"}, {"y"});
  builder.Output("y");
  ExpectInvalid(builder, AllOf(HasSubstr("\"huge\""), HasSubstr("elements are allowed")));
}

TEST(ImportErrorTest, TensorWhoseDataIsNotAsLongAsItsShape) {
  ModelBuilder builder;
  builder.Input("x", {3});
  builder.Floats("w", {3}, {1, 2});
  builder.Node("Add", {"x", "w"}, {"y"});
  builder.Output("y");
  ExpectInvalid(builder, AllOf(HasSubstr("\"w\""), HasSubstr("2 elements"), HasSubstr("wants 3")));
}

TEST(ImportErrorTest, DataInAnotherFile) {
  ModelBuilder builder;
  builder.Input("x", {3});
  builder.Floats("w", {3}, {});
  auto& tensor = *builder.graph().mutable_initializer(0);
  tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
  auto& entry = *tensor.add_external_data();
  entry.set_key("location");
  entry.set_value("/etc/passwd");
  builder.Node("Add", {"x", "w"}, {"y"});
  builder.Output("y");
  ExpectInvalid(builder, AllOf(HasSubstr("\"w\""), HasSubstr("another file")));
}

TEST(ImportErrorTest, Strings) {
  ModelBuilder builder;
  builder.Input("x", {3}, ::onnx::TensorProto::STRING);
  builder.Node("Identity", {"x"}, {"y"});
  builder.Output("y");
  ExpectUnimplemented(builder, AllOf(HasSubstr("\"x\""), HasSubstr("STRING")));
}

TEST(ImportErrorTest, SequencesAreNotTensors) {
  ModelBuilder builder = ReluModel();
  builder.graph().mutable_input(0)->mutable_type()->mutable_sequence_type();
  ExpectUnimplemented(builder, AllOf(HasSubstr("\"x\""), HasSubstr("not a tensor")));
}

TEST(ImportErrorTest, NoOpset) {
  ModelBuilder builder = ReluModel();
  builder.model().clear_opset_import();
  ExpectInvalid(builder, HasSubstr("no opset"));
}

TEST(ImportErrorTest, OpsetsOutsideOfTheRange) {
  EXPECT_TRUE(ReluModel(7).Import().ok());
  EXPECT_TRUE(ReluModel(22).Import().ok());
  ExpectUnimplemented(ReluModel(5), HasSubstr("Relu (opset 5"));
  ExpectUnimplemented(ReluModel(23), HasSubstr("opset 23, 1 to 22"));
}

TEST(ImportErrorTest, NoGraph) {
  ModelBuilder builder;
  builder.model().clear_graph();
  ExpectInvalid(builder, HasSubstr("no graph"));
}

TEST(ImportErrorTest, NoOutputs) {
  ModelBuilder builder = ReluModel();
  builder.graph().clear_output();
  ExpectInvalid(builder, HasSubstr("no outputs"));
}

TEST(ImportErrorTest, OutputThatNothingWrites) {
  ModelBuilder builder = ReluModel();
  builder.Output("lost");
  ExpectInvalid(builder, HasSubstr("\"lost\""));
}

TEST(ImportErrorTest, InputThatNothingWrites) {
  ModelBuilder builder = ReluModel();
  builder.Node("Add", {"y", "lost"}, {"z"}, "adder");
  ExpectInvalid(builder, AllOf(HasSubstr("\"adder\""), HasSubstr("\"lost\"")));
}

TEST(ImportErrorTest, RequiredInputMissing) {
  ModelBuilder builder = ReluModel();
  builder.Node("Add", {"y"}, {"z"}, "adder");
  ExpectInvalid(builder, AllOf(HasSubstr("\"adder\""), HasSubstr("1 inputs")));
}

TEST(ImportErrorTest, TwoNodesWriteOneValue) {
  ModelBuilder builder = ReluModel();
  builder.Node("Abs", {"x"}, {"y"});
  ExpectInvalid(builder, HasSubstr("two nodes write \"y\""));
}

TEST(ImportErrorTest, NodeWritesAnInput) {
  ModelBuilder builder = ReluModel();
  builder.Node("Abs", {"y"}, {"x"});
  EXPECT_EQ(builder.Import().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ImportErrorTest, Cycle) {
  ModelBuilder builder = ReluModel();
  builder.Node("Add", {"y", "b"}, {"a"}, "first");
  builder.Node("Abs", {"a"}, {"b"}, "second");
  ExpectInvalid(builder, AllOf(HasSubstr("cycle"), HasSubstr("\"first\"")));
}

TEST(ImportErrorTest, RequiredAttributeMissing) {
  ModelBuilder builder = ReluModel();
  builder.Node("Concat", {"y", "y"}, {"z"}, "join");
  ExpectInvalid(builder, AllOf(HasSubstr("\"join\""), HasSubstr("\"axis\" is missing")));
}

TEST(ImportErrorTest, AttributeOfAnotherKind) {
  ModelBuilder builder = ReluModel();
  AddFloat(builder.Node("Concat", {"y", "y"}, {"z"}, "join"), "axis", 1.0f);
  ExpectInvalid(builder, AllOf(HasSubstr("\"join\""), HasSubstr("FLOAT, not INT")));
}

TEST(ImportErrorTest, NodesThatDoNotFitTheirInputs) {
  ModelBuilder builder;
  builder.Input("x", {2, 3});
  builder.Floats("w", {4, 5}, std::vector<float>(20, 1.0f));
  builder.Node("MatMul", {"x", "w"}, {"y"}, "product");
  builder.Output("y");
  ExpectInvalid(builder, HasSubstr("product"));
}

TEST(ImportErrorTest, EveryOperatorWeLackIsNamedAtOnce) {
  ModelBuilder builder = ReluModel();
  builder.Node("Imagine", {"y", "y", "y"}, {"z"}, "imagine_1");
  builder.Node("Imagine", {"y", "y", "y"}, {"z2"}, "imagine_2");
  builder.Node("Guess", {"y"}, {"z3"}, "guess");
  builder.Node("Gemm", {"y"}, {"z4"}, "gemm").set_domain("org.example");
  builder.Node("Abs", {"z"}, {"z5"});
  ExpectUnimplemented(builder, AllOf(HasSubstr("3 operators are not supported: "),
                                     HasSubstr("Imagine (opset 13; node \"imagine_1\" and 1 more)"),
                                     HasSubstr("Guess (opset 13; node \"guess\")"),
                                     HasSubstr("org.example.Gemm (node \"gemm\")")));
}

TEST(ImportErrorTest, AttributeValuesWeLackAreNamedWithTheirNode) {
  ModelBuilder builder;
  builder.Input("x", {1, 1, 2, 2});
  builder.Floats("scales", {4}, {1, 1, 2, 2});
  auto& node = builder.Node("Resize", {"x", "", "scales"}, {"y"}, "up");
  AddString(node, "mode", "quintic");
  builder.Output("y");
  ExpectUnimplemented(builder,
                      HasSubstr("1 operator is not supported: Resize (opset 13; mode \"quintic\"; "
                                "node \"up\")"));
}

TEST(ImportErrorTest, AttributesWeDoNotKnowAreNotIgnored) {
  ModelBuilder builder = ReluModel();
  AddInt(builder.Node("Abs", {"y"}, {"z"}, "abs"), "twist", 1);
  ExpectUnimplemented(builder, AllOf(HasSubstr("attribute \"twist\""), HasSubstr("\"abs\"")));
}

TEST(ImportErrorTest, SecondOutputThatSomebodyReads) {
  ModelBuilder builder;
  builder.Input("x", {1, 1, 4, 4});
  builder.Floats("p", {1}, {1});
  builder.Node("BatchNormalization", {"x", "p", "p", "p", "p"}, {"y", "mean"}, "norm");
  builder.Output("y");
  EXPECT_TRUE(builder.Import().ok()) << builder.Import().status();
  builder.Output("mean");
  ExpectUnimplemented(builder, AllOf(HasSubstr("output 1"), HasSubstr("\"norm\"")));
}

TEST(ImportErrorTest, MessagesInMessagesWithoutEnd) {
  // Attribute -> graph -> node -> attribute -> ...: the parser's stack stays bounded.
  ::onnx::NodeProto node;
  for (int i = 0; i < 400; ++i) {
    ::onnx::NodeProto outer;
    *outer.add_attribute()->mutable_g()->add_node() = node;
    node = outer;
  }
  ModelBuilder builder = ReluModel();
  *builder.graph().add_node() = node;
  ExpectInvalid(builder, HasSubstr("nest deeper"));
}

}  // namespace
}  // namespace fourfold::onnx
