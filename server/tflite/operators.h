#pragma once

#include "absl/status/status.h"
#include "server/tflite/operator_builder.h"

namespace fourfold::tflite {

struct OperatorForm {
  schema::BuiltinOperator code;
  int min_inputs;  // so many have to be there
  int max_inputs;
  int max_outputs;
  // Adds the operator to the graph. UNIMPLEMENTED: what of it we lack; INVALID_ARGUMENT: what is
  // wrong with it. The caller says which operator.
  absl::Status (*build)(OperatorBuilder& op);
  bool reads_state = false;  // its variable inputs, which nothing writes, begin at zero
};

// Null for operators that we lack.
const OperatorForm* FindOperator(schema::BuiltinOperator code);

}  // namespace fourfold::tflite
