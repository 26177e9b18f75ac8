// Operations that move elements without computing: most are a new view of the same memory.

#include <cstring>

#include "kernels/gather.h"
#include "kernels/pad.h"
#include "server/base/status_macros.h"
#include "server/graph/strided_copy.h"
#include "server/runtime/lowering.h"

namespace fourfold::runtime {
namespace {

using graph::Node;
using graph::ValueId;
using kernels::Dims;
using kernels::ElementType;
using kernels::Layout;

// The node's input in the form in which its output is stored, so that moving it is enough: integers
// of the output's quantization, or float32, or the type that both have.
absl::StatusOr<View> Source(Lowering& lowering, ValueId from, ValueId to, LayoutWish wish) {
  const graph::Value& x = lowering.value(from);
  const graph::Value& out = lowering.value(to);
  if (!out.quantization.has_value()) {
    return x.quantization.has_value() ? lowering.Real(from, wish) : lowering.Stored(from, wish);
  }
  if (x.quantization == out.quantization && x.type == out.type) return lowering.Stored(from, wish);
  if (lowering.integer_activation(from) && lowering.integer_activation(to)) {
    ASSIGN_OR_RETURN(const View stored, lowering.Stored(from, wish));
    return lowering.Requantized(stored, x.quantization->params(), out.type,
                                out.quantization->params());
  }
  ASSIGN_OR_RETURN(const View real, lowering.Real(from, wish));
  const View stored = lowering.NewView(out.type, real.spec.dims, real.spec.layout);
  RETURN_IF_ERROR(lowering.AddQuantize(real, *out.quantization, stored));
  return stored;
}

absl::Status LowerReshape(Lowering& lowering, const Node& node) {
  const ValueId out = node.outputs[0];
  const bool same_dims = lowering.shape(node.inputs[0]) == lowering.shape(out);
  ASSIGN_OR_RETURN(View view, Source(lowering, node.inputs[0], out,
                                     same_dims ? LayoutWish::kAny : LayoutWish::kRowMajor));
  if (!same_dims) view.spec.dims = lowering.shape(out);
  return lowering.DefineStored(out, view);
}

// True where the strides are those of a layout, but for dimensions of one element.
bool StridesMatch(const Dims& dims, const std::vector<int64_t>& strides, Layout layout) {
  const std::vector<int64_t> wanted = kernels::Strides(dims, layout);
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != 1 && strides[i] != wanted[i]) return false;
  }
  return true;
}

absl::Status LowerTranspose(Lowering& lowering, const Node& node,
                            const graph::Transpose& transpose) {
  const ValueId out = node.outputs[0];
  ASSIGN_OR_RETURN(const View src,
                   Source(lowering, node.inputs[0], out, lowering.Preferred(node.inputs[0])));
  const Dims& dims = lowering.shape(out);
  const std::vector<int64_t> own = kernels::Strides(src.spec.dims, src.spec.layout);
  std::vector<int64_t> strides(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    const size_t from = transpose.permutation.empty()
                            ? dims.size() - 1 - i
                            : static_cast<size_t>(transpose.permutation[i]);
    strides[i] = own[from];
  }
  for (Layout layout : {Layout::kRowMajor, Layout::kChannelsLast}) {
    if (!StridesMatch(dims, strides, layout)) continue;
    View view = src;
    view.spec.dims = dims;
    view.spec.layout = layout;
    return lowering.DefineStored(out, view);
  }
  const View dst = lowering.NewView(src.spec.type, dims);
  RETURN_IF_ERROR(lowering.AddCopy(src, dst, dims, strides,
                                   kernels::Strides(dims, Layout::kRowMajor), 0, 0, "Transpose"));
  return lowering.DefineStored(out, dst);
}

absl::Status LowerConcat(Lowering& lowering, const Node& node, const graph::Concat& concat) {
  const ValueId out = node.outputs[0];
  const Dims& dims = lowering.shape(out);
  const auto axis = static_cast<size_t>(
      concat.axis < 0 ? concat.axis + static_cast<int64_t>(dims.size()) : concat.axis);
  LayoutWish wish = LayoutWish::kRowMajor;
  for (ValueId id : node.inputs) {
    if (lowering.Preferred(id) == LayoutWish::kChannelsLast) wish = LayoutWish::kChannelsLast;
  }
  const View dst = lowering.NewView(lowering.value(out).type, dims, LayoutOf(wish, dims.size()));
  const std::vector<int64_t> strides = kernels::Strides(dims, dst.spec.layout);
  int64_t position = 0;
  for (ValueId id : node.inputs) {
    const Dims& part = lowering.shape(id);
    if (kernels::ElementCount(part) == 0) continue;
    ASSIGN_OR_RETURN(const View src, Source(lowering, id, out, wish));
    RETURN_IF_ERROR(lowering.AddCopy(src, dst, part, kernels::Strides(part, src.spec.layout),
                                     strides, 0, position * strides[axis], "Concat"));
    position += part[axis];
  }
  return lowering.DefineStored(out, dst);
}

absl::StatusOr<std::vector<int64_t>> ConstantIntegers(Lowering& lowering, const Node& node,
                                                      size_t input, const char* what) {
  const graph::Tensor* tensor = lowering.graph().ConstantInput(node, input);
  if (tensor == nullptr) {
    return absl::UnimplementedError(
        absl::StrCat("node \"", node.name, "\": ", what, " that depend on the data"));
  }
  return tensor->ToInt64();
}

absl::Status LowerSlice(Lowering& lowering, const Node& node) {
  const ValueId out = node.outputs[0];
  ASSIGN_OR_RETURN(const View src,
                   Source(lowering, node.inputs[0], out, lowering.Preferred(node.inputs[0])));
  const Dims& image = src.spec.dims;
  const auto rank = static_cast<int64_t>(image.size());
  ASSIGN_OR_RETURN(const std::vector<int64_t> starts,
                   ConstantIntegers(lowering, node, 1, "starts"));
  std::vector<int64_t> axes(starts.size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  std::vector<int64_t> steps(starts.size(), 1);
  if (node.input(3) != graph::kNoValue) {
    ASSIGN_OR_RETURN(axes, ConstantIntegers(lowering, node, 3, "axes"));
  }
  if (node.input(4) != graph::kNoValue) {
    ASSIGN_OR_RETURN(steps, ConstantIntegers(lowering, node, 4, "steps"));
  }
  const Dims& dims = lowering.shape(out);
  std::vector<int64_t> strides = kernels::Strides(image, src.spec.layout);
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + rank : axes[i]);
    const int64_t size = image[axis];
    int64_t start = starts[i] < 0 ? starts[i] + size : starts[i];
    start = std::clamp<int64_t>(start, 0, steps[i] < 0 ? size - 1 : size);
    offset += start * strides[axis];
    // The step to a second element; where there is none it may be out of any range.
    strides[axis] = dims[axis] == 1 ? 0 : strides[axis] * steps[i];
  }
  const View dst = lowering.NewView(src.spec.type, dims, src.spec.layout);
  RETURN_IF_ERROR(lowering.AddCopy(src, dst, dims, strides, kernels::Strides(dims, dst.spec.layout),
                                   offset, 0, "Slice"));
  return lowering.DefineStored(out, dst);
}

// The integers of a constant table whose rows are dequantized when they are gathered; nothing where
// they are moved as they are, or cannot be converted row by row.
absl::StatusOr<std::optional<View>> QuantizedTable(Lowering& lowering, const Node& node,
                                                   size_t axis) {
  const graph::Value& table = lowering.value(node.inputs[0]);
  const graph::Value& out = lowering.value(node.outputs[0]);
  if (table.constant == nullptr || !table.quantization) return std::nullopt;
  const bool bytes = table.type == ElementType::kInt8 || table.type == ElementType::kUint8;
  const bool by_row = table.quantization->axis == 0 && axis == 0;
  const bool moved = table.quantization == out.quantization && table.type == out.type;
  if (!bytes || moved || !(table.quantization->per_tensor() || by_row)) return std::nullopt;
  ASSIGN_OR_RETURN(View integers, lowering.Stored(node.inputs[0], LayoutWish::kRowMajor));
  return integers;
}

absl::Status LowerGather(Lowering& lowering, const Node& node, const graph::Gather& gather) {
  const ValueId table = node.inputs[0], out = node.outputs[0];
  const auto rank = static_cast<int64_t>(lowering.shape(table).size());
  const auto axis = static_cast<size_t>(gather.axis < 0 ? gather.axis + rank : gather.axis);
  if (const graph::Tensor* known = lowering.graph().ConstantInput(node, 1)) {
    const int64_t length = lowering.shape(table)[axis];
    for (int64_t index : known->ToInt64()) {
      if (index >= -length && index < length) continue;
      return absl::InvalidArgumentError(absl::StrCat("node \"", node.name, "\": index ", index,
                                                     " is outside of the ", length, " slices"));
    }
  }
  ASSIGN_OR_RETURN(const View indices, lowering.Stored(node.inputs[1], LayoutWish::kRowMajor));
  kernels::GatherSpec spec{.src = {}, .indices = indices.spec, .axis = axis, .params = {}};
  ASSIGN_OR_RETURN(const std::optional<View> integers, QuantizedTable(lowering, node, axis));
  View src;
  ElementType type = ElementType::kFloat32;
  if (integers) {
    src = *integers;
    const graph::Quantization& quantization = *lowering.value(table).quantization;
    for (size_t i = 0; i < quantization.scale.size(); ++i) {
      spec.params.push_back({quantization.scale[i], quantization.zero_point[i]});
    }
  } else {
    ASSIGN_OR_RETURN(src, Source(lowering, table, out, LayoutWish::kRowMajor));
    type = src.spec.type;
  }
  spec.src = src.spec;
  const View dst = lowering.NewView(type, lowering.shape(out));
  RETURN_IF_ERROR(lowering.Add(kernels::GatherKernels(), spec, {src, indices}, {dst},
                               lowering.Info("Gather", dst)));
  return integers ? lowering.DefineReal(out, dst) : lowering.DefineStored(out, dst);
}

// A copy whose result is row-major.
template <typename MakeSpec>
absl::Status LowerCopy(Lowering& lowering, const Node& node, const char* name,
                       const MakeSpec& make) {
  const ValueId out = node.outputs[0];
  ASSIGN_OR_RETURN(const View src,
                   Source(lowering, node.inputs[0], out, lowering.Preferred(node.inputs[0])));
  const View dst = lowering.NewView(src.spec.type, lowering.shape(out));
  RETURN_IF_ERROR(
      lowering.Add(kernels::CopyKernels(), make(src.spec), {src}, {dst}, lowering.Info(name, dst)));
  return lowering.DefineStored(out, dst);
}

// In the layout of its input: blocks of an image whose channels are neighbours move as wholes.
absl::Status LowerDepthToSpace(Lowering& lowering, const Node& node,
                               const graph::DepthToSpace& op) {
  const ValueId out = node.outputs[0];
  ASSIGN_OR_RETURN(const View src,
                   Source(lowering, node.inputs[0], out, lowering.Preferred(node.inputs[0])));
  const View dst = lowering.NewView(src.spec.type, lowering.shape(out), src.spec.layout);
  kernels::CopySpec spec = graph::CopyOf(op, src.spec);  // of [N, C, H, b, W, b]
  const std::vector<int64_t> own = kernels::Strides(dst.spec.dims, dst.spec.layout);
  spec.dst_strides = {own[0], own[1], own[2] * op.block, own[2], own[3] * op.block, own[3]};
  RETURN_IF_ERROR(
      lowering.Add(kernels::CopyKernels(), spec, {src}, {dst}, lowering.Info("DepthToSpace", dst)));
  return lowering.DefineStored(out, dst);
}

absl::Status LowerExpand(Lowering& lowering, const Node& node) {
  const ValueId out = node.outputs[0];
  ASSIGN_OR_RETURN(const View src, Source(lowering, node.inputs[0], out, LayoutWish::kRowMajor));
  const Dims& dims = lowering.shape(out);
  const std::vector<int64_t> own = kernels::Strides(src.spec.dims, Layout::kRowMajor);
  std::vector<int64_t> strides(dims.size(), 0);
  const size_t missing = dims.size() - src.spec.dims.size();
  for (size_t i = missing; i < dims.size(); ++i) {
    if (src.spec.dims[i - missing] != 1) strides[i] = own[i - missing];
  }
  const View dst = lowering.NewView(src.spec.type, dims);
  RETURN_IF_ERROR(lowering.AddCopy(src, dst, dims, strides,
                                   kernels::Strides(dims, Layout::kRowMajor), 0, 0, "Expand"));
  return lowering.DefineStored(out, dst);
}

absl::Status LowerPad(Lowering& lowering, const Node& node, const graph::Pad& pad) {
  const ValueId out = node.outputs[0];
  const graph::Value& result = lowering.value(out);
  ASSIGN_OR_RETURN(const View src,
                   Source(lowering, node.inputs[0], out, lowering.Preferred(node.inputs[0])));
  ASSIGN_OR_RETURN(const std::vector<int64_t> pads, ConstantIntegers(lowering, node, 1, "pads"));
  const bool has_axes = node.input(3) != graph::kNoValue;
  std::vector<int64_t> axes;
  if (has_axes) {
    ASSIGN_OR_RETURN(axes, ConstantIntegers(lowering, node, 3, "axes"));
  }
  const View dst = lowering.NewView(src.spec.type, lowering.shape(out), src.spec.layout);
  kernels::PadSpec spec;
  spec.mode = static_cast<kernels::PadSpec::Mode>(pad.mode);
  spec.src = src.spec;
  spec.dst = dst.spec;
  spec.begin = graph::PadsInFront(spec.src.dims.size(), pads, has_axes ? &axes : nullptr);
  if (spec.mode == kernels::PadSpec::Mode::kConstant) {
    const graph::Tensor* constant = lowering.graph().ConstantInput(node, 2);
    if (constant == nullptr && node.input(2) != graph::kNoValue) {
      return absl::UnimplementedError(
          absl::StrCat("node \"", node.name, "\": a value to pad with that depends on the data"));
    }
    if (constant != nullptr && constant->count() == 0) constant = nullptr;
    const float real = constant == nullptr ? 0.0f : constant->ToFloat()[0];
    if (result.quantization.has_value() && result.type == ElementType::kUint8) {
      const kernels::QuantParams params = result.quantization->params();
      const auto stored =
          kernels::RoundAndSaturate<uint8_t>(real / params.scale, params.zero_point);
      std::memcpy(spec.value.data(), &stored, sizeof(stored));
    } else if (result.quantization.has_value() && result.type == ElementType::kInt8) {
      const kernels::QuantParams params = result.quantization->params();
      const auto stored = kernels::RoundAndSaturate<int8_t>(real / params.scale, params.zero_point);
      std::memcpy(spec.value.data(), &stored, sizeof(stored));
    } else if (constant != nullptr) {
      std::memcpy(spec.value.data(), constant->data(), kernels::ElementSize(constant->type()));
    }
  }
  RETURN_IF_ERROR(
      lowering.Add(kernels::PadKernels(), spec, {src}, {dst}, lowering.Info("Pad", dst)));
  return lowering.DefineStored(out, dst);
}

}  // namespace

absl::Status LowerMovement(Lowering& lowering, const Node& node) {
  if (node.as<graph::Reshape>() || node.as<graph::Flatten>() || node.as<graph::Squeeze>() ||
      node.as<graph::Unsqueeze>() || node.as<graph::Identity>()) {
    return LowerReshape(lowering, node);
  }
  if (const auto* transpose = node.as<graph::Transpose>()) {
    return LowerTranspose(lowering, node, *transpose);
  }
  if (const auto* concat = node.as<graph::Concat>()) return LowerConcat(lowering, node, *concat);
  if (node.as<graph::Slice>() != nullptr) return LowerSlice(lowering, node);
  if (const auto* gather = node.as<graph::Gather>()) return LowerGather(lowering, node, *gather);
  if (node.as<graph::Expand>() != nullptr) return LowerExpand(lowering, node);
  if (const auto* pad = node.as<graph::Pad>()) return LowerPad(lowering, node, *pad);
  if (const auto* op = node.as<graph::DepthToSpace>()) {
    return LowerDepthToSpace(lowering, node, *op);
  }
  if (const auto* op = node.as<graph::SpaceToDepth>()) {
    return LowerCopy(lowering, node, "SpaceToDepth",
                     [&](const kernels::TensorSpec& src) { return graph::CopyOf(*op, src); });
  }
  if (node.as<graph::Tile>() != nullptr) {
    const Dims& dims = lowering.shape(node.outputs[0]);
    return LowerCopy(lowering, node, "Tile",
                     [&](const kernels::TensorSpec& src) { return graph::CopyOfTile(src, dims); });
  }
  return LowerPlain(lowering, node);
}

}  // namespace fourfold::runtime
