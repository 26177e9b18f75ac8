#include "server/graph/einsum.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/status_macros.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

constexpr int kEllipsis = -1;
constexpr int kFirstOfEllipsis = 52;

// The labels of one term, an ellipsis as kEllipsis.
absl::StatusOr<std::vector<int>> ReadTerm(absl::string_view term) {
  std::vector<int> labels;
  for (size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if (c >= 'A' && c <= 'Z') {
      labels.push_back(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      labels.push_back(26 + c - 'a');
    } else if (term.substr(i, 3) == "..." &&
               std::find(labels.begin(), labels.end(), kEllipsis) == labels.end()) {
      labels.push_back(kEllipsis);
      i += 2;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("the equation's term \"", std::string(term),
                       "\" is not of letters and at most one ellipsis"));
    }
  }
  return labels;
}

// An ellipsis of `count` dimensions written out.
std::vector<int> Expand(const std::vector<int>& term, size_t count) {
  std::vector<int> labels;
  for (int label : term) {
    if (label != kEllipsis) {
      labels.push_back(label);
      continue;
    }
    for (size_t i = count; i-- > 0;) labels.push_back(kFirstOfEllipsis + static_cast<int>(i));
  }
  return labels;
}

// Without a result in the equation: the ellipsis, then the letters that occur once, in order.
std::vector<int> ImplicitResult(const std::vector<std::vector<int>>& operands) {
  std::map<int, int> uses;
  for (const std::vector<int>& term : operands) {
    for (int label : term) ++uses[label];
  }
  std::vector<int> result;
  for (const auto& [label, count] : uses) {
    if (label == kEllipsis || count == 1) result.push_back(label);
  }
  return result;  // kEllipsis is the least label
}

absl::Status CheckResult(const std::vector<int>& result,
                         const std::vector<std::vector<int>>& operands) {
  for (size_t i = 0; i < result.size(); ++i) {
    if (std::find(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(i), result[i]) !=
        result.begin() + static_cast<std::ptrdiff_t>(i)) {
      return absl::InvalidArgumentError("the equation's result names a dimension twice");
    }
    const bool known = std::any_of(operands.begin(), operands.end(), [&](const auto& term) {
      return std::find(term.begin(), term.end(), result[i]) != term.end();
    });
    if (!known) {
      return absl::InvalidArgumentError(
          "the equation's result names a dimension that no operand has");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EinsumLabels> ParseEinsum(const std::string& equation,
                                         const std::vector<size_t>& ranks) {
  std::string text = equation;
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const std::vector<std::string> sides = absl::StrSplit(text, "->");
  if (sides.size() > 2) return absl::InvalidArgumentError("the equation has several arrows");
  const std::vector<std::string> terms = absl::StrSplit(sides[0], ',');
  if (terms.size() != ranks.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the equation has ", terms.size(), " terms for ", ranks.size(), " operands"));
  }
  std::vector<std::vector<int>> operands;
  std::vector<size_t> in_ellipsis;
  size_t widest = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    ASSIGN_OR_RETURN(std::vector<int> term, ReadTerm(terms[i]));
    const bool open = std::find(term.begin(), term.end(), kEllipsis) != term.end();
    const size_t letters = term.size() - (open ? 1 : 0);
    if (ranks[i] < letters || (!open && ranks[i] != letters) || ranks[i] > kMaxRank) {
      return absl::InvalidArgumentError(absl::StrCat("the equation's term \"", terms[i],
                                                     "\" stands for an operand of ", ranks[i],
                                                     " dimensions"));
    }
    in_ellipsis.push_back(ranks[i] - letters);
    widest = std::max(widest, ranks[i] - letters);
    operands.push_back(std::move(term));
  }
  std::vector<int> result = ImplicitResult(operands);
  if (sides.size() == 2) {
    ASSIGN_OR_RETURN(result, ReadTerm(sides[1]));
  }
  RETURN_IF_ERROR(CheckResult(result, operands));
  EinsumLabels labels;
  for (size_t i = 0; i < operands.size(); ++i) {
    labels.operands.push_back(Expand(operands[i], in_ellipsis[i]));
  }
  labels.result = Expand(result, widest);
  return labels;
}

}  // namespace fourfold::graph
