#include "server/tools/progress_pipe.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

namespace fourfold::tools {
namespace {

std::string Line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

void ProgressPipe::Report(absl::string_view stage, int percent, absl::string_view message) {
  if (stage == last_stage_ && percent == last_percent_) return;
  last_stage_ = std::string(stage);
  last_percent_ = percent;
  Write(Line({{"stage", last_stage_}, {"percent", percent}, {"message", std::string(message)}}));
}

void ProgressPipe::Fail(const absl::Status& status) {
  Write(Line({{"error",
               {{"code", absl::StatusCodeToString(status.code())},
                {"message", std::string(status.message())}}}}));
}

void ProgressPipe::Write(const std::string& line) {
  if (fd_ < 0) return;
  size_t written = 0;
  while (written < line.size()) {
    const ssize_t n = write(fd_, line.data() + written, line.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    written += static_cast<size_t>(n);
  }
}

}  // namespace fourfold::tools
