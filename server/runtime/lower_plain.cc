// Operations on plain row-major arrays: what graph/plain_kernels.h has a kernel for.

#include "server/base/status_macros.h"
#include "server/graph/plain_kernels.h"
#include "server/runtime/lowering.h"

namespace fourfold::runtime {

using graph::kNoValue;
using graph::Node;
using graph::ValueId;

absl::Status LowerPlain(Lowering& lowering, const Node& node) {
  graph::PlainCall call{node, {}, {}, {}};
  std::vector<View> inputs, outputs;
  for (ValueId id : node.inputs) {
    if (id == kNoValue) {
      call.inputs.emplace_back();
      call.constants.push_back(nullptr);
      inputs.emplace_back();
      continue;
    }
    const graph::Value& value = lowering.value(id);
    ASSIGN_OR_RETURN(const View view, value.quantization
                                          ? lowering.Real(id, LayoutWish::kRowMajor)
                                          : lowering.Stored(id, LayoutWish::kRowMajor));
    call.inputs.emplace_back(view.spec);
    call.constants.push_back(value.constant.get());
    inputs.push_back(view);
  }
  for (ValueId id : node.outputs) {
    if (id == kNoValue) {
      call.outputs.emplace_back();
      outputs.emplace_back();
      continue;
    }
    const graph::Value& value = lowering.value(id);
    const View view = lowering.NewView(
        value.quantization ? kernels::ElementType::kFloat32 : value.type, *value.shape);
    call.outputs.emplace_back(view.spec);
    outputs.push_back(view);
  }
  ASSIGN_OR_RETURN(kernels::PreparedPtr kernel, graph::PreparePlain(call, lowering.context()));
  if (kernel == nullptr) {
    std::string types;
    for (const auto& input : call.inputs) {
      absl::StrAppend(&types, types.empty() ? "" : ", ",
                      input ? graph::TypeText(input->type) : "none");
    }
    return absl::UnimplementedError(absl::StrCat("no kernel for node \"", node.name,
                                                 "\": ", graph::OperationName(node.operation),
                                                 " of ", types.empty() ? "no inputs" : types));
  }
  StepInfo info;
  for (const View& output : outputs) {
    if (output.storage >= 0 && info.operation.empty()) {
      info = lowering.Info(std::string(graph::OperationName(node.operation)), output);
    }
  }
  lowering.AddPrepared(std::move(kernel), inputs, outputs, std::move(info));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    RETURN_IF_ERROR(lowering.DefineReal(node.outputs[i], outputs[i]));
  }
  return absl::OkStatus();
}

}  // namespace fourfold::runtime
