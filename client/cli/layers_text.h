#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fourfold::cli {

// One step of what a variant runs.
struct LayerRow {
  std::string node;
  std::string operation;
  std::string output;
  std::string precision;
  std::string kernel;
  int64_t macs = 0;
  std::string why_not_int8;
};

// The steps as a table for people, with a line below on how much of the work is int8.
std::string LayersToTable(const std::vector<LayerRow>& layers);

}  // namespace fourfold::cli
