#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"
#include "server/onnx/shared_attributes.h"

namespace fourfold::onnx {
namespace {

using graph::kNoValue;
using graph::TensorPtr;
using graph::ValueId;

graph::Binary Arithmetic(graph::Binary::Operation operation) {
  return graph::Binary{.operation = operation, .activation = {}};
}

// Resize before opset 11 and Upsample: x[floor(i / scale)], or linear between such points.
absl::Status EmitUpsample(NodeBuilder& node, ValueId scales) {
  using Mode = graph::Resize::Mode;
  graph::Resize resize;
  ASSIGN_OR_RETURN(resize.mode, Choice<Mode>(node, "mode", "nearest",
                                             {{"nearest", Mode::kNearest},
                                              {"linear", Mode::kLinear},
                                              {"bilinear", Mode::kLinear}}));
  resize.coordinates = graph::Resize::Coordinates::kAsymmetric;
  resize.nearest = graph::Resize::Nearest::kFloor;
  node.Emit(resize, {node.input(0), scales});
  return absl::OkStatus();
}

absl::Status ReadResizeModes(NodeBuilder& node, graph::Resize& resize) {
  using Aspect = graph::Resize::Aspect;
  using Coordinates = graph::Resize::Coordinates;
  using Mode = graph::Resize::Mode;
  using Nearest = graph::Resize::Nearest;
  ASSIGN_OR_RETURN(resize.mode, Choice<Mode>(node, "mode", "nearest",
                                             {{"nearest", Mode::kNearest},
                                              {"linear", Mode::kLinear},
                                              {"cubic", Mode::kCubic}}));
  ASSIGN_OR_RETURN(
      resize.coordinates,
      Choice<Coordinates>(node, "coordinate_transformation_mode", "half_pixel",
                          {{"half_pixel", Coordinates::kHalfPixel},
                           {"pytorch_half_pixel", Coordinates::kPytorchHalfPixel},
                           {"align_corners", Coordinates::kAlignCorners},
                           {"asymmetric", Coordinates::kAsymmetric},
                           {"half_pixel_symmetric", Coordinates::kHalfPixelSymmetric},
                           {"tf_crop_and_resize", Coordinates::kTfCropAndResize},
                           {"tf_half_pixel_for_nn", Coordinates::kTfHalfPixelForNearest}}));
  ASSIGN_OR_RETURN(resize.nearest,
                   Choice<Nearest>(node, "nearest_mode", "round_prefer_floor",
                                   {{"round_prefer_floor", Nearest::kRoundPreferFloor},
                                    {"round_prefer_ceil", Nearest::kRoundPreferCeil},
                                    {"floor", Nearest::kFloor},
                                    {"ceil", Nearest::kCeil}}));
  ASSIGN_OR_RETURN(resize.aspect, Choice<Aspect>(node, "keep_aspect_ratio_policy", "stretch",
                                                 {{"stretch", Aspect::kStretch},
                                                  {"not_larger", Aspect::kNotLarger},
                                                  {"not_smaller", Aspect::kNotSmaller}}));
  return absl::OkStatus();
}

// A row [n] of coordinates from -1 to 1: to the centres of the first and last pixel where corners
// are aligned, else to the outer edges of all of them. `size` [1] is int64.
ValueId GridLine(NodeBuilder& node, ValueId size, bool align_corners, const std::string& name) {
  using Operation = graph::Binary::Operation;
  const auto named = [&](const char* suffix) { return node.NewValue(name + suffix); };
  const auto binary = [&](Operation operation, ValueId a, ValueId b, const char* suffix) {
    const ValueId result = named(suffix);
    node.Emit(Arithmetic(operation), {a, b}, {result});
    return result;
  };
  const ValueId scalar = named("_size"), indices = named("_indices"), index = named("_index");
  node.Emit(graph::Squeeze{}, {size, node.NewInt64s(name + "_axis", {0})}, {scalar});
  node.Emit(graph::Range{},
            {node.NewConstant(name + "_start",
                              graph::Tensor::Of<int64_t>(graph::DataType::kInt64, {}, {0})),
             scalar,
             node.NewConstant(name + "_step",
                              graph::Tensor::Of<int64_t>(graph::DataType::kInt64, {}, {1}))},
            {indices});
  node.Emit(graph::Cast{}, {indices}, {index});
  const ValueId length = named("_length");
  node.Emit(graph::Cast{}, {scalar}, {length});
  const ValueId one = node.NewScalar(name + "_one", 1.0f);
  const ValueId two = node.NewScalar(name + "_two", 2.0f);
  if (align_corners) {
    // Of one pixel, 0 / 1 - 1.
    const ValueId last =
        binary(Operation::kMax, binary(Operation::kSub, length, one, "_last"), one, "_divisor");
    const ValueId part = binary(Operation::kDiv, index, last, "_part");
    return binary(Operation::kSub, binary(Operation::kMul, part, two, "_twice"), one, "_line");
  }
  const ValueId center =
      binary(Operation::kAdd, binary(Operation::kMul, index, two, "_twice"), one, "_center");
  return binary(Operation::kSub, binary(Operation::kDiv, center, length, "_part"), one, "_line");
}

}  // namespace

absl::Status BuildConvTranspose(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  graph::ConvTranspose conv;
  // SAME pads may be given beside an output_shape, which decides.
  ASSIGN_OR_RETURN(conv.window, ReadWindow(attributes));
  conv.groups = attributes.Int("group", 1);
  conv.output_padding = attributes.Ints("output_padding");
  conv.output_shape = attributes.Ints("output_shape");
  if (conv.groups < 1) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"group\" is ", conv.groups));
  }
  node.Emit(conv, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildMaxUnpool(NodeBuilder& node) {
  node.attributes().Require("kernel_shape");
  graph::MaxUnpool unpool;
  ASSIGN_OR_RETURN(unpool.window, ReadWindow(node.attributes()));
  node.Emit(unpool, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildMaxRoiPool(NodeBuilder& node) {
  node.attributes().Require("pooled_shape");
  node.Emit(graph::MaxRoiPool{.pooled = node.attributes().Ints("pooled_shape"),
                              .spatial_scale = node.attributes().Float("spatial_scale", 1.0f)},
            node.inputs());
  return absl::OkStatus();
}

absl::Status BuildRoiAlign(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  graph::RoiAlign align;
  ASSIGN_OR_RETURN(align.maximum,
                   Choice<bool>(node, "mode", "avg", {{"avg", false}, {"max", true}}));
  constexpr int64_t kModesSince = 16;
  align.half_pixel = false;
  if (node.opset() >= kModesSince) {
    ASSIGN_OR_RETURN(align.half_pixel,
                     Choice<bool>(node, "coordinate_transformation_mode", "half_pixel",
                                  {{"half_pixel", true}, {"output_half_pixel", false}}));
  }
  align.output_height = attributes.Int("output_height", 1);
  align.output_width = attributes.Int("output_width", 1);
  align.sampling_ratio = attributes.Int("sampling_ratio", 0);
  align.spatial_scale = attributes.Float("spatial_scale", 1.0f);
  node.Emit(align, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildGridSample(NodeBuilder& node) {
  using Mode = graph::GridSample::Mode;
  using Padding = graph::GridSample::Padding;
  graph::GridSample sample;
  constexpr int64_t kRenamedSince = 20;
  const bool renamed = node.opset() >= kRenamedSince;
  ASSIGN_OR_RETURN(sample.mode, Choice<Mode>(node, "mode", renamed ? "linear" : "bilinear",
                                             {{renamed ? "linear" : "bilinear", Mode::kLinear},
                                              {"nearest", Mode::kNearest},
                                              {renamed ? "cubic" : "bicubic", Mode::kCubic}}));
  ASSIGN_OR_RETURN(sample.padding, Choice<Padding>(node, "padding_mode", "zeros",
                                                   {{"zeros", Padding::kZeros},
                                                    {"border", Padding::kBorder},
                                                    {"reflection", Padding::kReflection}}));
  sample.align_corners = node.attributes().Int("align_corners", 0) != 0;
  node.Emit(sample, node.inputs());
  return absl::OkStatus();
}

// theta [N, d, d + 1] times the homogeneous coordinates of each pixel of an image of `size`
// [N, C, (D,) H, W]: [N, (D,) H, W, d].
absl::Status BuildAffineGrid(NodeBuilder& node) {
  const bool align_corners = node.attributes().Int("align_corners", 0) != 0;
  const std::optional<graph::Shape> theta = node.KnownShape(node.input(0));
  const std::optional<graph::Shape> sizes = node.KnownShape(node.input(1));
  int64_t space = graph::kUnknownDim;
  if (theta && theta->size() == 3) space = (*theta)[1];
  if (space == graph::kUnknownDim && sizes && sizes->size() == 1) space = (*sizes)[0] - 2;
  if (space == graph::kUnknownDim) {
    return absl::UnimplementedError("an unknown number of dimensions");
  }
  if (space != 2 && space != 3) {
    return absl::InvalidArgumentError(absl::StrCat("has ", space, " dimensions of space"));
  }
  const auto size_of = [&](int64_t d, const std::string& name) {  // [1]
    const ValueId result = node.NewValue(name);
    node.Emit(graph::Gather{}, {node.input(1), node.NewInt64s(name + "_at", {d})}, {result});
    return result;
  };
  // The size of space, one after the other, and with 1 behind it.
  std::vector<ValueId> dims;
  for (int64_t d = 0; d < space; ++d) dims.push_back(size_of(d + 2, absl::StrCat("size", d)));
  dims.push_back(node.NewInt64s("one_element", {1}));
  const ValueId image = node.NewValue("image");
  node.Emit(graph::Concat{}, dims, {image});
  // x varies along the last dimension of space: each coordinate of a point is a line of numbers.
  std::vector<ValueId> coordinates;
  for (int64_t k = 0; k < space; ++k) {
    const int64_t along = space - 1 - k;
    const std::string name = absl::StrCat("axis", along);
    std::vector<int64_t> others;
    for (int64_t d = 0; d <= space; ++d) {
      if (d != along) others.push_back(d);
    }
    const ValueId line = GridLine(node, dims[static_cast<size_t>(along)], align_corners, name);
    const ValueId wide = node.NewValue(name + "_wide"), full = node.NewValue(name + "_full");
    node.Emit(graph::Unsqueeze{}, {line, node.NewInt64s(name + "_others", others)}, {wide});
    node.Emit(graph::Expand{}, {wide, image}, {full});
    coordinates.push_back(full);
  }
  const ValueId ones = node.NewValue("ones");
  node.Emit(graph::Expand{}, {node.NewScalar("one", 1.0f), image}, {ones});
  coordinates.push_back(ones);
  const ValueId points = node.NewValue("points"), flat = node.NewValue("flat");
  node.Emit(graph::Concat{.axis = -1}, coordinates, {points});
  node.Emit(graph::Reshape{}, {points, node.NewInt64s("flat_shape", {-1, space + 1})}, {flat});
  const ValueId moved = node.NewValue("moved"), shape = node.NewValue("shape");
  node.Emit(graph::MatMul{.transpose_rhs = true}, {flat, node.input(0)}, {moved});
  std::vector<ValueId> result = {size_of(0, "batch")};
  result.insert(result.end(), dims.begin(), dims.end() - 1);
  result.push_back(node.NewInt64s("space", {space}));
  node.Emit(graph::Concat{}, result, {shape});
  node.Emit(graph::Reshape{}, {moved, shape});
  return absl::OkStatus();
}

absl::Status BuildNonMaxSuppression(NodeBuilder& node) {
  node.Emit(graph::NonMaxSuppression{.center_point_box =
                                         node.attributes().Int("center_point_box", 0) != 0},
            node.inputs());
  return absl::OkStatus();
}

absl::Status BuildResize10(NodeBuilder& node) { return EmitUpsample(node, node.input(1)); }

absl::Status BuildResize(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  graph::Resize resize;
  RETURN_IF_ERROR(ReadResizeModes(node, resize));
  resize.cubic_coefficient = attributes.Float("cubic_coeff_a", -0.75f);
  resize.extrapolation_value = attributes.Float("extrapolation_value", 0.0f);
  resize.exclude_outside = attributes.Int("exclude_outside", 0) != 0;
  resize.antialias = attributes.Int("antialias", 0) != 0;
  resize.axes = attributes.Ints("axes");
  const auto given = [&](int i) {
    if (!node.has_input(i)) return false;
    const TensorPtr constant = node.Constant(i);
    if (constant) return constant->count() != 0;
    const std::optional<graph::Shape> shape = node.KnownShape(node.input(i));
    return !shape || shape->size() != 1 || (*shape)[0] != 0;
  };
  if (given(2) == given(3)) return absl::InvalidArgumentError("wants either scales or sizes");
  std::vector<ValueId> inputs = {node.input(0), given(2) ? node.input(2) : kNoValue,
                                 given(3) ? node.input(3) : kNoValue};
  if (resize.coordinates == graph::Resize::Coordinates::kTfCropAndResize && given(1)) {
    inputs.push_back(node.input(1));
  }
  node.Emit(resize, inputs);
  return absl::OkStatus();
}

absl::Status BuildUpsampleAttributes(NodeBuilder& node) {
  node.attributes().Require("scales");
  return EmitUpsample(node, node.NewFloats("scales", node.attributes().Floats("scales")));
}

absl::Status BuildUpsampleInputs(NodeBuilder& node) { return EmitUpsample(node, node.input(1)); }

}  // namespace fourfold::onnx
