// The runner of the conformance cases itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "tests/conformance/compare_tensors.h"
#include "tests/conformance/run_isolated.h"
#include "tests/conformance/summary.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::conformance {
namespace {

using graph::DataType;
using graph::Tensor;
using graph::TensorPtr;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TensorPtr Floats(const std::vector<float>& values) {
  return Tensor::Of(DataType::kFloat32, {static_cast<int64_t>(values.size())}, values);
}

TEST(CompareTensorsTest, FloatsAreEqualUpToTheTolerance) {
  // 0.001 * 1000 + 1e-7, and a little less or more than that.
  EXPECT_TRUE(CompareTensors(*Floats({1000.99f}), *Floats({1000})).ok());
  EXPECT_FALSE(CompareTensors(*Floats({1001.01f}), *Floats({1000})).ok());
  EXPECT_TRUE(CompareTensors(*Floats({0.9e-7f}), *Floats({0})).ok());
  EXPECT_FALSE(CompareTensors(*Floats({1.1e-7f}), *Floats({0})).ok());
}

TEST(CompareTensorsTest, NanEqualsNanAndAnInfinityOnlyItself) {
  EXPECT_TRUE(CompareTensors(*Floats({kNan, kInfinity}), *Floats({kNan, kInfinity})).ok());
  EXPECT_FALSE(CompareTensors(*Floats({kNan}), *Floats({0})).ok());
  EXPECT_FALSE(CompareTensors(*Floats({0}), *Floats({kNan})).ok());
  EXPECT_FALSE(CompareTensors(*Floats({-kInfinity}), *Floats({kInfinity})).ok());
  EXPECT_FALSE(CompareTensors(*Floats({1e30f}), *Floats({kInfinity})).ok());
}

TEST(CompareTensorsTest, IntegersAreExact) {
  const auto of = [](int64_t value) { return Tensor::Of<int64_t>(DataType::kInt64, {1}, {value}); };
  constexpr int64_t kLarge = int64_t{1} << 60;
  EXPECT_TRUE(CompareTensors(*of(kLarge), *of(kLarge)).ok());
  EXPECT_FALSE(CompareTensors(*of(kLarge), *of(kLarge + 1)).ok());
}

TEST(CompareTensorsTest, HalvesAreComparedAsNumbers) {
  const auto of = [](uint16_t bits) {
    return Tensor::Of<uint16_t>(DataType::kFloat16, {1}, {bits});
  };
  EXPECT_TRUE(CompareTensors(*of(0x3C00), *of(0x3C01)).ok()) << "1 and 1.00098";
  EXPECT_FALSE(CompareTensors(*of(0x3C00), *of(0x3C02)).ok());
}

TEST(CompareTensorsTest, TypeAndShapeCount) {
  const TensorPtr one = Floats({1});
  EXPECT_THAT(
      std::string(
          CompareTensors(*one, *Tensor::Of<double>(DataType::kFloat64, {1}, {1})).message()),
      HasSubstr("float32 [1], wanted float64 [1]"));
  EXPECT_FALSE(CompareTensors(*one, *Tensor::Of<float>(DataType::kFloat32, {}, {1})).ok());
  EXPECT_FALSE(CompareTensors(*one, *Tensor::Of<float>(DataType::kFloat32, {1, 1}, {1})).ok());
}

TEST(CompareTensorsTest, TheFirstDifferenceIsNamedAndAllAreCounted) {
  EXPECT_THAT(std::string(CompareTensors(*Floats({1, 2, 3}), *Floats({1, 5, 6})).message()),
              AllOf(HasSubstr("element 1 is 2, wanted 5"), HasSubstr("2 of 3 differ")));
}

TEST(FindCasesTest, FindsCasesOfSeveralSuitesAndTheirFilesInOrder) {
  testing::TemporaryDirectory directory;
  directory.Write("simple/test_b/model.onnx", "");
  for (int i = 0; i < 11; ++i) {
    directory.Write("node/test_a/test_data_set_0/input_" + std::to_string(i) + ".pb", "");
  }
  directory.Write("node/test_a/test_data_set_0/output_0.pb", "");
  directory.Write("node/test_a/model.onnx", "");
  directory.Write("real/test_c/data.json", "{}");
  const auto list = FindCases(directory.path() + "/");
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_THAT(list->cases, SizeIs(2));
  EXPECT_EQ(FullName(list->cases[0]), "node/test_a");
  EXPECT_EQ(FullName(list->cases[1]), "simple/test_b");
  ASSERT_THAT(list->cases[0].data, SizeIs(1));
  ASSERT_THAT(list->cases[0].data[0].inputs, SizeIs(11));
  EXPECT_THAT(list->cases[0].data[0].inputs[10], EndsWith("input_10.pb"));
  EXPECT_THAT(list->no_data, ElementsAre("real/test_c"));

  const auto one = FindCases(directory.path() + "/node/test_a");
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(FullName(one->cases.at(0)), "node/test_a");
}

TEST(FindCasesTest, AFolderWithoutCasesIsNotFound) {
  testing::TemporaryDirectory directory;
  EXPECT_TRUE(absl::IsNotFound(FindCases(directory.path()).status()));
  EXPECT_TRUE(absl::IsNotFound(FindCases(directory.path() + "/none").status()));
}

std::vector<Case> Named(const std::vector<std::string>& names) {
  std::vector<Case> cases;
  for (const std::string& name : names) cases.push_back({"suite", name, "", {}});
  return cases;
}

// Does what the case is called.
CaseResult Behave(const Case& test) {
  if (test.name == "abort") std::abort();
  if (test.name == "exit") _exit(3);
  if (test.name == "hang") {
    for (;;) pause();
  }
  CaseResult result;
  result.verdict = {test.name == "good" ? Outcome::kPassed : Outcome::kUnsupported, test.name};
  result.round_trip = Verdict{Outcome::kFailed, "a line\nand a \xff"};
  result.operators = {"Add"};
  return result;
}

TEST(RunIsolatedTest, WhatCrashesOrHangsDoesNotHideTheOthers) {
  for (const size_t batch : {1, 2, 100}) {
    const auto results =
        RunIsolated(Named({"good", "abort", "good", "hang", "exit", "other", "abort"}),
                    {.batch = batch, .timeout = absl::Milliseconds(500)}, Behave);
    ASSERT_TRUE(results.ok()) << results.status();
    ASSERT_THAT(*results, SizeIs(7));
    const auto reason = [&](size_t i) { return (*results)[i].verdict.reason; };
    const auto outcome = [&](size_t i) { return (*results)[i].verdict.outcome; };
    EXPECT_EQ(outcome(0), Outcome::kPassed);
    EXPECT_EQ(outcome(1), Outcome::kFailed);
    EXPECT_THAT(reason(1), HasSubstr("signal 6"));
    EXPECT_EQ(outcome(2), Outcome::kPassed);
    EXPECT_EQ(outcome(3), Outcome::kFailed);
    EXPECT_THAT(reason(3), HasSubstr("not done after 500ms"));
    EXPECT_THAT(reason(4), HasSubstr("exit code 3"));
    EXPECT_EQ(outcome(5), Outcome::kUnsupported);
    EXPECT_EQ(reason(5), "other");
    EXPECT_THAT((*results)[5].operators, ElementsAre("Add"));
    ASSERT_TRUE((*results)[5].round_trip.has_value());
    EXPECT_THAT((*results)[5].round_trip->reason, HasSubstr("a line\nand a "));
    EXPECT_EQ(outcome(6), Outcome::kFailed);
  }
}

Summary Example() {
  Summary summary;
  summary.cases = Named({"good", "bad", "lacks_operator", "lacks_form"});
  summary.results.resize(4);
  summary.results[1].verdict = {Outcome::kFailed, "wrong"};
  summary.results[2].verdict = {Outcome::kUnsupported, "none"};
  summary.results[2].operators = {"Frob"};
  summary.results[3].verdict = {Outcome::kUnsupported, "mode \"x\""};
  summary.results[3].operators = {"Resize"};
  summary.results[3].operators_listed = true;
  return summary;
}

TEST(SummaryTest, TextNamesFailuresAndOperatorsAndEndsWithTheCounts) {
  const std::string text = ToText(Example(), false);
  EXPECT_THAT(text, HasSubstr("FAILED suite/bad: wrong\n"));
  EXPECT_THAT(text, HasSubstr("Frob"));
  EXPECT_THAT(text, EndsWith("\npassed 1 of 4, unsupported 2, failed 1\n"));
  EXPECT_THAT(ToText(Example(), true), HasSubstr("UNSUPPORTED suite/lacks_form: mode \"x\"\n"));
}

TEST(KnownGapsTest, AGapOfAListedOperatorHasToBeKnownAndAnEntryNeedsAGap) {
  const auto offences = [](const std::string& list) {
    const auto gaps = KnownGaps::Parse(list);
    EXPECT_TRUE(gaps.ok()) << gaps.status();
    return gaps->Offences(Example());
  };
  EXPECT_THAT(offences("# nothing\n\n"), ElementsAre(HasSubstr("suite/lacks_form")));
  EXPECT_THAT(offences("suite/lacks_.*: nobody uses it\n"), IsEmpty());
  const auto gaps = KnownGaps::Parse("suite/lacks_.*: a\nsuite/good: b\nother/x: c");
  ASSERT_TRUE(gaps.ok()) << gaps.status();
  EXPECT_THAT(gaps->Offences(Example()), IsEmpty());
  EXPECT_THAT(gaps->Stale(Example()), ElementsAre(HasSubstr("suite/good")));
}

TEST(KnownGapsTest, LinesWithoutReasonAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(KnownGaps::Parse("suite/case").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(KnownGaps::Parse("no slash: a").status()));
}

}  // namespace
}  // namespace fourfold::conformance
