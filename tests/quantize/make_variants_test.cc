#include "server/quantize/make_variants.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "server/onnx/export.h"
#include "tests/quantize/vector_samples.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::GraphBuilder;
using fourfold::testing::Uniform;
using fourfold::testing::UniformSamples;
using fourfold::testing::VectorSamples;
using graph::ValueId;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const graph::Shape kSample = {3, 8, 8};

ValueId Weights(GraphBuilder& b, const graph::Shape& shape, uint32_t seed) {
  return b.Constant(shape,
                    Uniform(static_cast<size_t>(graph::ElementCount(shape)), seed, -0.2f, 0.2f));
}

// A residual convolution net as an ONNX file.
std::string ModelFile() {
  GraphBuilder b;
  graph::Conv padded;
  padded.window.pads = {1, 1, 1, 1};
  const ValueId x = b.Input("image", {graph::kUnknownDim, 3, 8, 8});
  const ValueId y = b.Relu(b.Conv(x, Weights(b, {32, 3, 3, 3}, 1), Weights(b, {32}, 2), padded));
  const ValueId z = b.Conv(y, Weights(b, {32, 32, 3, 3}, 3), Weights(b, {32}, 4), padded);
  const ValueId pooled = b.Flatten(b.GlobalAveragePool(b.Relu(b.Sum(y, z))));
  b.Output(b.MatMul(pooled, Weights(b, {32, 10}, 5), Weights(b, {10}, 6)), "logits");
  const auto file = onnx::Export(b.Build());
  EXPECT_TRUE(file.ok()) << file.status();
  return *file;
}

struct Outcome {
  absl::StatusOr<report::Report> report = absl::InternalError("not run");
  std::map<std::string, std::string> files;
  std::set<std::string> stages;
};

Outcome Make(const std::string& model, const SampleSet* calibration, const SampleSet* evaluation,
             VariantsOptions options = {}) {
  Outcome outcome;
  options.model_name = "small";
  options.measure_seconds = 0.01;
  options.workers = 2;
  outcome.report = MakeVariants(
      std::as_bytes(std::span(model)), calibration, evaluation, options,
      [&](const std::string& name, absl::string_view bytes) {
        EXPECT_TRUE(outcome.files.emplace(name, bytes).second) << name << " was written twice";
        return absl::OkStatus();
      },
      [&](absl::string_view stage, int percent, absl::string_view) {
        EXPECT_GE(percent, 0);
        EXPECT_LE(percent, 100);
        outcome.stages.emplace(stage);
      });
  return outcome;
}

TEST(MakeVariantsTest, MakesChecksAndTimesFourVariants) {
  const VectorSamples calibration = UniformSamples("image", kSample, 120, 1);
  VectorSamples evaluation = UniformSamples("image", kSample, 50, 5000);
  evaluation.Labels(std::vector<int64_t>(50, 3));
  const Outcome outcome = Make(ModelFile(), &calibration, &evaluation);
  ASSERT_TRUE(outcome.report.ok()) << outcome.report.status();
  const report::Report& report = *outcome.report;
  EXPECT_EQ(report.model, "small");
  EXPECT_THAT(outcome.stages,
              ::testing::IsSupersetOf({"import", "calibrate", "evaluate", "measure"}));
  ASSERT_EQ(report.variants.size(), 4u);
  int defaults = 0;
  for (size_t i = 0; i < 4; ++i) {
    const report::Variant& variant = report.variants[i];
    SCOPED_TRACE(variant.variant);
    EXPECT_EQ(variant.variant, kVariants[i]);
    ASSERT_TRUE(outcome.files.contains(variant.variant + ".onnx"));
    EXPECT_EQ(variant.size.file_bytes,
              static_cast<int64_t>(outcome.files.at(variant.variant + ".onnx").size()));
    EXPECT_GT(variant.size.weight_bytes, 0);
    EXPECT_LT(variant.size.weight_bytes, variant.size.file_bytes);
    EXPECT_GT(variant.size.resident_bytes, 0);
    EXPECT_GT(variant.latency.p50_ms, 0);
    EXPECT_EQ(variant.sha256.size(), 64u);
    ASSERT_TRUE(variant.fidelity && variant.labelled);
    EXPECT_EQ(variant.fidelity->samples, 50);
    EXPECT_EQ(variant.labelled->samples, 50);
    EXPECT_GT(variant.fidelity->cosine, 0.99);
    EXPECT_LE(variant.fidelity->agreement_low95, variant.fidelity->top1_agreement);
    EXPECT_NEAR(variant.versus_fp32.size_ratio,
                static_cast<double>(variant.size.file_bytes) /
                    static_cast<double>(report.variants[0].size.file_bytes),
                1e-9);
    defaults += variant.is_default ? 1 : 0;
  }
  EXPECT_EQ(defaults, 1);
  EXPECT_EQ(report.variants[0].fidelity->sqnr_db, 200);
  EXPECT_EQ(report.variants[0].versus_fp32.speedup, 1);
  EXPECT_LE(report.variants[1].versus_fp32.size_ratio, 0.55);
  EXPECT_LE(report.variants[2].versus_fp32.size_ratio, 0.40);
  EXPECT_LE(report.variants[3].versus_fp32.size_ratio, 0.40);
  // Sums in float16 keep 11 bits, and the note says where there are any.
  const report::Executed& half = report.variants[1].executed;
  EXPECT_GT(report.variants[1].fidelity->sqnr_db, half.fp16_macs > 0 ? 40 : 55);
  EXPECT_EQ(half.note.find("float16 storage, float32 arithmetic") == 0, half.fp16_macs == 0)
      << half.note;
  EXPECT_GT(report.variants[2].fidelity->sqnr_db, 25);
  EXPECT_GT(report.variants[3].fidelity->sqnr_db, 20);
  EXPECT_EQ(report.variants[0].executed.int8_macs, 0);
  EXPECT_EQ(report.variants[2].executed.int8_macs, 1);
  EXPECT_EQ(report.variants[3].executed.int8_macs, 1);
  EXPECT_THAT(report.variants[3].executed.note, HasSubstr("calibrated by"));
}

TEST(MakeVariantsTest, Int8WithoutSamplesIsRefusedAndNothingWritten) {
  const Outcome outcome = Make(ModelFile(), nullptr, nullptr);
  EXPECT_EQ(outcome.report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(outcome.report.status().message(),
              AllOf(HasSubstr("int8"), HasSubstr("calibration samples")));
  EXPECT_THAT(outcome.files, IsEmpty());
}

TEST(MakeVariantsTest, AnUnknownVariantIsRefusedWithTheKnownOnes) {
  VariantsOptions options;
  options.variants = {"fp32", "int7"};
  const Outcome outcome = Make(ModelFile(), nullptr, nullptr, options);
  EXPECT_EQ(outcome.report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(outcome.report.status().message(), AllOf(HasSubstr("int7"), HasSubstr("hybrid")));
  EXPECT_THAT(outcome.files, IsEmpty());
}

TEST(MakeVariantsTest, WithoutSamplesThreeVariantsAreMadeUnchecked) {
  VariantsOptions options;
  options.variants = {"hybrid", "fp16"};
  const Outcome outcome = Make(ModelFile(), nullptr, nullptr, options);
  ASSERT_TRUE(outcome.report.ok()) << outcome.report.status();
  std::vector<std::string> names;
  for (const report::Variant& variant : outcome.report->variants) {
    names.push_back(variant.variant);
    EXPECT_FALSE(variant.fidelity);
    EXPECT_FALSE(variant.labelled);
    EXPECT_EQ(variant.is_default, variant.variant == "fp32")
        << "what was not checked is no default";
  }
  EXPECT_THAT(names, ElementsAre("fp32", "fp16", "hybrid"));
}

TEST(MakeVariantsTest, FewOrNoEvaluationSamplesAreWarnedOf) {
  const VectorSamples calibration = UniformSamples("image", kSample, 20, 1);
  VariantsOptions options;
  options.variants = {"int8"};
  const Outcome outcome = Make(ModelFile(), &calibration, nullptr, options);
  ASSERT_TRUE(outcome.report.ok()) << outcome.report.status();
  EXPECT_THAT(outcome.report->warnings,
              ::testing::Contains(HasSubstr("only 20 calibration samples")));
  EXPECT_THAT(outcome.report->warnings,
              ::testing::Contains(HasSubstr("calibration samples: no others")));
  EXPECT_EQ(outcome.report->variants[1].fidelity->samples, 20);
  EXPECT_FALSE(outcome.report->variants[1].labelled);
}

TEST(MakeVariantsTest, SamplesThatDoNotFitAreRefusedBeforeAnythingIsWritten) {
  const VectorSamples wrong = UniformSamples("picture", kSample, 20, 1);
  const VectorSamples right = UniformSamples("image", kSample, 20, 1);
  for (const auto& [calibration, evaluation] :
       std::vector<std::pair<const SampleSet*, const SampleSet*>>{{&wrong, nullptr},
                                                                  {&right, &wrong}}) {
    const Outcome outcome = Make(ModelFile(), calibration, evaluation);
    EXPECT_EQ(outcome.report.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(outcome.report.status().message(),
                AllOf(HasSubstr(calibration == &wrong ? "calibration" : "evaluation"),
                      HasSubstr("image"), HasSubstr("picture")));
    EXPECT_THAT(outcome.files, IsEmpty());
  }
}

TEST(MakeVariantsTest, ASampleThatIsNotFiniteIsNamed) {
  std::vector<std::vector<float>> samples(9, Uniform(192, 1));
  samples[6][17] = NAN;
  const VectorSamples calibration("image", kSample, samples);
  const Outcome outcome = Make(ModelFile(), &calibration, nullptr);
  EXPECT_EQ(outcome.report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(outcome.report.status().message(), AllOf(HasSubstr("image"), HasSubstr("nan")));
}

TEST(MakeVariantsTest, WeightsThatAreNoNumbersAreNamed) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {graph::kUnknownDim, 2});
  b.Output(b.MatMul(x, b.Constant({2, 2}, {1.0f, 2.0f, NAN, 4.0f}, "w")), "y");
  const auto file = onnx::Export(b.Build());
  ASSERT_TRUE(file.ok()) << file.status();
  const Outcome outcome = Make(*file, nullptr, nullptr, {.variants = {"fp32", "hybrid"}});
  EXPECT_EQ(outcome.report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(outcome.report.status().message()),
              AllOf(HasSubstr("element 2"), HasSubstr("\"w\""), HasSubstr("nan")));
  EXPECT_THAT(outcome.files, IsEmpty());
}

TEST(MakeVariantsTest, LabelsThatAreNoClassAreRefusedBeforeCalibration) {
  const VectorSamples calibration = UniformSamples("image", kSample, 20, 1);
  VectorSamples evaluation = UniformSamples("image", kSample, 3, 2);
  evaluation.Labels({0, 10, 1});
  const Outcome outcome = Make(ModelFile(), &calibration, &evaluation);
  EXPECT_EQ(outcome.report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(outcome.report.status().message()), HasSubstr("label 10 of sample 1"));
  EXPECT_FALSE(outcome.stages.contains("calibrate"));
}

TEST(MakeVariantsTest, WhatIsNoModelIsRefused) {
  const Outcome outcome = Make("not a model", nullptr, nullptr, {.variants = {"fp32"}});
  EXPECT_EQ(outcome.report.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(MakeVariantsTest, AFileThatCannotBeWrittenEndsTheJob) {
  VariantsOptions options;
  options.variants = {"fp32"};
  const std::string model = ModelFile();
  const auto report = MakeVariants(
      std::as_bytes(std::span(model)), nullptr, nullptr, options,
      [](const std::string&, absl::string_view) {
        return absl::ResourceExhaustedError("disk full");
      },
      nullptr);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(MakeVariantsTest, LargeVariantsKeepTheirWeightsInASecondFile) {
  const fourfold::testing::TemporaryDirectory folder;
  VariantsOptions options;
  options.variants = {"fp32", "fp16", "hybrid"};
  options.data_folder = folder.path();
  options.inline_bytes_max = 0;
  const Outcome apart = Make(ModelFile(), nullptr, nullptr, options);
  ASSERT_TRUE(apart.report.ok()) << apart.report.status();
  EXPECT_THAT(folder.Files(), ElementsAre("fp16.onnx.data", "fp32.onnx.data", "hybrid.onnx.data"));
  for (const report::Variant& variant : apart.report->variants) {
    const std::string name = variant.variant + ".onnx";
    EXPECT_EQ(static_cast<uintmax_t>(variant.size.file_bytes),
              apart.files.at(name).size() +
                  std::filesystem::file_size(folder.path() + "/" + name + ".data"));
  }

  // A smaller model made into the same folder leaves none of them.
  options.inline_bytes_max = size_t{1} << 30;
  const Outcome together = Make(ModelFile(), nullptr, nullptr, options);
  ASSERT_TRUE(together.report.ok()) << together.report.status();
  EXPECT_THAT(folder.Files(), IsEmpty());
  EXPECT_GT(together.files.at("fp32.onnx").size(), apart.files.at("fp32.onnx").size());
}

TEST(MakeVariantsTest, ASecondFileThatCannotBeWrittenEndsTheJob) {
  VariantsOptions options;
  options.variants = {"fp32"};
  options.data_folder = "/no/such/folder";
  options.inline_bytes_max = 0;
  EXPECT_EQ(Make(ModelFile(), nullptr, nullptr, options).report.status().code(),
            absl::StatusCode::kNotFound);
}

TEST(MakeVariantsTest, VariantsAreTheSameFilesHoweverManyWorkersRun) {
  const VectorSamples calibration = UniformSamples("image", kSample, 30, 1);
  VariantsOptions options;
  options.variants = {"int8"};
  const std::string model = ModelFile();
  const auto files = [&](int workers) {
    std::map<std::string, std::string> written;
    options.workers = workers;
    options.measure_seconds = 0;
    const auto report = MakeVariants(
        std::as_bytes(std::span(model)), &calibration, nullptr, options,
        [&](const std::string& name, absl::string_view bytes) {
          written[name] = std::string(bytes);
          return absl::OkStatus();
        },
        nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return written;
  };
  const auto one = files(1);
  const auto two = files(2);
  EXPECT_EQ(one, two);
}

}  // namespace
}  // namespace fourfold::quantize
