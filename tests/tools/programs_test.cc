// fourfold-bench and fourfold-quantize as people and scripts run them.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/base/file.h"
#include "server/report/report.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::tools {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kDigits = FOURFOLD_TEST_DATA "/digits/";
const std::string kBench = FOURFOLD_BIN_DIR "/fourfold-bench ";
const std::string kQuantize = FOURFOLD_BIN_DIR "/fourfold-quantize ";

class ProgramsTest : public ::testing::Test {
 protected:
  struct Result {
    int code = -1;
    std::string out;
    std::string err;
  };

  Result Run(const std::string& command) {
    const std::string err_path = directory_.path() + "/stderr";
    Result result;
    FILE* pipe = popen((command + " 2>'" + err_path + "'").c_str(), "r");
    if (pipe == nullptr) return result;
    char buffer[4096];
    for (size_t n = 0; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;)
      result.out.append(buffer, n);
    const int status = pclose(pipe);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    result.err = base::ReadFile(err_path).value_or("");
    return result;
  }
  std::string Out() const { return "--out='" + directory_.path() + "/out' "; }

  testing::TemporaryDirectory directory_;
};

TEST_F(ProgramsTest, BenchPrintsOneJsonObject) {
  const Result result = Run(kBench + kDigits + "digits.onnx --seconds=0 --format=json");
  EXPECT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  for (const char* field : {"p50_ms", "p90_ms", "p99_ms", "throughput_per_s"}) {
    EXPECT_GT(json.at(field).get<double>(), 0) << field;
  }
}

TEST_F(ProgramsTest, BenchTellsWrongUsageFromFailure) {
  EXPECT_EQ(Run(kBench + "--help").code, 0);
  EXPECT_EQ(Run(kBench).code, 2);
  EXPECT_EQ(Run(kBench + kDigits + "digits.onnx --batch=none").code, 2);
  EXPECT_EQ(Run(kBench + kDigits + "digits.onnx --no_such_flag").code, 2);
  EXPECT_EQ(Run(kBench + kDigits + "digits.onnx --cpu_features=abacus").code, 2);
  const Result missing = Run(kBench + kDigits + "no_such.onnx");
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.out, IsEmpty());
  EXPECT_THAT(missing.err, AllOf(HasSubstr("fourfold-bench"), HasSubstr("no_such.onnx")));
  EXPECT_EQ(Run(kBench + kDigits + "README.md").code, 1) << "not a model";
}

TEST_F(ProgramsTest, TheCpuCanBeNarrowedToTheReference) {
  const Result result =
      Run(kBench + kDigits + "digits.onnx --seconds=0 --format=json --cpu_features=reference");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out).at("cpu_isa"), "reference");
}

TEST_F(ProgramsTest, QuantizeMakesTheVariantsOfTheDigits) {
  const Result result =
      Run(kQuantize + kDigits + "digits.onnx " + Out() + "--calibration=" + kDigits +
          "calibration.npz --eval=" + kDigits + "heldout.npz --measure_seconds=0 --format=json");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.err, IsEmpty()) << "no progress bar unless on a terminal";
  const auto report = report::FromJson(result.out);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->model, "digits");
  ASSERT_EQ(report->variants.size(), 4u);
  const double fp32 = report->variants[0].labelled->top1;
  EXPECT_NEAR(fp32, 532.0 / 540, 1e-9) << "what PyTorch and ONNX Runtime measure";
  for (const report::Variant& variant : report->variants) {
    EXPECT_NEAR(variant.labelled->top1, fp32, 0.01) << variant.variant;
  }
  EXPECT_LE(report->variants[3].versus_fp32.size_ratio, 0.35);
  EXPECT_THAT(*base::ListDirectory(directory_.path() + "/out"),
              ElementsAre("fp16.onnx", "fp32.onnx", "hybrid.onnx", "int8.onnx", "report.json"));
  // What it wrote runs.
  const std::string int8 = "'" + directory_.path() + "/out/int8.onnx'";
  const Result bench = Run(kBench + int8 + " --seconds=0 --format=json");
  EXPECT_EQ(bench.code, 0) << bench.err;
  EXPECT_GE(nlohmann::json::parse(bench.out).at("int8_macs").get<double>(), 0.95);
}

TEST_F(ProgramsTest, QuantizeReportsProgressOnADescriptor) {
  const Result result =
      Run(kQuantize + kDigits + "digits.onnx " + Out() +
          "--variants=fp32 --measure_seconds=0.01 --progress_fd=3 3>&1 >/dev/null");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("\"stage\":\"import\""), HasSubstr("\"stage\":\"measure\"")));
}

TEST_F(ProgramsTest, QuantizeTellsWrongUsageFromFailure) {
  EXPECT_EQ(Run(kQuantize + "--help").code, 0);
  EXPECT_EQ(Run(kQuantize).code, 2);
  EXPECT_EQ(Run(kQuantize + kDigits + "digits.onnx").code, 2) << "--out is missing";
  EXPECT_EQ(Run(kQuantize + kDigits + "digits.onnx " + Out() + "--layout=sideways").code, 2);
  EXPECT_EQ(Run(kQuantize + kDigits + "digits.onnx " + Out() + "--cpu_features=abacus").code, 2);
  const Result samples = Run(kQuantize + kDigits + "digits.onnx " + Out());
  EXPECT_EQ(samples.code, 1);
  EXPECT_THAT(samples.err, AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("calibration samples")));
  const Result missing =
      Run(kQuantize + kDigits + "digits.onnx " + Out() + "--calibration=/nowhere.npz");
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("/nowhere.npz"));
}

}  // namespace
}  // namespace fourfold::tools
