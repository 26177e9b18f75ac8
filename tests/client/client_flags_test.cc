#include "client/cli/flags.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fourfold::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<Flag>& Flags() {
  static const auto* flags = new std::vector<Flag>{{"format", "table|json", "", false},
                                                   {"channel_order", "rgb|bgr", "", false},
                                                   {"input", "FILE", "", true},
                                                   {"mean", "X", "", false},
                                                   {"version", "N", "", false},
                                                   {"wait", "", "", false},
                                                   {"help", "", "", false}};
  return *flags;
}

std::string ErrorOf(const std::vector<std::string>& words) {
  const auto arguments = ParseArguments(Flags(), words);
  EXPECT_EQ(arguments.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(arguments.status().message());
}

TEST(FlagsTest, TakesValuesAfterEqualsAndAfterSpace) {
  const auto arguments =
      ParseArguments(Flags(), {"a.onnx", "--format=json", "--version", "3", "b"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->Get("format", ""), "json");
  EXPECT_EQ(*arguments->GetInt("version", 0, 1), 3);
  EXPECT_THAT(arguments->positional(), ElementsAre("a.onnx", "b"));
}

TEST(FlagsTest, SwitchesTakeNoWordAndCanBeSwitchedOff) {
  const auto on = ParseArguments(Flags(), {"--wait", "model"});
  ASSERT_TRUE(on.ok()) << on.status();
  EXPECT_TRUE(on->IsOn("wait"));
  EXPECT_THAT(on->positional(), ElementsAre("model"));
  const auto off = ParseArguments(Flags(), {"--wait=false"});
  ASSERT_TRUE(off.ok()) << off.status();
  EXPECT_FALSE(off->IsOn("wait"));
  EXPECT_THAT(ErrorOf({"--wait=maybe"}), HasSubstr("wanted true or false"));
}

TEST(FlagsTest, RepeatedFlagsKeepTheirOrderAndOthersMayNotRepeat) {
  const auto arguments = ParseArguments(Flags(), {"--input=b=2.npy", "--input", "a.npy"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->GetAll("input"), ElementsAre("b=2.npy", "a.npy"));
  EXPECT_THAT(ErrorOf({"--version=1", "--version=2"}), HasSubstr("--version is given twice"));
}

TEST(FlagsTest, NamesTheUnknownFlagAndTheNearestOne) {
  EXPECT_THAT(ErrorOf({"--fromat=json"}), AllOf(HasSubstr("--fromat"), HasSubstr("--format")));
  EXPECT_THAT(ErrorOf({"--zzzzzzzz"}), AllOf(HasSubstr("--zzzzzzzz"), Not(HasSubstr("did you"))));
  EXPECT_THAT(ErrorOf({"-format=json"}), HasSubstr("did you mean --format"));
}

TEST(FlagsTest, MissingValueNamesTheFlagAndItsForm) {
  EXPECT_THAT(ErrorOf({"--version"}), HasSubstr("wanted --version=N"));
  EXPECT_THAT(ErrorOf({"--version", "--wait"}), HasSubstr("--version lacks its value"));
}

TEST(FlagsTest, NegativeNumbersAreValuesAndDashesAreUnderscores) {
  const auto arguments = ParseArguments(Flags(), {"--mean", "-1.5", "--channel-order=bgr"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(*arguments->GetDouble("mean", 0), -1.5);
  EXPECT_EQ(arguments->Get("channel_order", ""), "bgr");
}

TEST(FlagsTest, NothingIsAFlagAfterTwoDashes) {
  const auto arguments = ParseArguments(Flags(), {"--", "--wait", "-x"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->positional(), ElementsAre("--wait", "-x"));
}

TEST(FlagsTest, NumbersAndChoicesOutsideTheirRangeAreRefused) {
  const auto arguments =
      ParseArguments(Flags(), {"--version=0", "--mean=nan", "--format=xml", "--channel_order=7x"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(std::string(arguments->GetInt("version", 0, 1).status().message()),
              HasSubstr("--version=0"));
  EXPECT_THAT(std::string(arguments->GetInt("channel_order", 0, 1).status().message()),
              HasSubstr("whole number"));
  EXPECT_FALSE(arguments->GetDouble("mean", 0).ok());
  EXPECT_THAT(std::string(arguments->GetChoice("format", {"table", "json"}).status().message()),
              HasSubstr("wanted table, json"));
}

TEST(FlagsTest, AbsentFlagsGiveTheFallback) {
  const auto arguments = ParseArguments(Flags(), {});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(*arguments->GetInt("version", 7, 1), 7);
  EXPECT_EQ(*arguments->GetChoice("format", {"table", "json"}), "table");
  EXPECT_THAT(arguments->GetAll("input"), IsEmpty());
}

TEST(NearestTest, FindsSlipsOfThePenOnly) {
  const std::vector<std::string> commands = {"list", "upload", "compare", "cancel"};
  EXPECT_EQ(Nearest("lsit", commands), "list");
  EXPECT_EQ(Nearest("uplaod", commands), "upload");
  EXPECT_EQ(Nearest("comp", commands), "compare");
  EXPECT_EQ(Nearest("quantize", commands), "");
}

}  // namespace
}  // namespace fourfold::cli
