#pragma once

#include <ostream>

#include "client/job.h"
#include "nlohmann/json_fwd.hpp"

namespace fourfold::cli {

// One JSON object and a newline. Names come from servers and files: what is not UTF-8 is replaced.
void PrintJson(std::ostream& out, const nlohmann::ordered_json& json);

nlohmann::ordered_json JobToJson(const client::Job& job);

}  // namespace fourfold::cli
