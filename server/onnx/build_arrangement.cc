#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"

namespace fourfold::onnx {

using graph::DataType;
using graph::kNoValue;
using graph::ValueId;

absl::Status BuildTile(NodeBuilder& node) {
  node.Emit(graph::Tile{}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildTrilu(NodeBuilder& node) {
  node.Emit(graph::Trilu{.upper = node.attributes().Int("upper", 1) != 0}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildReverseSequence(NodeBuilder& node) {
  node.Emit(graph::ReverseSequence{.batch_axis = node.attributes().Int("batch_axis", 1),
                                   .time_axis = node.attributes().Int("time_axis", 0)},
            node.inputs());
  return absl::OkStatus();
}

absl::Status BuildDepthToSpace(NodeBuilder& node) {
  node.attributes().Require("blocksize");
  const std::string mode = node.opset() < 11 ? "DCR" : node.attributes().String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") {
    return absl::UnimplementedError(absl::StrCat("mode ", Quoted(mode)));
  }
  node.Emit(graph::DepthToSpace{.block = node.attributes().Int("blocksize", 0),
                                .column_row_depth = mode == "CRD"},
            node.inputs());
  return absl::OkStatus();
}

absl::Status BuildSpaceToDepth(NodeBuilder& node) {
  node.attributes().Require("blocksize");
  node.Emit(graph::SpaceToDepth{.block = node.attributes().Int("blocksize", 0)}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildCol2Im(NodeBuilder& node) {
  graph::Col2Im col2im;
  col2im.window.dilations = node.attributes().Ints("dilations");
  col2im.window.pads = node.attributes().Ints("pads");
  col2im.window.strides = node.attributes().Ints("strides");
  node.Emit(col2im, node.inputs());
  return absl::OkStatus();
}

// Pads what is too short on both sides, then cuts the middle out of what is too long.
absl::Status BuildCenterCropPad(NodeBuilder& node) {
  using Operation = graph::Binary::Operation;
  const auto binary = [&](Operation operation, ValueId left, ValueId right, const char* name) {
    const ValueId result = node.NewValue(name);
    node.Emit(graph::Binary{.operation = operation, .activation = {}}, {left, right}, {result});
    return result;
  };
  const ValueId x = node.input(0), wanted = node.NewValue("wanted");
  node.Emit(graph::Cast{.to = DataType::kInt64}, {node.input(1)}, {wanted});
  ValueId dims = node.NewValue("dims");
  node.Emit(graph::ShapeOf{}, {x}, {dims});
  ValueId axes = kNoValue;
  if (const std::vector<int64_t> list = node.attributes().Ints("axes"); !list.empty()) {
    axes = node.NewInt64s("axes", list);
    const ValueId some = node.NewValue("some_dims");
    node.Emit(graph::Gather{}, {dims, axes}, {some});
    dims = some;
  }
  const ValueId two = node.NewInt64s("two", {2});
  const ValueId longer = binary(Operation::kMax, dims, wanted, "longer");
  const ValueId missing = binary(Operation::kSub, longer, dims, "missing");
  const ValueId front = binary(Operation::kDiv, missing, two, "front");
  const ValueId back = binary(Operation::kSub, missing, front, "back");
  const ValueId pads = node.NewValue("pads"), padded = node.NewValue("padded");
  node.Emit(graph::Concat{}, {front, back}, {pads});
  node.Emit(graph::Pad{}, {x, pads, kNoValue, axes}, {padded});
  const ValueId surplus = binary(Operation::kSub, longer, wanted, "surplus");
  const ValueId start = binary(Operation::kDiv, surplus, two, "start");
  const ValueId end = binary(Operation::kAdd, start, wanted, "end");
  node.Emit(graph::Slice{}, {padded, start, end, axes});
  return absl::OkStatus();
}

absl::Status BuildSize(NodeBuilder& node) {
  node.Emit(graph::SizeOf{}, node.inputs());
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
