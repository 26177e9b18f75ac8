#pragma once

#include <string>
#include <vector>

#include "server/onnx/export.h"
#include "server/report/report.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::testing {

// y = x + addend, x float32 [N, 2]: an ONNX file of a few hundred bytes.
inline std::string AddModel(float addend) {
  GraphBuilder b;
  const auto x = b.Input("x", {graph::kUnknownDim, 2});
  b.Output(b.Sum(x, b.Constant({2}, {addend, addend})), "y");
  return onnx::Export(b.Build()).value();
}

// Figures that differ between variants: later ones are faster, smaller and less accurate.
inline report::Report ReportOf(const std::vector<std::string>& variants) {
  report::Report report;
  report.model = "m";
  report.version = 1;
  report.cpu_isa = "reference";
  for (size_t i = 0; i < variants.size(); ++i) {
    const double step = static_cast<double>(i);
    report::Variant variant;
    variant.variant = variants[i];
    variant.is_default = i + 1 == variants.size();
    variant.size.file_bytes = 1000 - 100 * static_cast<int64_t>(i);
    variant.size.weight_bytes = 900 - 100 * static_cast<int64_t>(i);
    variant.latency.p50_ms = 10 - step;
    variant.latency.p90_ms = 11 - step;
    variant.latency.p99_ms = 12 - step;
    variant.latency.throughput_per_s = 100 + step;
    variant.labelled = report::Labelled{100, 0.9 - 0.01 * step, 0.99};
    variant.fidelity =
        report::Fidelity{100, 1 - 0.02 * step, 0.95 - 0.02 * step, 60 - 10 * step, 0.99};
    variant.versus_fp32.speedup = 10 / (10 - step);
    variant.versus_fp32.size_ratio = 1 - 0.1 * step;
    variant.versus_fp32.top1_delta = -0.01 * step;
    report.variants.push_back(variant);
  }
  return report;
}

}  // namespace fourfold::testing
