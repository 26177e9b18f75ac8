#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/tflite/builders.h"

namespace fourfold::tflite {
namespace {

using graph::DataType;
using graph::kNoValue;
using graph::Tensor;
using graph::ValueId;

// Input 1 as (before, after) of each dimension of input 0: [before..., after...].
absl::StatusOr<std::vector<int64_t>> Pads(const OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const size_t rank, op.Rank(0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> pairs, op.Ints(1));
  if (pairs.size() != 2 * rank) {
    return absl::InvalidArgumentError(absl::StrCat("has ", pairs.size(), " paddings for ", rank,
                                                   " dimensions, two of each are wanted"));
  }
  std::vector<int64_t> pads(2 * rank);
  for (size_t d = 0; d < rank; ++d) {
    for (size_t side = 0; side < 2; ++side) {
      pads[side * rank + d] = pairs[2 * d + side];
      if (pairs[2 * d + side] < 0) {
        return absl::InvalidArgumentError(absl::StrCat("has the padding ", pairs[2 * d + side]));
      }
    }
  }
  return pads;
}

// A number that a constant input means.
absl::StatusOr<float> Number(const OperatorBuilder& op, int i) {
  const TensorInfo& info = op.input(i);
  if (!info.is_constant) return absl::UnimplementedError(absl::StrCat("input ", i, " is computed"));
  if (graph::ElementCount(*info.shape) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " is not one number"));
  }
  const graph::TensorPtr constant = info.Constant();
  if (graph::ElementCount(constant->shape()) != 1) return 0.0f;
  if (info.type == DataType::kFloat32 || info.type == DataType::kFloat16) {
    return constant->ToFloat()[0];
  }
  if (!info.quantized()) {
    return absl::UnimplementedError(absl::StrCat("input ", i, " of ", graph::TypeText(info.type)));
  }
  const kernels::QuantParams how = info.quantization->params();
  return how.scale * static_cast<float>(constant->ToInt64()[0] - how.zero_point);
}

// Positions that a dimension of n elements takes with its edges mirrored, edge elements repeated.
std::vector<int64_t> Mirrored(int64_t n, int64_t before, int64_t after) {
  std::vector<int64_t> positions;
  for (int64_t i = before; i-- > 0;) positions.push_back(i);
  for (int64_t i = 0; i < n; ++i) positions.push_back(i);
  for (int64_t i = 0; i < after; ++i) positions.push_back(n - 1 - i);
  return positions;
}

absl::Status BuildMirrorPadSymmetric(OperatorBuilder& op, const std::vector<int64_t>& pads) {
  const graph::Shape& shape = *op.input(0).shape;
  ValueId x = op.Real(0);
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t before = pads[d], after = pads[shape.size() + d];
    if (before == 0 && after == 0) continue;
    if (shape[d] < 1) return absl::UnimplementedError("symmetric padding of an unknown dimension");
    if (before > shape[d] || after > shape[d]) {
      return absl::InvalidArgumentError(
          absl::StrCat("mirrors ", std::max(before, after), " elements of ", shape[d]));
    }
    x = op.Emit(graph::Gather{.axis = static_cast<int64_t>(d)},
                {x, op.NewInt64s("positions", Mirrored(shape[d], before, after))}, "mirrored");
  }
  return op.Return(x);
}

absl::Status BuildResize(OperatorBuilder& op, graph::Resize resize, bool align_corners,
                         bool half_pixel_centers) {
  using Coordinates = graph::Resize::Coordinates;
  if (align_corners && half_pixel_centers) {
    return absl::InvalidArgumentError("has both align_corners and half_pixel_centers");
  }
  resize.coordinates = align_corners        ? Coordinates::kAlignCorners
                       : half_pixel_centers ? Coordinates::kHalfPixel
                                            : Coordinates::kAsymmetric;
  ASSIGN_OR_RETURN(const std::vector<int64_t> size, op.Ints(1));
  if (size.size() != 2 || size[0] < 1 || size[1] < 1) {
    return absl::InvalidArgumentError("input 1, the size, is not two numbers above 0");
  }
  ASSIGN_OR_RETURN(const ValueId x, op.ChannelsFirst(0));
  const ValueId batch_and_channels =
      op.Emit(graph::ShapeOf{.start = 0, .end = 2}, {x}, "batch_and_channels");
  const ValueId sizes =
      op.Emit(graph::Concat{.axis = 0}, {batch_and_channels, op.NewInt64s("size", size)}, "sizes");
  return op.ReturnChannelsFirst(op.Emit(resize, {x, kNoValue, sizes}));
}

}  // namespace

absl::Status BuildReshape(OperatorBuilder& op) {
  std::vector<int64_t> shape;
  if (op.has_input(1) && !op.input(1).is_constant && op.input(1).rank() == 1 &&
      op.input(1).shape->front() != 0) {
    return op.Return(op.Emit(graph::Reshape{}, {op.Real(0), op.Int64(1)}));
  }
  const auto* options = op.OptionsOrNull<schema::ReshapeOptions>();
  if (op.has_input(1)) {
    ASSIGN_OR_RETURN(shape, op.Ints(1));
  } else if (options != nullptr && options->new_shape() != nullptr) {
    shape.assign(options->new_shape()->begin(), options->new_shape()->end());
  } else {
    return absl::InvalidArgumentError("has no shape");
  }
  graph::Reshape reshape;
  for (int64_t dim : shape) reshape.allow_zero = reshape.allow_zero || dim == 0;
  return op.Return(op.Emit(reshape, {op.Real(0), op.NewInt64s("shape", shape)}));
}

absl::Status BuildSqueeze(OperatorBuilder& op) {
  const auto* options = op.OptionsOrNull<schema::SqueezeOptions>();
  std::vector<int64_t> axes;
  if (options != nullptr && options->squeeze_dims() != nullptr) {
    axes.assign(options->squeeze_dims()->begin(), options->squeeze_dims()->end());
  }
  return op.Return(op.Emit(graph::Squeeze{},
                           {op.Real(0), axes.empty() ? kNoValue : op.NewInt64s("axes", axes)}));
}

absl::Status BuildExpandDims(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const int64_t axis, op.Int(1));
  return op.Return(op.Emit(graph::Unsqueeze{}, {op.Real(0), op.NewInt64s("axes", {axis})}));
}

absl::Status BuildTranspose(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(std::vector<int64_t> permutation, op.Ints(1));
  for (int64_t& axis : permutation) {
    ASSIGN_OR_RETURN(axis, op.Axis(0, axis));
  }
  if (permutation.empty()) return op.Return(op.Emit(graph::Identity{}, {op.Real(0)}));
  return op.Return(op.Emit(graph::Transpose{.permutation = permutation}, {op.Real(0)}));
}

absl::Status BuildPad(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> pads, Pads(op));
  ValueId value = kNoValue;
  if (op.has_input(2)) {
    ASSIGN_OR_RETURN(const float number, Number(op, 2));
    if (number != 0.0f) value = op.NewScalar("value", number);
  }
  return op.Return(op.Emit(graph::Pad{}, {op.Real(0), op.NewInt64s("pads", pads), value}));
}

absl::Status BuildMirrorPad(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::MirrorPadOptions>());
  ASSIGN_OR_RETURN(const std::vector<int64_t> pads, Pads(op));
  if (options->mode() == schema::MirrorPadMode::SYMMETRIC) return BuildMirrorPadSymmetric(op, pads);
  return op.Return(op.Emit(graph::Pad{.mode = graph::Pad::Mode::kReflect},
                           {op.Real(0), op.NewInt64s("pads", pads)}));
}

absl::Status BuildConcatenation(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::ConcatenationOptions>());
  ASSIGN_OR_RETURN(const int64_t axis, op.Axis(0, options->axis()));
  std::vector<ValueId> inputs;
  for (int i = 0; i < op.input_count(); ++i) inputs.push_back(op.Real(i));
  return op.Return(op.Emit(graph::Concat{.axis = axis}, inputs),
                   options->fused_activation_function());
}

absl::Status BuildPack(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::PackOptions>());
  if (options->values_count() != op.input_count()) {
    return absl::InvalidArgumentError(absl::StrCat("packs ", options->values_count(), " values, ",
                                                   op.input_count(), " are there"));
  }
  std::vector<ValueId> inputs;
  for (int i = 0; i < op.input_count(); ++i) {
    const ValueId expanded =
        op.Emit(graph::Unsqueeze{}, {op.Real(i), op.NewInt64s("axes", {options->axis()})},
                absl::StrCat("expanded_", i));
    inputs.push_back(op.values().Requantized(expanded, op.tensor(i)));
  }
  return op.Return(op.Emit(graph::Concat{.axis = options->axis()}, inputs));
}

absl::Status BuildResizeBilinear(OperatorBuilder& op) {
  const auto* options = op.OptionsOrNull<schema::ResizeBilinearOptions>();
  graph::Resize resize;
  resize.mode = graph::Resize::Mode::kLinear;
  return BuildResize(op, resize, options && options->align_corners(),
                     options && options->half_pixel_centers());
}

// Coordinates that are aligned or those of pixels' centres are rounded, halves up; others are cut.
absl::Status BuildResizeNearest(OperatorBuilder& op) {
  const auto* options = op.OptionsOrNull<schema::ResizeNearestNeighborOptions>();
  const bool align_corners = options && options->align_corners();
  const bool half_pixel_centers = options && options->half_pixel_centers();
  graph::Resize resize;
  resize.mode = graph::Resize::Mode::kNearest;
  resize.nearest = align_corners || half_pixel_centers ? graph::Resize::Nearest::kRoundPreferCeil
                                                       : graph::Resize::Nearest::kFloor;
  return BuildResize(op, resize, align_corners, half_pixel_centers);
}

absl::Status BuildTile(OperatorBuilder& op) {
  return op.Return(op.Emit(graph::Tile{}, {op.Real(0), op.Int64(1)}));
}

absl::Status BuildDepthToSpace(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::DepthToSpaceOptions>());
  ASSIGN_OR_RETURN(const ValueId x, op.ChannelsFirst(0));
  return op.ReturnChannelsFirst(op.Emit(graph::DepthToSpace{.block = options->block_size()}, {x}));
}

absl::Status BuildSpaceToDepth(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::SpaceToDepthOptions>());
  ASSIGN_OR_RETURN(const ValueId x, op.ChannelsFirst(0));
  return op.ReturnChannelsFirst(op.Emit(graph::SpaceToDepth{.block = options->block_size()}, {x}));
}

absl::Status BuildBroadcastTo(OperatorBuilder& op) {
  return op.Return(op.Emit(graph::Expand{}, {op.Real(0), op.Int64(1)}));
}

}  // namespace fourfold::tflite
