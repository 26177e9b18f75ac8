#pragma once

#include <cstdint>
#include <string>
#include <tuple>

namespace fourfold::telemetry {

// Labels of everything that is about one variant.
struct VariantLabels {
  std::string model;
  int64_t version = 0;
  std::string variant;

  friend bool operator<(const VariantLabels& a, const VariantLabels& b) {
    return std::tie(a.model, a.version, a.variant) < std::tie(b.model, b.version, b.variant);
  }
};

}  // namespace fourfold::telemetry
