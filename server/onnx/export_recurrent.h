#pragma once

#include "absl/status/status.h"
#include "server/onnx/exporter.h"

namespace fourfold::onnx {

// One LSTM, GRU or RNN node of direction forward or reverse, with the dimension of directions added
// to its operands and taken from its results. Quantized weights stand behind DequantizeLinear.
absl::Status ExportRecurrent(Exporter& exporter, const graph::Node& node,
                             const graph::Recurrent& recurrent);

}  // namespace fourfold::onnx
