#include "server/base/subprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <thread>

namespace fourfold::base {
namespace {

SubprocessOptions Shell(const std::string& script) {
  SubprocessOptions options;
  options.program = "/bin/sh";
  options.args = {"-c", script};
  return options;
}

struct Ended {
  std::string progress;
  std::string error;
  ExitState exit;
};

Ended RunToEnd(const SubprocessOptions& options) {
  Ended run;
  auto child = Subprocess::Start(options);
  EXPECT_TRUE(child.ok()) << child.status();
  if (!child.ok()) return run;
  for (bool open = true; open;) {
    const auto output = (*child)->Read(absl::Seconds(60));
    EXPECT_TRUE(output.ok());
    run.progress += output->progress;
    run.error += output->error;
    open = output->open;
  }
  run.exit = (*child)->Wait();
  return run;
}

TEST(SubprocessTest, ReadsProgressAndErrorApartAndTheExitCode) {
  const Ended run = RunToEnd(Shell("echo progress >&3; echo trouble >&2; exit 7"));
  EXPECT_EQ(run.progress, "progress\n");
  EXPECT_EQ(run.error, "trouble\n");
  EXPECT_EQ(run.exit.code, 7);
  EXPECT_EQ(ExitText(run.exit), "exit code 7");
}

TEST(SubprocessTest, NamesTheSignal) {
  const Ended run = RunToEnd(Shell("kill -SEGV $$"));
  EXPECT_EQ(run.exit.signal, SIGSEGV);
  EXPECT_THAT(ExitText(run.exit), ::testing::HasSubstr("signal 11"));
}

TEST(SubprocessTest, SaysWhatCannotBeRun) {
  SubprocessOptions options;
  options.program = "/no/such/program";
  EXPECT_EQ(Subprocess::Start(options).status().code(), absl::StatusCode::kNotFound);
}

TEST(SubprocessTest, PassesNoOtherDescriptorOn) {
  // 0 to 3, and the one with which the shell's child lists them.
  const Ended run = RunToEnd(Shell("ls /proc/self/fd | wc -l >&3"));
  EXPECT_EQ(std::stoi(run.progress), 5);
}

TEST(SubprocessTest, LimitsAndLowersPriority) {
  SubprocessOptions options = Shell("(ulimit -d; ulimit -v; ulimit -t; nice) >&3");
  options.memory_bytes_max = int64_t{1} << 30;
  options.mapped_bytes_max = int64_t{2} << 30;
  options.cpu_seconds_max = 33;
  options.nice = 3;
  const int expected = std::min(getpriority(PRIO_PROCESS, 0) + 3, 19);
  EXPECT_EQ(RunToEnd(options).progress, "1048576\n3145728\n33\n" + std::to_string(expected) + "\n");
}

TEST(SubprocessTest, WakeEndsAReadAndKillEndsTheChildWithItsOwnChildren) {
  auto child = Subprocess::Start(Shell("sleep 1000 & echo started >&3; wait"));
  ASSERT_TRUE(child.ok());
  ASSERT_EQ((*child)->Read(absl::Seconds(60))->progress, "started\n");
  std::thread other([&] { (*child)->Wake(); });
  EXPECT_TRUE((*child)->Read(absl::Hours(1))->woken);
  other.join();
  (*child)->Kill();
  EXPECT_EQ((*child)->Wait().signal, SIGKILL);
  // The grandchild held the pipes: they close when it is gone too.
  while ((*child)->Read(absl::Seconds(60))->open) {
  }
}

TEST(SubprocessTest, IsKilledAtDestruction) {
  pid_t pid = 0;
  {
    auto child = Subprocess::Start(Shell("sleep 1000"));
    ASSERT_TRUE(child.ok());
    pid = (*child)->pid();
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

}  // namespace
}  // namespace fourfold::base
