#include "server/publish/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/publish/job.h"

namespace fourfold::publish {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ProgressLineTest, ReadsProgressAndErrors) {
  const auto line =
      ParseProgressLine(R"({"stage": "calibrate", "percent": 42, "message": "int8"})");
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->stage, "calibrate");
  EXPECT_EQ(line->percent, 42);
  EXPECT_EQ(line->message, "int8");
  const auto error =
      ParseProgressLine(R"({"error": {"code": "UNIMPLEMENTED", "message": "no Foo"}})");
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(*error->error, absl::UnimplementedError("no Foo"));
  EXPECT_EQ(ParseProgressLine(R"({"error": {"code": "NONSENSE", "message": "x"}})")->error->code(),
            absl::StatusCode::kInternal);
}

TEST(ProgressLineTest, PassesOverOtherLinesAndBoundsNumbers) {
  for (const char* line : {"", "{", "[]", "{}", R"({"stage": 3})", R"({"error": "x"})", "\xff"}) {
    EXPECT_FALSE(ParseProgressLine(line).has_value()) << line;
  }
  EXPECT_EQ(ParseProgressLine(R"({"stage": "x", "percent": 1e300})")->percent, 100);
}

TEST(LineReaderTest, CutsLinesWhereverTheBytesAreCut) {
  LineReader reader;
  EXPECT_THAT(reader.Add("ab"), IsEmpty());
  EXPECT_THAT(reader.Add("c\nd\n\ne"), ElementsAre("abc", "d", ""));
  EXPECT_THAT(reader.Add("\n"), ElementsAre("e"));
}

TEST(LineReaderTest, DropsALineThatIsTooLong) {
  LineReader reader;
  EXPECT_THAT(reader.Add(std::string(70'000, 'x')), IsEmpty());
  EXPECT_THAT(reader.Add(std::string(70'000, 'x') + "\nnext\n"), ElementsAre("next"));
}

TEST(JobTest, AdvancesAlongItsStatesOnly) {
  Job job;
  EXPECT_EQ(Advance(job, JobState::kDone).code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(Advance(job, JobState::kRunning).ok());
  EXPECT_EQ(Advance(job, JobState::kQueued).code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(Advance(job, JobState::kFailed).ok());
  EXPECT_EQ(Advance(job, JobState::kCancelled).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(job.state, JobState::kFailed);
}

}  // namespace
}  // namespace fourfold::publish
