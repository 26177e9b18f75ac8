// Every kind of small net in every precision: engines agree, the quantized forms answer like the
// float one, and an answer does not depend on its batchmates.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "server/passes/passes.h"
#include "server/quantize/calibrate.h"
#include "server/quantize/precision.h"
#include "tests/quantize/vector_samples.h"

namespace fourfold::runtime {
namespace {

using fourfold::testing::Bytes;
using fourfold::testing::Compile;
using fourfold::testing::FromBytes;
using fourfold::testing::GraphBuilder;
using fourfold::testing::RunPlan;
using fourfold::testing::ToBytes;
using fourfold::testing::Uniform;
using graph::Graph;
using graph::Shape;
using graph::ValueId;

struct Net {
  std::string name;
  Shape sample;  // input "x" without its batch
  std::function<void(GraphBuilder&, ValueId)> build;
  double least_db = 25;  // of the int8 form against float32
};

// Reproducible weights of about unit gain.
ValueId Weights(GraphBuilder& b, const Shape& shape, uint32_t seed) {
  const auto count = static_cast<size_t>(graph::ElementCount(shape));
  const float gain = 2.0f / std::sqrt(static_cast<float>(count) / static_cast<float>(shape[0]));
  return b.Constant(shape, Uniform(count, seed, -gain, gain));
}

ValueId Conv(GraphBuilder& b, ValueId x, int64_t in, int64_t out, int64_t kernel, uint32_t seed,
             kernels::Activation::Kind activation = kernels::Activation::Kind::kNone,
             int64_t groups = 1, int64_t stride = 1) {
  graph::Conv conv;
  conv.window.pads = std::vector<int64_t>(4, kernel / 2);
  conv.window.strides = {stride, stride};
  conv.groups = groups;
  conv.activation = {activation, activation == kernels::Activation::Kind::kLeakyRelu ? 0.1f : 0.0f,
                     6.0f};
  const ValueId bias = b.Constant({out}, Uniform(static_cast<size_t>(out), seed + 99, -0.2f, 0.2f));
  return b.Conv(x, Weights(b, {out, in / groups, kernel, kernel}, seed), bias, conv);
}

using Kind = kernels::Activation::Kind;

const std::vector<Net>& Nets() {
  static const auto& nets = *new std::vector<Net>{
      {"ConvPoolConv",
       {3, 8, 8},
       [](GraphBuilder& b, ValueId x) {
         ValueId y = Conv(b, x, 3, 8, 3, 1, Kind::kRelu);
         b.Output(Conv(b, b.MaxPool(y, {2, 2}, {2, 2}), 8, 5, 3, 2));
       }},
      {"Residual",
       {4, 6, 6},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 4, 8, 3, 1, Kind::kRelu);
         const ValueId z = Conv(b, y, 8, 8, 3, 2);
         b.Output(Conv(b, b.Relu(b.Sum(z, y)), 8, 4, 1, 3));
       }},
      {"ConcatOfDifferentScales",
       {3, 6, 6},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 3, 4, 3, 1, Kind::kRelu);
         const ValueId z = b.Product(Conv(b, x, 3, 3, 1, 2), b.Scalar(0.3f));
         b.Output(Conv(b, b.Concat({y, z, x}, 1), 10, 4, 1, 3));
       },
       22},
      {"DepthwiseSeparableRelu6",
       {8, 9, 9},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 8, 8, 3, 1, Kind::kClip, 8, 2);
         b.Output(Conv(b, y, 8, 16, 1, 2, Kind::kClip));
       }},
      {"GroupedOddChannels",
       {6, 5, 7},
       [](GraphBuilder& b, ValueId x) {
         b.Output(Conv(b, Conv(b, x, 6, 9, 3, 1, Kind::kLeakyRelu, 3), 9, 3, 1, 2));
       }},
      {"SqueezeAndExcite",
       {8, 5, 5},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 8, 8, 3, 1, Kind::kRelu);
         const ValueId s = b.Sigmoid(Conv(b, b.GlobalAveragePool(y), 8, 8, 1, 2));
         b.Output(Conv(b, b.Product(y, s), 8, 4, 1, 3));
       }},
      {"HardSwishMeanOverSpaceDense",
       {4, 6, 6},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 4, 12, 3, 1, Kind::kHardSwish);
         graph::Reduce mean;
         mean.axes = {2, 3};
         mean.keep_dims = false;
         b.Output(
             b.MatMul(b.Add(mean, {y}), Weights(b, {12, 7}, 2), b.Constant({7}, Uniform(7, 3))));
       },
       20},
      {"FlattenDenseSoftmax",
       {3, 4, 4},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 3, 5, 3, 1, Kind::kSigmoid);
         b.Output(b.Softmax(b.MatMul(b.Flatten(y), Weights(b, {80, 6}, 2))));
       }},
      {"SliceTransposeReshape",
       {4, 6, 4},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 4, 6, 3, 1, Kind::kTanh);
         const ValueId back = b.Add(graph::Slice{}, {y, b.Integers({-1, 1}), b.Integers({-9, 5}),
                                                     b.Integers({3, 1}), b.Integers({-2, 2})});
         const ValueId moved = b.Reshape(b.Transpose(back, {0, 2, 3, 1}), {0, -1});  // 6 * 2 * 2
         b.Output(b.MatMul(moved, Weights(b, {24, 5}, 2)));
       }},
      {"GatherPadResize",
       {4, 4, 4},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 4, 4, 1, 1);
         const ValueId picked = b.Add(graph::Gather{1}, {y, b.Integers({3, 0, -2})});
         const ValueId padded =
             b.Add(graph::Pad{}, {picked, b.Integers({0, 0, 1, 0, 0, 0, 0, 2}), b.Scalar(0.5f)});
         graph::Resize resize;
         resize.coordinates = graph::Resize::Coordinates::kAsymmetric;
         resize.nearest = graph::Resize::Nearest::kFloor;
         const ValueId large = b.Add(resize, {padded, b.Constant({4}, {1, 1, 2, 2})});
         b.Output(Conv(b, large, 3, 4, 3, 2));
       }},
      {"LinearResizeAndAveragePool",
       {3, 5, 5},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 3, 6, 3, 1, Kind::kSwish);
         graph::Resize resize;
         resize.mode = graph::Resize::Mode::kLinear;
         const ValueId large = b.Add(resize, {y, b.Constant({4}, {1, 1, 2, 2})});
         graph::Pool pool;
         pool.kind = graph::Pool::Kind::kAverage;
         pool.window = {{3, 3}, {2, 2}, {}, {1, 1, 1, 1}, graph::AutoPad::kExplicit};
         b.Output(Conv(b, b.Add(pool, {large}), 6, 4, 1, 2, Kind::kElu));
       }},
      {"AttentionLike",
       {5, 8},
       [](GraphBuilder& b, ValueId x) {
         const ValueId q = b.MatMul(x, Weights(b, {8, 8}, 1));
         const ValueId k = b.MatMul(x, Weights(b, {8, 8}, 2));
         const ValueId v = b.MatMul(x, Weights(b, {8, 8}, 3));
         const ValueId scores = b.Softmax(b.MatMul(q, b.Transpose(k, {0, 2, 1})));
         b.Output(b.MatMul(b.MatMul(scores, v), Weights(b, {8, 4}, 4)));
       },
       20},
      {"OnePixelConvs",
       {16, 1, 1},
       [](GraphBuilder& b, ValueId x) {
         b.Output(Conv(b, Conv(b, x, 16, 9, 1, 1, Kind::kRelu), 9, 10, 1, 2));
       }},
      {"OneDimension",
       {4, 17},
       [](GraphBuilder& b, ValueId x) {
         graph::Conv conv;
         conv.window.pads = {2, 2};
         conv.window.dilations = {2};
         b.Output(b.Conv(x, Weights(b, {6, 4, 3}, 1), GraphBuilder::kNone, conv));
       }},
      {"WithAnInputThatIsAnOutputOfIntegers",
       {3, 5, 5},
       [](GraphBuilder& b, ValueId x) {
         const ValueId y = Conv(b, x, 3, 4, 3, 1, Kind::kRelu);
         b.Output(Conv(b, y, 4, 4, 3, 2)).Output(y);
       }},
  };
  return nets;
}

enum class Form { kFloat32, kFloat16, kHybrid, kInt8 };

Graph MakeFloat(const Net& net) {
  GraphBuilder b;
  Shape shape = net.sample;
  shape.insert(shape.begin(), graph::kUnknownDim);
  net.build(b, b.Input("x", shape));
  Graph graph = b.Build();
  EXPECT_TRUE(passes::Optimize(graph, {.fuse_residuals = false}).ok());
  return graph;
}

Graph Make(const Net& net, Form form) {
  Graph graph = MakeFloat(net);
  if (form == Form::kFloat16) graph = quantize::ToFloat16(graph, nullptr);
  if (form == Form::kHybrid) graph = quantize::ToHybrid(graph);
  if (form == Form::kInt8) {
    const auto samples = fourfold::testing::UniformSamples("x", net.sample, 40, 1000);
    const Model model(graph);
    const auto binding = quantize::BindSamples(model, samples, "samples");
    EXPECT_TRUE(binding.ok()) << binding.status();
    const auto seen =
        quantize::Calibrate(graph, samples, *binding, kernels::DetectCpuFeatures(), 2, nullptr);
    EXPECT_TRUE(seen.ok()) << seen.status();
    std::map<ValueId, quantize::Range> ranges;
    for (const auto& [id, observer] : *seen) ranges[id] = observer.MinMax();
    graph = quantize::ToInt8(graph, ranges);
  }
  return graph;
}

double Decibels(const std::vector<float>& reference, const std::vector<float>& answer) {
  double signal = 0;
  double noise = 1e-30;
  for (size_t i = 0; i < reference.size(); ++i) {
    signal += double{reference[i]} * reference[i];
    noise += std::pow(double{reference[i]} - answer[i], 2);
  }
  return 10 * std::log10(signal / noise);
}

// Whether any products are summed in float16, which keeps 11 bits.
bool SumsInFloat16(const Graph& graph) {
  const auto plan = Compile(graph, 1);
  if (plan == nullptr) return false;
  return std::any_of(plan->steps().begin(), plan->steps().end(),
                     [](const StepInfo& step) { return step.arithmetic == "float16"; });
}

class PlanFormsTest : public ::testing::TestWithParam<std::tuple<size_t, Form>> {
 protected:
  const Net& net() const { return Nets()[std::get<0>(GetParam())]; }
  Form form() const { return std::get<1>(GetParam()); }
  std::vector<float> Samples(size_t batch) const {
    return Uniform(static_cast<size_t>(graph::ElementCount(net().sample)) * batch, 7);
  }
  std::vector<std::vector<float>> Run(const Graph& graph, size_t batch,
                                      const std::string& engine = "") {
    std::vector<std::vector<float>> answers;
    const auto plan = Compile(graph, static_cast<int64_t>(batch), engine);
    if (plan == nullptr) return answers;
    for (const Bytes& output : RunPlan(*plan, {ToBytes(Samples(batch))})) {
      answers.push_back(FromBytes<float>(output));
    }
    return answers;
  }
};

TEST_P(PlanFormsTest, EnginesAgree) {
  const Graph graph = Make(net(), form());
  const double least = form() == Form::kHybrid || SumsInFloat16(graph) ? 50 : 90;
  for (size_t batch : {1u, 3u}) {
    const auto fast = Run(graph, batch);
    const auto reference = Run(graph, batch, "reference");
    ASSERT_EQ(fast.size(), reference.size());
    for (size_t o = 0; o < fast.size(); ++o) {
      // A last bit of a float result may turn a rounding of the next quantization by one step.
      EXPECT_GT(Decibels(reference[o], fast[o]), least) << "output " << o;
    }
  }
}

TEST_P(PlanFormsTest, AnswersLikeTheFloatModel) {
  const auto wanted = Run(Make(net(), Form::kFloat32), 3, "reference");
  const Graph graph = Make(net(), form());
  const auto got = Run(graph, 3);
  ASSERT_EQ(got.size(), wanted.size());
  const double least = form() == Form::kFloat32   ? 100
                       : form() == Form::kFloat16 ? (SumsInFloat16(graph) ? 50 : 55)
                                                  : net().least_db;
  for (size_t o = 0; o < got.size(); ++o)
    EXPECT_GT(Decibels(wanted[o], got[o]), least) << "output " << o;
}

TEST_P(PlanFormsTest, AnswersDoNotDependOnBatchmates) {
  const Graph graph = Make(net(), form());
  const size_t elements = static_cast<size_t>(graph::ElementCount(net().sample));
  const auto together = Compile(graph, 5);
  const auto alone = Compile(graph, 1);
  ASSERT_TRUE(together != nullptr && alone != nullptr);
  const std::vector<float> all = Samples(5);
  const std::vector<Bytes> batch = RunPlan(*together, {ToBytes(all)});
  for (size_t i = 0; i < 5; ++i) {
    const std::vector<float> sample(all.begin() + static_cast<ptrdiff_t>(i * elements),
                                    all.begin() + static_cast<ptrdiff_t>((i + 1) * elements));
    const std::vector<Bytes> one = RunPlan(*alone, {ToBytes(sample)});
    for (size_t o = 0; o < one.size(); ++o) {
      const size_t bytes = one[o].size();
      const Bytes part(batch[o].begin() + static_cast<ptrdiff_t>(i * bytes),
                       batch[o].begin() + static_cast<ptrdiff_t>((i + 1) * bytes));
      // Float sums may be taken in another order for another batch.
      const bool floats =
          form() == Form::kFloat32 || form() == Form::kFloat16 || net().name == "AttentionLike";
      if (floats) {
        EXPECT_GT(Decibels(FromBytes<float>(one[o]), FromBytes<float>(part)),
                  form() == Form::kHybrid || form() == Form::kInt8 ? 50 : 90)
            << "sample " << i;
      } else {
        EXPECT_EQ(one[o], part) << "sample " << i << ", output " << o;
      }
    }
  }
}

std::string TestName(const ::testing::TestParamInfo<std::tuple<size_t, Form>>& info) {
  constexpr const char* kForms[] = {"Float32", "Float16", "Hybrid", "Int8"};
  return Nets()[std::get<0>(info.param)].name + kForms[static_cast<int>(std::get<1>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(Nets, PlanFormsTest,
                         ::testing::Combine(::testing::Range(size_t{0}, Nets().size()),
                                            ::testing::Values(Form::kFloat32, Form::kFloat16,
                                                              Form::kHybrid, Form::kInt8)),
                         TestName);

// The arithmetic is what the kernel does, not what its weights are stored as.
TEST(PlanFloat16Test, ArithmeticIsFloat16OnlyWhereAKernelSumsInIt) {
  for (const Net& net : Nets()) {
    for (const Form form : {Form::kFloat32, Form::kFloat16}) {
      const auto plan = Compile(Make(net, form));
      ASSERT_NE(plan, nullptr);
      for (const StepInfo& step : plan->steps()) {
        EXPECT_EQ(step.arithmetic == "float16", step.implementation.ends_with("_f16"))
            << net.name << ": " << step.implementation;
        if (form == Form::kFloat32) {
          EXPECT_NE(step.arithmetic, "float16");
        }
      }
    }
  }
}

double ShareOfInt8(const Plan& plan) {
  int64_t all = 0;
  int64_t int8 = 0;
  for (const StepInfo& step : plan.steps()) {
    all += step.macs;
    if (step.arithmetic == "int8") int8 += step.macs;
  }
  return static_cast<double>(int8) / static_cast<double>(all);
}

TEST(PlanInt8Test, ConvolutionNetsMultiplyInIntegersOnly) {
  for (const Net& net : Nets()) {
    if (net.name == "AttentionLike") continue;  // products of two activations are float
    EXPECT_EQ(ShareOfInt8(*Compile(Make(net, Form::kInt8))), 1.0) << net.name;
  }
}

TEST(PlanInt8Test, IntegersStayIntegersBetweenOperators) {
  // Quantize the input, dequantize nothing: the last operator answers in float32 by itself.
  for (const Net& net : Nets()) {
    if (net.name != "ConvPoolConv" && net.name != "GatherPadResize" &&
        net.name != "SqueezeAndExcite" && net.name != "HardSwishMeanOverSpaceDense" &&
        net.name != "Residual" && net.name != "SliceTransposeReshape") {
      continue;
    }
    const auto plan = Compile(Make(net, Form::kInt8));
    EXPECT_EQ(fourfold::testing::CountSteps(*plan, "Quantize"), 1u) << net.name;
    EXPECT_EQ(fourfold::testing::CountSteps(*plan, "Dequantize"), 0u) << net.name;
  }
}

}  // namespace
}  // namespace fourfold::runtime
