#pragma once

#include <functional>
#include <string>

#include "onnx/onnx.pb.h"

namespace fourfold::onnx {

// Calls visit(name) for each name that a node reads: its inputs, and what the graphs inside it read
// or give out, their own names among them (names are unique over a model's graphs).
void ForEachRead(const ::onnx::NodeProto& node,
                 const std::function<void(const std::string&)>& visit);

}  // namespace fourfold::onnx
