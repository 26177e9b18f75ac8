#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "client/cli/command.h"

int main(int argc, char** argv) {
  // A reader that goes away (fourfold list | head) is an error of write(2), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  const char* address = std::getenv("FOURFOLD_ADDRESS");
  const fourfold::cli::Context context{
      .out = std::cout,
      .err = std::cerr,
      .err_is_terminal = isatty(STDERR_FILENO) == 1,
      .address = address != nullptr && *address != '\0' ? address : "127.0.0.1:8001"};
  return fourfold::cli::RunFourfold(std::vector<std::string>(argv + 1, argv + argc), context);
}
