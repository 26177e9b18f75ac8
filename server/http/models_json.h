#pragma once

#include <string>
#include <vector>

#include "server/registry/model_registry.h"

namespace fourfold::http {

// {"models": [...]}: of each model its newest version, all versions, and per variant what a list
// shows: file bytes, median latency, speed-up, accuracy where measured.
std::string ModelsToJson(const registry::Snapshot& models);

// The comparison as report::ToJson writes it, and beside it the model's present versions
// ("versions"), when this one was published ("created_unix_ms") and the figures in words
// ("verdict": a summary, and a text for each variant but fp32).
std::string ComparisonToJson(const registry::ModelVersion& version,
                             const std::vector<int64_t>& versions);

}  // namespace fourfold::http
