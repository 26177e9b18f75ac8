#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "kernels/kernel.h"
#include "server/graph/graph.h"

namespace fourfold::graph {

// The kernels of operations that read and write plain arrays: row-major, in the types that the
// graph says, nothing fused. Plans and constant folding share them, so an operation is implemented
// once. Operations that have quantized, fused or layout-aware forms are lowered in server/runtime
// and come here for the types those forms do not take.

// One node with concrete types and shapes. Borrows the node and the constants.
struct PlainCall {
  const Node& node;
  std::vector<std::optional<kernels::TensorSpec>> inputs;   // as many as the node's; row-major
  std::vector<std::optional<kernels::TensorSpec>> outputs;  // nothing where absent
  std::vector<const Tensor*> constants;                     // of inputs; null where computed

  bool has(size_t i) const { return i < inputs.size() && inputs[i].has_value(); }
  const kernels::TensorSpec& in(size_t i) const { return *inputs[i]; }
  const kernels::TensorSpec& out(size_t i = 0) const { return *outputs[i]; }

  // The elements of an input that has to be known now; UNIMPLEMENTED says `what` depends on the
  // data.
  absl::StatusOr<std::vector<int64_t>> Integers(size_t i, const char* what) const;

  template <typename... Parts>
  absl::Status Error(const Parts&... parts) const {
    return absl::InvalidArgumentError(
        absl::StrCat(node.name, " (", OperationName(node.operation), "): ", parts...));
  }
};

// The first kernel that takes the call; null for operations and types that have no plain form. The
// kernel's inputs and outputs are those of the node by position, null pointers where absent.
absl::StatusOr<kernels::PreparedPtr> PreparePlain(const PlainCall& call,
                                                  const kernels::PrepareContext& context);

// ---- One overload per operation, by family in plain_*.cc. Called by PreparePlain only.

using PlainKernel = absl::StatusOr<kernels::PreparedPtr>;

template <typename Op>
PlainKernel PlainOf(const PlainCall&, const Op&, const kernels::PrepareContext&) {
  return kernels::PreparedPtr();
}

PlainKernel PlainOf(const PlainCall&, const Col2Im&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const DepthToSpace&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Dequantize&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const DynamicQuantize&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Gather&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const GatherElements&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const GatherNd&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const OneHot&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Pad&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Quantize&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const ReverseSequence&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const ScatterElements&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const ScatterNd&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const ShapeOf&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const SizeOf&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const SpaceToDepth&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Tile&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const TopK&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Trilu&, const kernels::PrepareContext&);
// plain_integer.cc
PlainKernel PlainOf(const PlainCall& call, const IntegerConv& conv,
                    const kernels::PrepareContext& context);
PlainKernel PlainOf(const PlainCall& call, const IntegerMatMul& matmul,
                    const kernels::PrepareContext& context);

// plain_image.cc
PlainKernel PlainOf(const PlainCall&, const Conv&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const ConvTranspose&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const GridSample&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const MaxRoiPool&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const MaxUnpool&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Pool&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Resize&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const RoiAlign&, const kernels::PrepareContext&);

// plain_normalization.cc
PlainKernel PlainOf(const PlainCall&, const LocalResponseNorm&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const LpNormalization&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Normalization&, const kernels::PrepareContext&);

// plain_elementwise.cc
PlainKernel PlainOf(const PlainCall&, const ArgReduce&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Binary&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Cast&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Compare&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const CumSum&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Eltwise&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Hardmax&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const PRelu&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Reduce&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Where&, const kernels::PrepareContext&);

// plain_numbers.cc
PlainKernel PlainOf(const PlainCall&, const ConstantOfShape&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Det&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Dft&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Einsum&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const EyeLike&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const MelWeights&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const NegativeLogLikelihood&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Range&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const Stft&, const kernels::PrepareContext&);
PlainKernel PlainOf(const PlainCall&, const WindowFunction&, const kernels::PrepareContext&);

}  // namespace fourfold::graph
