// Shapes of operations that rearrange or repeat elements.
#include <algorithm>

#include "server/base/status_macros.h"
#include "server/graph/infer_node.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using Outputs = absl::StatusOr<std::vector<Inferred>>;

Outputs One(Inferred output) { return std::vector<Inferred>{std::move(output)}; }

absl::Status CheckBlock(const NodeView& view, int64_t block) {
  constexpr int64_t kMaxBlock = 1 << 20;  // its square stays small
  if (block < 1 || block > kMaxBlock) {
    return view.Error("got blocksize ", block, ", wanted 1 to ", kMaxBlock);
  }
  if (view.shape(0) && view.shape(0)->size() != 4) {
    return view.Error("got ", view.Text(0), ", wanted four dimensions");
  }
  return absl::OkStatus();
}

// dim / divisor where dim is known; an error if it leaves a rest.
absl::StatusOr<int64_t> Divided(const NodeView& view, int64_t dim, int64_t divisor) {
  if (dim == kUnknownDim) return kUnknownDim;
  if (dim % divisor == 0) return dim / divisor;
  return view.Error("got ", view.Text(0), ", wanted ", dim, " to be a multiple of ", divisor);
}

absl::StatusOr<int64_t> Multiplied(const NodeView& view, int64_t dim, int64_t factor) {
  if (dim == kUnknownDim) return kUnknownDim;
  const std::optional<int64_t> product = CheckedMultiply(dim, factor);
  if (product) return *product;
  return view.Error("got ", view.Text(0), " times ", factor, ", wanted fewer elements");
}

}  // namespace

Outputs Infer(const NodeView& view, const DepthToSpace& op) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(CheckBlock(view, op.block));
  if (!view.shape(0)) return One({view.type(0), std::nullopt});
  Shape shape = *view.shape(0);
  ASSIGN_OR_RETURN(shape[1], Divided(view, shape[1], op.block * op.block));
  for (size_t i = 2; i < 4; ++i) {
    ASSIGN_OR_RETURN(shape[i], Multiplied(view, shape[i], op.block));
  }
  return One({view.type(0), std::move(shape)});
}

Outputs Infer(const NodeView& view, const SpaceToDepth& op) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  RETURN_IF_ERROR(CheckBlock(view, op.block));
  if (!view.shape(0)) return One({view.type(0), std::nullopt});
  Shape shape = *view.shape(0);
  ASSIGN_OR_RETURN(shape[1], Multiplied(view, shape[1], op.block * op.block));
  for (size_t i = 2; i < 4; ++i) {
    ASSIGN_OR_RETURN(shape[i], Divided(view, shape[i], op.block));
  }
  return One({view.type(0), std::move(shape)});
}

Outputs Infer(const NodeView& view, const Tile&) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  if (!view.shape(0)) return One({view.type(0), std::nullopt});
  Shape shape = *view.shape(0);
  const std::optional<KnownIntegers> repeats = view.integers(1);
  if (repeats && repeats->size() != shape.size()) {
    return view.Error("got ", repeats->size(), " repeats of ", view.Text(0), ", wanted ",
                      shape.size());
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!repeats || !(*repeats)[i]) {
      shape[i] = kUnknownDim;
      continue;
    }
    const int64_t times = *(*repeats)[i];
    if (times < 0) return view.Error("got ", times, " repeats, wanted 0 or more");
    ASSIGN_OR_RETURN(shape[i], Multiplied(view, shape[i], times));
  }
  return One({view.type(0), std::move(shape)});
}

Outputs Infer(const NodeView& view, const Trilu&) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  if (view.shape(0) && view.shape(0)->size() < 2) {
    return view.Error("got ", view.Text(0), ", wanted at least two dimensions");
  }
  if (view.has(1)) {
    const std::optional<std::vector<int64_t>> k = view.known_integers(1);
    if (k && k->size() != 1) return view.Error("got ", k->size(), " numbers as k, wanted one");
  }
  return One({view.type(0), view.shape(0)});
}

Outputs Infer(const NodeView& view, const ReverseSequence& reverse) {
  RETURN_IF_ERROR(view.RequireInputs(2));
  const bool axes = (reverse.batch_axis == 0 && reverse.time_axis == 1) ||
                    (reverse.batch_axis == 1 && reverse.time_axis == 0);
  if (!axes) {
    return view.Error("got batch_axis ", reverse.batch_axis, " and time_axis ", reverse.time_axis,
                      ", wanted 0 and 1 or 1 and 0");
  }
  if (view.type(1) != DataType::kInt64) {
    return view.Error("got lengths of ", TypeText(view.type(1)), ", wanted int64");
  }
  if (view.shape(0) && view.shape(0)->size() < 2) {
    return view.Error("got ", view.Text(0), ", wanted at least two dimensions");
  }
  if (view.shape(0) && view.shape(1) &&
      !Compatible(*view.shape(1), {(*view.shape(0))[static_cast<size_t>(reverse.batch_axis)]})) {
    return view.Error("got lengths ", view.Text(1), " for ", view.Text(0),
                      ", wanted one for each sequence");
  }
  return One({view.type(0), view.shape(0)});
}

// image shape [2 or more], block shape; x [N, C * |block|, number of blocks].
Outputs Infer(const NodeView& view, const Col2Im& op) {
  RETURN_IF_ERROR(view.RequireInputs(3));
  Inferred result{view.type(0), std::nullopt};
  if (view.type(0) == DataType::kBool) return view.Error("got booleans, wanted numbers");
  const std::optional<KnownIntegers> image = view.integers(1);
  const std::optional<std::vector<int64_t>> block = view.known_integers(2);
  if (!view.shape(0) || !image || !block) return One(result);
  const Shape& x = *view.shape(0);
  const size_t rank = image->size();
  if (x.size() != 3 || rank == 0 || rank > kMaxRank - 2 || block->size() != rank) {
    return view.Error("got ", view.Text(0), " for an image of ", rank,
                      " dimensions and a block of ", block->size(),
                      ", wanted three dimensions and as many in block and image");
  }
  const Window& window = op.window;
  for (const std::vector<int64_t>* list : {&window.strides, &window.dilations}) {
    if (!list->empty() && list->size() != rank) {
      return view.Error("got ", list->size(), " strides or dilations, wanted ", rank);
    }
    for (int64_t number : *list) {
      if (number < 1)
        return view.Error("got a stride or dilation of ", number, ", wanted 1 or more");
    }
  }
  if (!window.pads.empty() && window.pads.size() != 2 * rank) {
    return view.Error("got ", window.pads.size(), " pads, wanted ", 2 * rank);
  }
  constexpr int64_t kMaxSize = int64_t{1} << 31;  // so that products of a few stay in 64 bits
  int64_t elements = 1, blocks = 1;
  bool known = true;
  Shape shape = {x[0], kUnknownDim};
  for (size_t i = 0; i < rank; ++i) {
    if ((*block)[i] < 1 || (*block)[i] > kMaxSize) {
      return view.Error("got block ", ShapeText(*block), ", wanted sizes from 1 to ", kMaxSize);
    }
    const std::optional<int64_t> product = CheckedMultiply(elements, (*block)[i]);
    if (!product) return view.Error("got block ", ShapeText(*block), ", wanted fewer elements");
    elements = *product;
    shape.push_back((*image)[i].value_or(kUnknownDim));
    if (!(*image)[i]) {
      known = false;
      continue;
    }
    const int64_t size = *(*image)[i];
    const int64_t stride = window.strides.empty() ? 1 : window.strides[i];
    const int64_t dilation = window.dilations.empty() ? 1 : window.dilations[i];
    const int64_t begin = window.pads.empty() ? 0 : window.pads[i];
    const int64_t end = window.pads.empty() ? 0 : window.pads[i + rank];
    if (size < 0 || size > kMaxSize || stride > kMaxSize || dilation > kMaxSize || begin < 0 ||
        begin > kMaxSize || end < 0 || end > kMaxSize) {
      return view.Error("got an image of ", size, " with pads ", begin, " and ", end,
                        ", wanted numbers from 0 to ", kMaxSize);
    }
    const std::optional<int64_t> reach = CheckedMultiply((*block)[i] - 1, dilation);
    const int64_t room = size + begin + end - (reach ? *reach : kMaxSize * 4) - 1;
    const std::optional<int64_t> count = CheckedMultiply(blocks, room < 0 ? 0 : room / stride + 1);
    if (!count) return view.Error("got ", view.Text(0), ", wanted fewer blocks");
    blocks = *count;
  }
  ASSIGN_OR_RETURN(shape[1], Divided(view, x[1], elements));
  if (known && !Compatible(x[2], blocks)) {
    return view.Error("got ", view.Text(0), ", wanted ", blocks, " blocks in its last dimension");
  }
  result.shape = std::move(shape);
  return One(result);
}

Outputs Infer(const NodeView& view, const SizeOf&) {
  RETURN_IF_ERROR(view.RequireInputs(1));
  return One({DataType::kInt64, Shape{}});
}

}  // namespace fourfold::graph
