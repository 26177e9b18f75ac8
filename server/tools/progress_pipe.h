#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fourfold::tools {

// Writes progress as JSON lines to a file descriptor that somebody else (the server) reads:
//   {"stage": "calibrate", "percent": 42, "message": "..."}
//   {"error": {"code": "INVALID_ARGUMENT", "message": "..."}}
// A line is written only when stage or percent changes. A reader that is gone is no error.
class ProgressPipe {
 public:
  explicit ProgressPipe(int fd) : fd_(fd) {}  // not closed; below 0: nothing is written

  void Report(absl::string_view stage, int percent, absl::string_view message);
  void Fail(const absl::Status& status);

 private:
  void Write(const std::string& line);

  const int fd_;
  std::string last_stage_;
  int last_percent_ = -1;
};

}  // namespace fourfold::tools
