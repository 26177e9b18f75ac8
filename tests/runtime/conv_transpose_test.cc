// ConvTranspose as the pass writes it, a Conv and an interleaving, against its own plain kernel.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "server/graph/infer_shapes.h"
#include "server/passes/passes.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::runtime {
namespace {

using graph::ConvTranspose;
using graph::Graph;
using graph::Shape;
using graph::ValueId;
using testing::Bytes;
using testing::Count;
using testing::FromBytes;
using testing::GraphBuilder;
using testing::ToBytes;

std::vector<float> Computed(const Graph& graph, const std::vector<float>& x) {
  const auto plan = CompilePlan(graph, testing::ShapesWithBatch(graph, 2), {});
  if (!plan.ok()) {
    ADD_FAILURE() << plan.status();
    return {};
  }
  return FromBytes<float>(testing::RunPlan(**plan, {ToBytes(x)})[0]);
}

std::vector<float> Random(int64_t count, std::mt19937& engine) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = std::uniform_real_distribution<float>(-1, 1)(engine);
  return values;
}

struct Form {
  Shape image;    // of space
  Shape weights;  // [I, O/groups, kernel...]
  ConvTranspose conv;
  bool batch_norm = false;
};

// Both ways of computing it give the same numbers; true if there were any.
bool ExpectSame(const Form& form, std::mt19937& engine, const std::string& name) {
  SCOPED_TRACE(name);
  GraphBuilder b;
  Shape shape = {graph::kUnknownDim, form.weights[0]};
  shape.insert(shape.end(), form.image.begin(), form.image.end());
  const ValueId x = b.Input("x", shape);
  const int64_t channels = form.weights[1] * form.conv.groups;
  const ValueId weights =
      b.Constant(form.weights, Random(kernels::ElementCount(form.weights), engine));
  ValueId y = b.Add(form.conv, {x, weights, b.Constant({channels}, Random(channels, engine))});
  if (form.batch_norm) {
    const auto numbers = [&] { return Random(channels, engine); };
    std::vector<float> variance = numbers();
    for (float& v : variance) v = std::fabs(v) + 0.5f;
    y = b.Relu(b.BatchNorm(y, numbers(), numbers(), numbers(), variance));
  }
  b.Output(y, "y");
  Graph graph = b.BuildUnchecked();
  if (!graph::InferShapes(graph).ok()) return false;  // a window that leaves nothing
  Graph optimized = graph;
  const absl::Status status = passes::Optimize(optimized);
  EXPECT_TRUE(status.ok()) << status;
  if (Count<ConvTranspose>(optimized) == 1u) return false;  // zeros would outweigh the weights
  EXPECT_EQ(Count<graph::Conv>(optimized), 1u);
  EXPECT_EQ(Count<graph::Binary>(optimized) + Count<graph::Eltwise>(optimized), 0u);
  shape[0] = 2;
  const std::vector<float> input = Random(kernels::ElementCount(shape), engine);
  if (form.batch_norm) {  // the plain graph has no kernel for a BatchNorm
    EXPECT_TRUE(passes::FoldBatchNorm(graph).ok());
    EXPECT_TRUE(graph::InferShapes(graph).ok());
  }
  const std::vector<float> want = Computed(graph, input), got = Computed(optimized, input);
  EXPECT_EQ(got.size(), want.size());
  for (size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    if (std::fabs(got[i] - want[i]) > 2e-5f * (1.0f + std::fabs(want[i]))) {
      ADD_FAILURE() << "element " << i << ": " << got[i] << ", not " << want[i];
      break;
    }
  }
  return true;
}

std::string NameOf(const Form& form) {
  const graph::Window& w = form.conv.window;
  return "image " + graph::ShapeText(form.image) + " weights " + graph::ShapeText(form.weights) +
         " groups " + std::to_string(form.conv.groups) + " strides " + graph::ShapeText(w.strides) +
         " dilations " + graph::ShapeText(w.dilations) + " pads " + graph::ShapeText(w.pads) +
         " output padding " + graph::ShapeText(form.conv.output_padding) + " auto " +
         std::to_string(static_cast<int>(w.auto_pad)) + " output " +
         graph::ShapeText(form.conv.output_shape);
}

TEST(ConvTransposeTest, TheUsualForms) {
  std::mt19937 engine(1);
  const auto square = [](int64_t kernel, int64_t stride, int64_t pad, int64_t extra) {
    Form form;
    form.image = {5, 6};
    form.weights = {4, 3, kernel, kernel};
    form.conv.window.strides = {stride, stride};
    form.conv.window.pads = {pad, pad, pad, pad};
    form.conv.output_padding = {extra, extra};
    return form;
  };
  for (Form form : {square(2, 2, 0, 0), square(4, 2, 1, 0), square(3, 2, 1, 1), square(3, 1, 1, 0),
                    square(3, 2, 0, 0), square(16, 8, 4, 0), square(1, 2, 0, 1)}) {
    for (const bool batch_norm : {false, true}) {
      form.batch_norm = batch_norm;
      EXPECT_TRUE(ExpectSame(form, engine, NameOf(form)));
    }
  }
}

TEST(ConvTransposeTest, RandomForms) {
  std::mt19937 engine(20261121);
  const auto number = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine);
  };
  int compared = 0;
  for (int i = 0; i < 300; ++i) {
    Form form;
    const size_t space = static_cast<size_t>(number(1, 3));
    form.conv.groups = number(1, 3);
    form.weights = {form.conv.groups * number(1, 3), number(1, 3)};
    graph::Window& w = form.conv.window;
    w.pads.resize(2 * space);
    for (size_t d = 0; d < space; ++d) {
      form.image.push_back(number(1, 6));
      form.weights.push_back(number(1, 4));
      w.strides.push_back(number(1, 4));
      w.dilations.push_back(number(1, 3));
      w.pads[d] = number(0, 3);
      w.pads[d + space] = number(0, 3);
      form.conv.output_padding.push_back(number(0, w.strides[d] - 1));
    }
    if (number(0, 4) == 0) {
      for (size_t d = 0; d < space; ++d) {
        form.conv.output_shape.push_back(form.image[d] * w.strides[d] + number(-1, 2));
        if (form.conv.output_shape.back() < 1) form.conv.output_shape.back() = 1;
      }
    }
    if (number(0, 3) == 0) {
      w.auto_pad = static_cast<graph::AutoPad>(number(1, 3));
      w.pads.clear();
    }
    compared += ExpectSame(form, engine, NameOf(form));
  }
  EXPECT_GT(compared, 150);
}

// What is not known when the pass runs must not matter, or keep the operation as it is.
TEST(ConvTransposeTest, UnknownSizesOfSpace) {
  for (const bool square : {true, false}) {
    GraphBuilder b;
    const int64_t unknown = graph::kUnknownDim;
    const ValueId x = b.Input("x", {unknown, 2, unknown, unknown});
    ConvTranspose conv;
    conv.window.strides = {2, square ? 2 : 3};
    conv.window.pads = {1, 1, 1, 1};
    b.Output(b.Add(conv, {x, b.Varied({2, 3, 3, 3})}), "y");
    Graph graph = b.Build(), optimized = graph;
    ASSERT_TRUE(passes::Optimize(optimized).ok());
    EXPECT_EQ(Count<ConvTranspose>(optimized), square ? 0u : 1u);
    std::mt19937 engine(3);
    const std::vector<float> input = Random(2 * 2 * 2 * 2, engine);
    const std::vector<float> want = Computed(graph, input), got = Computed(optimized, input);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5f);
  }
}

// Phases that have no weight of their own are zeros, which are stored and multiplied.
TEST(ConvTransposeTest, StaysWhereZerosWouldOutweighTheWeights) {
  const auto left = [](std::vector<int64_t> strides, int64_t kernel) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {1, 1, 2, 2});
    ConvTranspose conv;
    conv.window.strides = std::move(strides);
    b.Output(b.Add(conv, {x, b.Varied({1, 1, kernel, kernel})}), "y");
    Graph graph = b.Build();
    EXPECT_TRUE(passes::ExpandConvTranspose(graph).ok());
    return Count<ConvTranspose>(graph);
  };
  EXPECT_EQ(left({4, 4}, 1), 0u);  // 16 times as many
  EXPECT_EQ(left({4, 5}, 1), 1u);
  EXPECT_EQ(left({16, 1}, 1), 0u);
  EXPECT_EQ(left({17, 1}, 1), 1u);
  EXPECT_EQ(left({256, 1}, 256), 0u);
  EXPECT_EQ(left({257, 1}, 257), 1u);
}

// Integers stay integers: the sums of the Conv are those of the ConvTranspose.
TEST(ConvTransposeTest, QuantizedFormIsComputedInIntegers) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 3, 3});
  ConvTranspose conv;
  conv.window.strides = {2, 2};
  std::vector<int> codes;
  for (int i = 0; i < 2 * 3 * 3 * 3; ++i) codes.push_back(i * 37 % 255 - 127);
  const ValueId weights = b.QuantizedWeights({2, 3, 3, 3}, codes, {0.01f, 0.02f, 0.005f}, 1);
  const ValueId y = b.Add(conv, {b.QuantizeDequantize(x, 0.05f, 120), weights});
  b.Output(b.QuantizeDequantize(y, 0.25f, 100), "y");
  Graph graph = b.Build(), optimized = graph;
  ASSERT_TRUE(passes::Optimize(optimized).ok());
  const auto plan = CompilePlan(optimized, testing::ShapesWithBatch(optimized, 1), {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  bool integer = false;
  for (const StepInfo& step : (*plan)->steps()) integer |= step.arithmetic == "int8";
  EXPECT_TRUE(integer);
  std::mt19937 engine(5);
  const std::vector<float> input = Random(2 * 9, engine);
  const auto got = FromBytes<float>(testing::RunPlan(**plan, {ToBytes(input)})[0]);

  // By hand: quantized input times weights, scattered, then quantized.
  const float scales[] = {0.01f, 0.02f, 0.005f};
  std::vector<double> sums(3 * 7 * 7);
  for (int c = 0; c < 2; ++c) {
    for (int i = 0; i < 9; ++i) {
      const float stored = std::nearbyint(input[static_cast<size_t>(c * 9 + i)] / 0.05f);
      for (int o = 0; o < 3; ++o) {
        for (int k = 0; k < 9; ++k) {
          const int row = i / 3 * 2 + k / 3, column = i % 3 * 2 + k % 3;
          sums[static_cast<size_t>((o * 7 + row) * 7 + column)] +=
              stored * static_cast<float>(codes[static_cast<size_t>((c * 3 + o) * 9 + k)]);
        }
      }
    }
  }
  ASSERT_EQ(got.size(), sums.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto multiplier = 0.05f * scales[i / 49] / 0.25f;
    const float code =
        std::clamp(std::nearbyint(static_cast<float>(sums[i]) * multiplier) + 100.0f, 0.0f, 255.0f);
    EXPECT_EQ(got[i], (code - 100.0f) * 0.25f) << i;
  }
}

}  // namespace
}  // namespace fourfold::runtime
