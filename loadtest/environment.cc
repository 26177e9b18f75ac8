#include "loadtest/environment.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace fourfold::loadtest {
namespace {

// x86 names the model; ARM kernels give only numbers of implementer and part.
std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  std::string part;
  while (std::getline(file, line)) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string value(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    if (absl::StartsWith(line, "model name")) return value;
    if (absl::StartsWith(line, "CPU implementer")) part = absl::StrCat("implementer ", value);
    if (absl::StartsWith(line, "CPU part")) return absl::StrCat(part, " part ", value);
  }
  return "";
}

int Cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return CPU_COUNT(&set);
}

}  // namespace

Environment ReadEnvironment() {
  Environment environment;
  environment.started_utc =
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  environment.cpu_model = CpuModel();
  environment.cores = Cores();
  double load[1] = {0};
  if (getloadavg(load, 1) == 1) environment.load_average = load[0];
  utsname system;
  if (uname(&system) == 0) {
    environment.kernel = absl::StrCat(system.sysname, " ", system.release, " ", system.machine);
  }
  environment.generator = FOURFOLD_VERSION;
  return environment;
}

double CpuSeconds() {
  rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace fourfold::loadtest
