#include "server/onnx/operators_markdown.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/onnx/operators.h"

namespace fourfold::onnx {
namespace {

// What a listed operator is refused with as UNIMPLEMENTED.
struct Restriction {
  absl::string_view domain;
  absl::string_view op_type;
  absl::string_view text;
};

constexpr const char* kKnownLength = "sequences and positions known when the model is imported";

constexpr Restriction kRestrictions[] = {
    {"", "BatchNormalization", "`spatial` 1; `training_mode` 1 of a known rank"},
    {"", "Cast", "no strings, 8-bit floats, 4-bit integers"},
    {"", "DequantizeLinear", "no 8-bit floats; scales of blocks and of float16 constant"},
    {"", "Dropout", "inference only"},
    {"", "QuantizeLinear", "no 8-bit floats; scales of blocks, of 4 bits and of float16 constant"},
    {"", "ConcatFromSequence", kKnownLength},
    {"", "SequenceAt", kKnownLength},
    {"", "SequenceConstruct", kKnownLength},
    {"", "SequenceEmpty", kKnownLength},
    {"", "SequenceErase", kKnownLength},
    {"", "SequenceInsert", kKnownLength},
    {"", "SequenceLength", kKnownLength},
    {"", "SplitToSequence", kKnownLength},
    {"com.microsoft", "QGemm", "constant parameters"},
};

using Range = std::pair<int64_t, int64_t>;

// The ranges of an operator's forms, those that touch as one: "7 to 22", "9, 11 to 22".
std::string OpsetsText(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<Range> merged;
  for (const Range& range : ranges) {
    if (!merged.empty() && range.first <= merged.back().second + 1) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  return absl::StrJoin(merged, ", ", [](std::string* text, const Range& range) {
    absl::StrAppend(text, range.first);
    if (range.second > range.first) absl::StrAppend(text, " to ", range.second);
  });
}

std::string RestrictionOf(absl::string_view domain, absl::string_view op_type) {
  for (const Restriction& row : kRestrictions) {
    if (row.domain == domain && row.op_type == op_type) return std::string(row.text);
  }
  return "";
}

}  // namespace

std::string OperatorsMarkdown() {
  std::map<absl::string_view, std::map<absl::string_view, std::vector<Range>>> domains;
  for (const OperatorForm& form : Operators()) {
    domains[form.domain][form.op_type].emplace_back(form.since, form.until);
  }
  std::string text = absl::StrCat(
      "# Operators\n\n"
      "<!-- Written by `fourfold-quantize --operators`; a test compares. -->\n\n"
      "ONNX operators that are imported, in files of opset ",
      kOldestOpset, " to ", kNewestOpset,
      ". A model with others, or with\n"
      "what the last column excludes, is refused with a message that names all of it.\n");
  for (const auto& [domain, operators] : domains) {
    absl::StrAppend(&text, "\n## ", domain.empty() ? "ai.onnx, the default domain" : domain,
                    "\n\n| operator | opsets | limits |\n|---|---|---|\n");
    for (const auto& [op_type, ranges] : operators) {
      const std::string restriction = RestrictionOf(domain, op_type);
      absl::StrAppend(&text, "| ", op_type, " | ", OpsetsText(ranges), " | ", restriction,
                      restriction.empty() ? "|\n" : " |\n");
    }
    absl::StrAppend(&text, "\n", operators.size(), " operators.\n");
  }
  return text;
}

}  // namespace fourfold::onnx
