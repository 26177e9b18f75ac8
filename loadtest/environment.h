#pragma once

#include <string>

namespace fourfold::loadtest {

// Where and when a run took place: figures are only comparable within one machine.
struct Environment {
  std::string started_utc;  // "2026-03-01T12:00:00Z"
  std::string cpu_model;    // of the generator's machine; empty if the system does not say
  int cores = 1;            // that this process may use
  double load_average = 0;  // of the last minute, at the start
  std::string kernel;       // "Linux 6.1.0 x86_64"
  std::string generator;    // version of this program
  std::string server_name;  // as the server says
  std::string server_version;
};

// Without the server's part.
Environment ReadEnvironment();

// Seconds of CPU time that this process has used, of all its threads.
double CpuSeconds();

}  // namespace fourfold::loadtest
