// Kernels of operations that select, rearrange and repeat elements, and of those that tell shapes.
#include <algorithm>
#include <cstring>

#include "kernels/arrange.h"
#include "kernels/gather.h"
#include "kernels/pad.h"
#include "kernels/scatter.h"
#include "kernels/top_k.h"
#include "server/base/status_macros.h"
#include "server/graph/plain_kernels.h"
#include "server/graph/shapes.h"
#include "server/graph/strided_copy.h"

namespace fourfold::graph {

namespace {

using kernels::PrepareContext;
using kernels::PrepareFirst;

absl::StatusOr<size_t> AxisOf(const PlainCall& call, int64_t axis, size_t rank) {
  const std::optional<size_t> dim = NormalizeAxis(axis, rank);
  if (dim) return *dim;
  return call.Error("got axis ", axis, ", wanted one of ", rank, " dimensions");
}

kernels::ScatterReduction ReductionOf(ScatterReduction reduction) {
  switch (reduction) {
    case ScatterReduction::kNone: return kernels::ScatterReduction::kNone;
    case ScatterReduction::kAdd: return kernels::ScatterReduction::kAdd;
    case ScatterReduction::kMul: return kernels::ScatterReduction::kMul;
    case ScatterReduction::kMax: return kernels::ScatterReduction::kMax;
    case ScatterReduction::kMin: return kernels::ScatterReduction::kMin;
  }
  return kernels::ScatterReduction::kNone;
}

// Writes integers that were known when the kernel was prepared.
class KnownIntegersKernel final : public kernels::PreparedKernel {
 public:
  explicit KnownIntegersKernel(std::vector<int64_t> numbers) : numbers_(std::move(numbers)) {}

  void Run(const kernels::RunArgs& args) const override {
    std::memcpy(args.outputs[0], numbers_.data(), numbers_.size() * sizeof(int64_t));
  }
  std::string_view implementation() const override { return "reference/known"; }

 private:
  const std::vector<int64_t> numbers_;
};

}  // namespace

PlainKernel PlainOf(const PlainCall& call, const Gather& gather, const PrepareContext& context) {
  kernels::GatherSpec spec{.src = call.in(0), .indices = call.in(1), .axis = 0, .params = {}};
  ASSIGN_OR_RETURN(spec.axis, AxisOf(call, gather.axis, spec.src.dims.size()));
  return PrepareFirst(kernels::GatherKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const GatherElements& gather,
                    const PrepareContext& context) {
  kernels::GatherElementsSpec spec{.src = call.in(0), .indices = call.in(1), .axis = 0};
  ASSIGN_OR_RETURN(spec.axis, AxisOf(call, gather.axis, spec.src.dims.size()));
  return PrepareFirst(kernels::GatherElementsKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const GatherNd& gather, const PrepareContext& context) {
  const kernels::GatherNdSpec spec{.src = call.in(0),
                                   .indices = call.in(1),
                                   .batch_dims = static_cast<size_t>(gather.batch_dims)};
  return PrepareFirst(kernels::GatherNdKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const ScatterElements& scatter,
                    const PrepareContext& context) {
  kernels::ScatterElementsSpec spec{.src = call.in(0),
                                    .indices = call.in(1),
                                    .axis = 0,
                                    .reduction = ReductionOf(scatter.reduction)};
  ASSIGN_OR_RETURN(spec.axis, AxisOf(call, scatter.axis, spec.src.dims.size()));
  return PrepareFirst(kernels::ScatterElementsKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const ScatterNd& scatter,
                    const PrepareContext& context) {
  const kernels::ScatterNdSpec spec{
      .src = call.in(0), .indices = call.in(1), .reduction = ReductionOf(scatter.reduction)};
  return PrepareFirst(kernels::ScatterNdKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const TopK& top_k, const PrepareContext& context) {
  kernels::TopKSpec spec{.src = call.in(0), .axis = 0, .k = 0, .largest = top_k.largest};
  ASSIGN_OR_RETURN(spec.axis, AxisOf(call, top_k.axis, spec.src.dims.size()));
  for (const std::optional<kernels::TensorSpec>& output : call.outputs) {
    if (output) spec.k = output->dims[spec.axis];
  }
  return PrepareFirst(kernels::TopKKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const OneHot& one_hot, const PrepareContext& context) {
  kernels::OneHotSpec spec{
      .indices = call.in(0), .value_type = call.out().type, .axis = 0, .depth = 0};
  ASSIGN_OR_RETURN(spec.axis, AxisOf(call, one_hot.axis, call.out().dims.size()));
  spec.depth = call.out().dims[spec.axis];
  return PrepareFirst(kernels::OneHotKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Pad& pad, const PrepareContext& context) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> pads, call.Integers(1, "pads"));
  kernels::PadSpec spec{.mode = static_cast<kernels::PadSpec::Mode>(pad.mode),
                        .src = call.in(0),
                        .dst = call.out(),
                        .begin = {},
                        .value = {}};
  std::vector<int64_t> axes;
  if (call.has(3)) {
    ASSIGN_OR_RETURN(axes, call.Integers(3, "axes"));
  }
  spec.begin = PadsInFront(spec.src.dims.size(), pads, call.has(3) ? &axes : nullptr);
  if (pad.mode == Pad::Mode::kConstant && call.has(2) &&
      kernels::ElementCount(call.in(2).dims) > 0) {
    const Tensor* value = call.constants[2];
    if (value == nullptr || value->type() != spec.src.type) return nullptr;
    std::memcpy(spec.value.data(), value->data(), ElementSize(value->type()));
  }
  return PrepareFirst(kernels::PadKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const DepthToSpace& op, const PrepareContext& context) {
  return PrepareFirst(kernels::CopyKernels(), CopyOf(op, call.in(0)), context);
}

PlainKernel PlainOf(const PlainCall& call, const SpaceToDepth& op, const PrepareContext& context) {
  return PrepareFirst(kernels::CopyKernels(), CopyOf(op, call.in(0)), context);
}

PlainKernel PlainOf(const PlainCall& call, const Tile&, const PrepareContext& context) {
  return PrepareFirst(kernels::CopyKernels(), CopyOfTile(call.in(0), call.out().dims), context);
}

PlainKernel PlainOf(const PlainCall& call, const Trilu& trilu, const PrepareContext& context) {
  kernels::TriangleSpec spec{.src = call.in(0), .upper = trilu.upper, .diagonal = 0};
  if (call.has(1)) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> k, call.Integers(1, "diagonals"));
    if (k.size() != 1) return call.Error("got ", k.size(), " numbers as k, wanted one");
    spec.diagonal = k[0];
  }
  return PrepareFirst(kernels::TriangleKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const ReverseSequence& reverse,
                    const PrepareContext& context) {
  const kernels::ReverseSequenceSpec spec{.src = call.in(0), .time_first = reverse.time_axis == 0};
  return PrepareFirst(kernels::ReverseSequenceKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Col2Im& op, const PrepareContext& context) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> block, call.Integers(2, "block shapes"));
  const kernels::Dims& dst = call.out().dims;
  const Window& window = op.window;
  kernels::BlocksToImageSpec spec;
  spec.type = call.in(0).type;
  spec.batch = dst[0];
  spec.channels = dst[1];
  spec.image.assign(dst.begin() + 2, dst.end());
  spec.block = block;
  const size_t rank = spec.image.size();
  const std::vector<int64_t> ones(rank, 1);
  spec.strides = window.strides.empty() ? ones : window.strides;
  spec.dilations = window.dilations.empty() ? ones : window.dilations;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t begin = window.pads.empty() ? 0 : window.pads[i];
    const int64_t end = window.pads.empty() ? 0 : window.pads[i + rank];
    const int64_t room = spec.image[i] + begin + end - (block[i] - 1) * spec.dilations[i] - 1;
    spec.pads.push_back(begin);
    spec.positions.push_back(room < 0 ? 0 : room / spec.strides[i] + 1);
  }
  return PrepareFirst(kernels::BlocksToImageKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const ShapeOf& shape_of, const PrepareContext&) {
  const kernels::Dims& x = call.in(0).dims;
  const auto rank = static_cast<int64_t>(x.size());
  const SliceRange range = ResolveSlice(shape_of.start, shape_of.end.value_or(rank), 1, rank);
  return std::make_unique<KnownIntegersKernel>(
      std::vector<int64_t>(x.begin() + range.start, x.begin() + range.start + range.count));
}

PlainKernel PlainOf(const PlainCall& call, const SizeOf&, const PrepareContext&) {
  return std::make_unique<KnownIntegersKernel>(
      std::vector<int64_t>{kernels::ElementCount(call.in(0).dims)});
}

}  // namespace fourfold::graph
