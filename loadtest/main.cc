// fourfold-loadtest: load on an inference server, and what it does to latencies and answers.

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "loadtest/loadtest.h"

namespace {

std::atomic<bool> stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may set it");

extern "C" void Stop(int) { stop.store(true); }

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away (fourfold-loadtest | head) is an error of write(2), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  // The first signal ends the run and prints it; a second one, while answers are still awaited,
  // ends the program.
  struct sigaction action = {};
  action.sa_handler = Stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);

  const char* address = std::getenv("FOURFOLD_ADDRESS");
  const fourfold::loadtest::Context context{
      .out = std::cout,
      .err = std::cerr,
      .err_is_terminal = isatty(STDERR_FILENO) == 1,
      .address = address != nullptr && *address != '\0' ? address : "127.0.0.1:8001",
      .stop = stop};
  return fourfold::loadtest::RunLoadtest(std::vector<std::string>(argv + 1, argv + argc), context);
}
