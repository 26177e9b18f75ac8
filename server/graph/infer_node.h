#pragma once

#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/graph/graph.h"

namespace fourfold::graph {

// What shape inference of one node needs and gives; internal to this folder.

// Elements of small integer values (shapes under way) as far as they are known.
using KnownIntegers = std::vector<std::optional<int64_t>>;
using KnownContents = std::map<ValueId, KnownIntegers>;

struct Inferred {
  DataType type = DataType::kFloat32;
  std::optional<Shape> shape;
};

// One node with what is known of its inputs. Borrows all three; `contents` may be null.
class NodeView {
 public:
  NodeView(const Graph& graph, const Node& node, const KnownContents* contents)
      : graph_(graph), node_(node), contents_(contents) {}

  const Node& node() const { return node_; }
  bool has(size_t i) const { return node_.input(i) != kNoValue; }
  const Value& value(size_t i) const { return graph_.value(node_.inputs[i]); }
  const std::optional<Shape>& shape(size_t i) const { return value(i).shape; }
  // What the elements mean: float32 where integers stand for real numbers.
  DataType type(size_t i) const {
    return value(i).quantization ? DataType::kFloat32 : value(i).type;
  }

  // The elements of an integer input as far as they are known; nothing if not even their number is.
  std::optional<KnownIntegers> integers(size_t i) const;
  // The same where all of them are known.
  std::optional<std::vector<int64_t>> known_integers(size_t i) const;

  // INVALID_ARGUMENT "name (Operation): message".
  template <typename... Parts>
  absl::Status Error(const Parts&... parts) const {
    return absl::InvalidArgumentError(
        absl::StrCat(node_.name, " (", OperationName(node_.operation), "): ", parts...));
  }

  // "'x' [1, 3]": an input for a message.
  std::string Text(size_t i) const;

  // Error unless inputs 0 to count - 1 are there.
  absl::Status RequireInputs(size_t count) const;
  absl::Status RequireFloat(size_t i) const;
  // Of a product's inputs: equal types, or float32 and weights that are stored as float16. Dynamic
  // quantization has types of its own.
  absl::Status RequireSameFloats() const;

 private:
  const Graph& graph_;
  const Node& node_;
  const KnownContents* contents_;
};

// Type and shape of each output of a node; the type of a quantized output is what it means, not how
// it is stored. INVALID_ARGUMENT names the node.
absl::StatusOr<std::vector<Inferred>> InferNode(const NodeView& view);

// The rules, by family: one overload per operation; the older ones have names of their own.
template <typename Op>
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Op&) {
  return absl::UnimplementedError(
      absl::StrCat("node \"", view.node().name, "\": ", OperationName(view.node().operation)));
}

// infer_control.cc
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const If& branches);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Loop& loop);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Scan& scan);

// infer_arrangement.cc, infer_selection.cc
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Col2Im& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Compress& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const DepthToSpace& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const GatherElements& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const GatherNd& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const NonZero& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const OneHot& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const ReverseSequence& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const ScatterElements& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const ScatterNd& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const SizeOf& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const SpaceToDepth& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Tile& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const TopK& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Trilu& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Unique& op);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const IntegerConv& conv);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const IntegerMatMul& matmul);

// infer_image.cc
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const ConvTranspose& conv);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const GridSample& sample);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const MaxRoiPool& pool);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const MaxUnpool& unpool);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const NonMaxSuppression& select);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const RoiAlign& align);

// infer_normalization.cc
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const LocalResponseNorm& norm);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const LpNormalization& norm);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Normalization& norm);

// infer_elementwise.cc
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const ArgReduce& reduce);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Binary& binary);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Compare& compare);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const CumSum& sum);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Eltwise& eltwise);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Hardmax& hardmax);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const PRelu& prelu);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Softmax& softmax);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Where& where);

// infer_numbers.cc
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Det& det);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Dft& dft);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Einsum& einsum);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const EyeLike& eye);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const MelWeights& mel);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view,
                                            const NegativeLogLikelihood& loss);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Range& range);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Stft& stft);
absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const WindowFunction& window);

absl::StatusOr<Inferred> InferConv(const NodeView& view, const Conv& conv);
// Of a convolution of inputs 0 and 1, and of a product of them; nothing where not even the rank is
// known.
absl::StatusOr<std::optional<Shape>> ConvolvedShape(const NodeView& view, const Window& window,
                                                    int64_t groups);
absl::StatusOr<std::optional<Shape>> MultipliedShape(const NodeView& view, const MatMul& matmul);
absl::StatusOr<std::vector<Inferred>> InferPool(const NodeView& view, const Pool& pool);
absl::StatusOr<Inferred> InferMatMul(const NodeView& view, const MatMul& matmul);

absl::StatusOr<Inferred> InferConcat(const NodeView& view, const Concat& concat);
absl::StatusOr<Inferred> InferReduce(const NodeView& view, const Reduce& reduce);
absl::StatusOr<Inferred> InferPad(const NodeView& view);
absl::StatusOr<Inferred> InferResize(const NodeView& view, const Resize& resize);
absl::StatusOr<Inferred> InferTranspose(const NodeView& view, const Transpose& transpose);
absl::StatusOr<Inferred> InferReshape(const NodeView& view, const Reshape& reshape);
absl::StatusOr<Inferred> InferFlatten(const NodeView& view, const Flatten& flatten);
absl::StatusOr<Inferred> InferSqueeze(const NodeView& view);
absl::StatusOr<Inferred> InferUnsqueeze(const NodeView& view);
absl::StatusOr<Inferred> InferSlice(const NodeView& view);
absl::StatusOr<Inferred> InferGather(const NodeView& view, const Gather& gather);
absl::StatusOr<Inferred> InferExpand(const NodeView& view);
absl::StatusOr<Inferred> InferShapeOf(const NodeView& view, const ShapeOf& shape_of);
absl::StatusOr<Inferred> InferConstantOfShape(const NodeView& view, const ConstantOfShape& fill);

absl::StatusOr<std::vector<Inferred>> Infer(const NodeView& view, const Recurrent& recurrent);

// The elements of a node's integer output as far as those of its inputs tell: what follows shapes
// through ShapeOf, Gather, Slice, Concat, arithmetic. Nothing for other nodes.
std::optional<KnownIntegers> PropagateIntegers(const NodeView& view);

// a op b in two's complement; nothing where the result is undefined (division by 0).
std::optional<int64_t> IntegerArithmetic(Binary::Operation operation, int64_t a, int64_t b);

}  // namespace fourfold::graph
