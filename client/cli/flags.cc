#include "client/cli/flags.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fourfold::cli {
namespace {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

const Flag* Find(const std::vector<Flag>& flags, const std::string& name) {
  for (const Flag& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

absl::Status UnknownFlag(const std::vector<Flag>& flags, const std::string& written,
                         const std::string& name) {
  std::vector<std::string> names;
  for (const Flag& flag : flags) names.push_back(flag.name);
  const std::string nearest = Nearest(name, names);
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown flag ", written, nearest.empty() ? "" : absl::StrCat("; did you mean --", nearest)));
}

}  // namespace

std::string Nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const bool begins = word.size() >= 3 && absl::StartsWith(candidate, word);
    const size_t distance = begins ? 1 : EditDistance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string Arguments::Get(const std::string& name, const std::string& fallback) const {
  const auto found = flags_.find(name);
  return found == flags_.end() ? fallback : found->second.back();
}

std::vector<std::string> Arguments::GetAll(const std::string& name) const {
  const auto found = flags_.find(name);
  return found == flags_.end() ? std::vector<std::string>() : found->second;
}

absl::StatusOr<int64_t> Arguments::GetInt(const std::string& name, int64_t fallback,
                                          int64_t least) const {
  if (!Has(name)) return fallback;
  int64_t value = 0;
  if (!absl::SimpleAtoi(Get(name, ""), &value) || value < least) {
    return absl::InvalidArgumentError(absl::StrCat("--", name, "=", Get(name, ""),
                                                   ": wanted a whole number, ", least, " or more"));
  }
  return value;
}

absl::StatusOr<double> Arguments::GetDouble(const std::string& name, double fallback) const {
  if (!Has(name)) return fallback;
  double value = 0;
  if (!absl::SimpleAtod(Get(name, ""), &value) || !std::isfinite(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, "=", Get(name, ""), ": wanted a number"));
  }
  return value;
}

absl::StatusOr<std::string> Arguments::GetChoice(const std::string& name,
                                                 const std::vector<std::string>& choices) const {
  const std::string value = Get(name, choices.front());
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, "=", value, ": wanted ", absl::StrJoin(choices, ", ")));
  }
  return value;
}

absl::StatusOr<Arguments> ParseArguments(const std::vector<Flag>& flags,
                                         const std::vector<std::string>& words) {
  std::map<std::string, std::vector<std::string>> values;
  std::vector<std::string> positional;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      positional.insert(positional.end(), words.begin() + static_cast<ptrdiff_t>(i) + 1,
                        words.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      positional.push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string written = word.substr(0, equals);
    std::string name = written == "-h" ? "help" : written.substr(written[1] == '-' ? 2 : 1);
    std::replace(name.begin(), name.end(), '-', '_');
    const Flag* flag = Find(flags, name);
    if (flag == nullptr || (written[1] != '-' && written != "-h")) {
      return UnknownFlag(flags, written, name);
    }
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (flag->value.empty()) {
      value = "true";
    } else if (i + 1 < words.size() && !absl::StartsWith(words[i + 1], "--")) {
      value = words[++i];
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, " lacks its value, wanted --", name, "=", flag->value));
    }
    if (flag->value.empty() && value != "true" && value != "false") {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, "=", value, ": wanted true or false"));
    }
    if (!flag->repeated && values.count(name) > 0) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, " is given twice"));
    }
    values[name].push_back(std::move(value));
  }
  return Arguments(std::move(values), std::move(positional));
}

}  // namespace fourfold::cli
