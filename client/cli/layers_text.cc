#include "client/cli/layers_text.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/table.h"

namespace fourfold::cli {

std::string LayersToTable(const std::vector<LayerRow>& layers) {
  if (layers.empty()) return "the report of this version holds no steps\n";
  Table table;
  table.AddColumn("node", Align::kLeft);
  table.AddColumn("operation", Align::kLeft);
  table.AddColumn("result", Align::kLeft);
  table.AddColumn("precision", Align::kLeft);
  table.AddColumn("M MACs", Align::kRight);
  table.AddColumn("kernel", Align::kLeft);
  table.AddColumn("why not int8", Align::kLeft);
  int64_t total = 0, int8 = 0;
  for (const LayerRow& layer : layers) {
    total += layer.macs;
    if (absl::StrContains(layer.precision, "int8")) int8 += layer.macs;
    table.AddRow({layer.node.empty() ? "-" : layer.node, layer.operation, layer.output,
                  layer.precision.empty() ? "-" : layer.precision,
                  layer.macs == 0 ? "" : FormatFixed(static_cast<double>(layer.macs) / 1e6, 3),
                  layer.kernel, layer.why_not_int8});
  }
  const double share = total == 0 ? 0 : static_cast<double>(int8) / static_cast<double>(total);
  return absl::StrCat(table.Render(), absl::StrFormat("%d steps, %.1f%% of %.3f million "
                                                      "multiply-accumulates in int8\n",
                                                      layers.size(), 100 * share,
                                                      static_cast<double>(total) / 1e6));
}

}  // namespace fourfold::cli
