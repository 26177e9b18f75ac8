#include "client/cli/json_text.h"

#include "nlohmann/json.hpp"

namespace fourfold::cli {

using nlohmann::ordered_json;

void PrintJson(std::ostream& out, const ordered_json& json) {
  out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
}

ordered_json JobToJson(const client::Job& job) {
  return {{"job_id", job.job_id},
          {"model", job.model},
          {"version", job.version},
          {"state", JobStateName(job.state)},
          {"stage", job.stage},
          {"percent", job.percent},
          {"message", job.message},
          {"created_unix_ms", job.created_unix_ms},
          {"started_unix_ms", job.started_unix_ms},
          {"finished_unix_ms", job.finished_unix_ms}};
}

}  // namespace fourfold::cli
