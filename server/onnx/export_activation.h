#pragma once

#include <string>

#include "server/onnx/exporter.h"

namespace fourfold::onnx {

// Adds the ONNX nodes that compute y = activation(x) behind (or as) `node`. What opset 13 lacks is
// composed of what it has.
void ExportActivation(Exporter& exporter, const graph::Node& node, const std::string& name,
                      const kernels::Activation& activation, const std::string& x,
                      const std::string& y);

// Adds the ONNX nodes of an element-wise function.
void ExportEltwise(Exporter& exporter, const graph::Node& node, const graph::Eltwise& eltwise,
                   const std::string& x, const std::string& y);

}  // namespace fourfold::onnx
