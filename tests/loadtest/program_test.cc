// The built program from outside: its signals, environment and exit codes.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/samples_testing.h"
#include "tests/loadtest/queue_server.h"

namespace fourfold::loadtest {
namespace {

using testing::HasSubstr;

class ProgramTest : public testing::Test {
 protected:
  // Starts the program with FOURFOLD_ADDRESS in its environment; outputs go to files.
  pid_t Start(std::vector<std::string> words, const std::string& address) {
    words.insert(words.begin(), FOURFOLD_BIN_DIR "/fourfold-loadtest");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::string variable = "FOURFOLD_ADDRESS=" + address;
    char* environment[] = {variable.data(), nullptr};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    for (const auto& [descriptor, path] : {std::pair(1, out_), std::pair(2, err_)}) {
      posix_spawn_file_actions_addopen(&files, descriptor, path.c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    }
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, argv[0], &files, nullptr, argv.data(), environment), 0);
    posix_spawn_file_actions_destroy(&files);
    return pid;
  }

  // Its exit code; -1 if a signal ended it.
  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string Out() const { return samples::ReadText(out_); }
  std::string Err() const { return samples::ReadText(err_); }

  samples::TemporaryFolder folder_;
  const std::string out_ = folder_.Path("out");
  const std::string err_ = folder_.Path("err");
};

TEST_F(ProgramTest, RunsAndPrintsOneJsonObjectAndNothingElse) {
  QueueServer server({});
  const pid_t pid =
      Start({"--model=m", "--requests=20", "--warmup=0", "--format=json"}, server.address());
  EXPECT_EQ(Wait(pid), 0);
  const auto report = nlohmann::json::parse(Out());
  EXPECT_EQ(report["ok"], 20);
  EXPECT_EQ(report["address"], server.address());
}

TEST_F(ProgramTest, CtrlCEndsTheRunEarlyAndPrintsIt) {
  QueueServer server({});
  const pid_t pid =
      Start({"--model=m", "--duration=600", "--warmup=0", "--format=json"}, server.address());
  while (server.served().size() < 50) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(pid, SIGINT);
  EXPECT_EQ(Wait(pid), 0);
  const auto report = nlohmann::json::parse(Out());
  EXPECT_EQ(report["interrupted"], true);
  EXPECT_GE(report["ok"], 40);
}

// The first signal waits for the answer in flight, the second does not.
TEST_F(ProgramTest, ASecondSignalEndsAtOnce) {
  QueueServer server({.service_time = [](const std::string&, int64_t k) {
    return std::chrono::milliseconds(k < 3 ? 0 : 3000);
  }});
  const pid_t pid =
      Start({"--model=m", "--duration=600", "--warmup=0", "--timeout_ms=60000"}, server.address());
  while (server.served().size() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  kill(pid, SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  kill(pid, SIGINT);
  EXPECT_EQ(Wait(pid), -1);
}

TEST_F(ProgramTest, ExitCodesAreTheContracts) {
  EXPECT_EQ(Wait(Start({"--help"}, "127.0.0.1:1")), 0);
  EXPECT_THAT(Out(), HasSubstr("usage: fourfold-loadtest"));
  EXPECT_EQ(Wait(Start({"--model=m"}, "127.0.0.1:1")), 1);
  EXPECT_THAT(Err(), HasSubstr("UNAVAILABLE"));
  EXPECT_EQ(Wait(Start({"--model=m", "--speed=3"}, "127.0.0.1:1")), 2);
  EXPECT_THAT(Err(), HasSubstr("unknown flag --speed"));
  EXPECT_EQ(Out(), "");
}

}  // namespace
}  // namespace fourfold::loadtest
