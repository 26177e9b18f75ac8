#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fourfold::publish {

// One line that the quantizer writes to its progress pipe, a JSON object:
//   {"stage": "calibrate", "percent": 42, "message": "..."}
//   {"error": {"code": "INVALID_ARGUMENT", "message": "..."}}
struct ProgressLine {
  std::string stage;
  double percent = 0;
  std::string message;
  std::optional<absl::Status> error;
};

// Nothing if the line is not of these forms. Texts are cut to 4 KiB.
std::optional<ProgressLine> ParseProgressLine(absl::string_view line);

// Cuts a stream of bytes into lines; a line longer than 64 KiB is dropped.
class LineReader {
 public:
  std::vector<std::string> Add(absl::string_view bytes);

 private:
  std::string rest_;
  bool too_long_ = false;
};

}  // namespace fourfold::publish
