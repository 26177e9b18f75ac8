#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fourfold::cli {

// One flag that a command knows.
struct Flag {
  std::string name;       // without dashes
  std::string value;      // what the help shows after "="; empty: a switch, true if it is there
  std::string help;       // one sentence
  bool repeated = false;  // may be given several times
};

// The words of one command line, sorted into flags and the rest. Immutable.
class Arguments {
 public:
  Arguments() = default;
  Arguments(std::map<std::string, std::vector<std::string>> flags,
            std::vector<std::string> positional)
      : flags_(std::move(flags)), positional_(std::move(positional)) {}

  const std::vector<std::string>& positional() const { return positional_; }

  bool Has(const std::string& name) const { return flags_.count(name) > 0; }
  // A switch: there and not "=false".
  bool IsOn(const std::string& name) const { return Get(name, "false") == "true"; }
  std::string Get(const std::string& name, const std::string& fallback) const;
  // In the order of the command line; empty if the flag is not there.
  std::vector<std::string> GetAll(const std::string& name) const;

  // INVALID_ARGUMENT names flag, value and what was wanted. `fallback` is not checked.
  absl::StatusOr<int64_t> GetInt(const std::string& name, int64_t fallback, int64_t least) const;
  absl::StatusOr<double> GetDouble(const std::string& name, double fallback) const;
  // One of `choices`; the first of them if the flag is not there.
  absl::StatusOr<std::string> GetChoice(const std::string& name,
                                        const std::vector<std::string>& choices) const;

 private:
  std::map<std::string, std::vector<std::string>> flags_;
  std::vector<std::string> positional_;
};

// Sorts `words` by `flags`. A flag is --name=value or --name value, a switch --name or
// --name=true|false; "-" and "_" in names are the same; after "--" nothing is a flag; "-h" is
// --help. INVALID_ARGUMENT names the flag that is unknown (and the nearest one), lacks its value or
// comes twice.
absl::StatusOr<Arguments> ParseArguments(const std::vector<Flag>& flags,
                                         const std::vector<std::string>& words);

// The candidate that `word` is most likely a slip of the pen of; empty if none is near.
std::string Nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace fourfold::cli
