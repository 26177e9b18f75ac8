#include "server/tools/progress_pipe.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"

namespace fourfold::tools {
namespace {

class ProgressPipeTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe2(fds_, O_NONBLOCK), 0); }
  void TearDown() override {
    close(fds_[0]);
    close(fds_[1]);
  }
  // What was written so far, a JSON value per line.
  std::vector<nlohmann::json> Lines() {
    char buffer[65536];
    const ssize_t n = read(fds_[0], buffer, sizeof(buffer));
    std::vector<nlohmann::json> lines;
    if (n <= 0) return lines;
    EXPECT_EQ(buffer[n - 1], '\n');
    for (absl::string_view line : absl::StrSplit(absl::string_view(buffer, static_cast<size_t>(n)),
                                                 '\n', absl::SkipEmpty())) {
      lines.push_back(nlohmann::json::parse(std::string(line)));
    }
    return lines;
  }
  int fds_[2];
};

TEST_F(ProgressPipeTest, WritesALineForEachChange) {
  ProgressPipe pipe(fds_[1]);
  pipe.Report("calibrate", 0, "start");
  pipe.Report("calibrate", 0, "the same");
  pipe.Report("calibrate", 42, "observing \"x\"\n");
  pipe.Report("measure", 42, "timing");
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(
      lines[1],
      (nlohmann::json{{"stage", "calibrate"}, {"percent", 42}, {"message", "observing \"x\"\n"}}));
  EXPECT_EQ(lines[2].at("stage"), "measure");
}

TEST_F(ProgressPipeTest, WritesTheErrorWithItsCode) {
  ProgressPipe(fds_[1]).Fail(absl::InvalidArgumentError("bytes \xff that are no text"));
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("error").at("code"), "INVALID_ARGUMENT");
  EXPECT_THAT(lines[0].at("error").at("message").get<std::string>(),
              ::testing::HasSubstr("that are no text"));
}

TEST_F(ProgressPipeTest, WithoutADescriptorNothingHappens) {
  ProgressPipe pipe(-1);
  pipe.Report("import", 1, "");
  pipe.Fail(absl::InternalError("x"));
  EXPECT_TRUE(Lines().empty());
}

TEST_F(ProgressPipeTest, AReaderThatIsGoneIsNoError) {
  signal(SIGPIPE, SIG_IGN);
  close(fds_[0]);
  ProgressPipe pipe(fds_[1]);
  pipe.Report("import", 1, "");
  fds_[0] = dup(fds_[1]);  // for TearDown
}

}  // namespace
}  // namespace fourfold::tools
