#pragma once

#include <span>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/onnx/node_builder.h"

namespace fourfold::onnx {

// Most operators are supported from opset 7 on, those that did not change since then from older
// ones on.
inline constexpr int64_t kOldestOpset = 1;
inline constexpr int64_t kNewestOpset = 22;

// ONNX Runtime's own operators.
inline constexpr absl::string_view kMicrosoftDomain = "com.microsoft";

// One form of one operator: it holds for files that import opset `since` to `until` of its domain.
struct OperatorForm {
  absl::string_view op_type;
  int64_t since;
  int64_t until;
  int min_inputs;  // so many have to be there
  int max_inputs;
  int max_outputs;  // further ones may be listed as long as nobody reads them
  // Adds the node to the graph. UNIMPLEMENTED: what of it we lack, as `mode "cubic"`;
  // INVALID_ARGUMENT: what is wrong with it. The caller says which node.
  absl::Status (*build)(NodeBuilder& node);
  absl::string_view domain = "";  // the default one
  bool sequences = false;         // takes sequences of tensors as inputs
};

// All forms, by domain and name.
std::span<const OperatorForm> Operators();

// Null for operators we lack. `domain` is "" for the default one; `opset` is that of the domain.
const OperatorForm* FindOperator(absl::string_view domain, absl::string_view op_type,
                                 int64_t opset);

}  // namespace fourfold::onnx
