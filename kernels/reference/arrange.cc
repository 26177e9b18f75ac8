#include <cstring>

#include "kernels/reference/elements.h"
#include "kernels/reference/indices.h"
#include "kernels/reference/movement.h"

namespace fourfold::kernels::reference {
namespace {

template <typename T>
PreparedPtr CopyTriangle(int64_t rows, int64_t columns, int64_t matrices, bool upper,
                         int64_t diagonal) {
  return MakeKernel("reference/triangle", [=](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    T* dst = Output<T>(args);
    ForRange(*args.parallel, matrices * rows, columns, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        // The first column of the upper triangle, or the one behind the lower.
        const int64_t split =
            std::clamp<int64_t>(line % rows + diagonal + (upper ? 0 : 1), 0, columns);
        const int64_t first = upper ? split : 0, last = upper ? columns : split;
        const T* from = src + line * columns;
        T* to = dst + line * columns;
        std::fill(to, to + first, T());
        std::copy(from + first, from + last, to + first);
        std::fill(to + last, to + columns, T());
      }
    });
  });
}

// Steps of `inner` elements.
template <typename T>
PreparedPtr ReverseSteps(int64_t steps, int64_t batch, int64_t inner, bool time_first) {
  return MakeKernel("reference/reverse_sequence", [=](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    const int64_t* lengths = Input<int64_t>(args, 1);
    T* dst = Output<T>(args);
    const auto at = [=](int64_t t, int64_t b) {
      return (time_first ? t * batch + b : b * steps + t) * inner;
    };
    ForRange(*args.parallel, steps * batch, inner, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t t = unit / batch, b = unit % batch;
        int64_t length = lengths[b];
        if (length < 0 || length > steps) {
          if (args.fault != nullptr) {
            args.fault->Report("a sequence's length is below 0 or above the number of steps");
          }
          length = 0;
        }
        std::memcpy(dst + at(t, b), src + at(t < length ? length - 1 - t : t, b),
                    static_cast<size_t>(inner) * sizeof(T));
      }
    });
  });
}

// The position in [0, depth) that an index means, -1 for none.
template <typename Number>
int64_t HotPosition(Number index, int64_t depth) {
  if constexpr (std::is_floating_point_v<Number>) {
    const Number whole = std::trunc(index);
    if (!(whole >= static_cast<Number>(-depth) && whole < static_cast<Number>(depth))) return -1;
    const auto position = static_cast<int64_t>(whole);
    return position < 0 ? position + depth : position;
  } else {
    if constexpr (std::is_signed_v<Number>) {
      const auto whole = static_cast<int64_t>(index);
      if (whole < 0) return whole < -depth ? -1 : whole + depth;
    }
    return static_cast<uint64_t>(index) < static_cast<uint64_t>(depth) ? static_cast<int64_t>(index)
                                                                       : -1;
  }
}

template <typename E, typename T>
PreparedPtr MarkHot(int64_t outer, int64_t inner, int64_t depth) {
  return MakeKernel("reference/one_hot", [=](const RunArgs& args) {
    const auto* indices = Input<typename E::Stored>(args, 0);
    const T* values = Input<T>(args, 2);
    T* dst = Output<T>(args);
    ForRange(*args.parallel, outer * inner, depth, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        T* to = dst + i / inner * depth * inner + i % inner;
        const int64_t hot = HotPosition(E::Load(indices[i]), depth);
        if (inner == 1) {
          std::fill_n(to, depth, values[0]);
        } else {
          for (int64_t d = 0; d < depth; ++d) to[d * inner] = values[0];
        }
        if (hot >= 0) to[hot * inner] = values[1];
      }
    });
  });
}

// Blocks and positions of one pixel: for each dimension, the position in a block and the block that
// lie on it.
template <typename E>
class ImageOfBlocks {
 public:
  explicit ImageOfBlocks(const BlocksToImageSpec& spec)
      : spec_(spec),
        pixels_(ElementCount(spec.image)),
        block_(ElementCount(spec.block)),
        positions_(ElementCount(spec.positions)) {}

  void operator()(const RunArgs& args) const {
    const auto* src = Input<typename E::Stored>(args, 0);
    auto* dst = Output<typename E::Stored>(args);
    const int64_t count = spec_.batch * spec_.channels * pixels_;
    ForRange(*args.parallel, count, block_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto* channel = src + i / pixels_ * block_ * positions_;
        dst[i] = E::Store(Sum(channel, i % pixels_));
      }
    });
  }

 private:
  using Number = typename E::Number;

  Number Sum(const typename E::Stored* channel, int64_t pixel) const {
    const size_t rank = spec_.image.size();
    std::array<int64_t, kMaxRank> at{};  // the pixel, counted from the first padded one
    for (size_t d = rank; d-- > 0;) {
      at[d] = pixel % spec_.image[d] + spec_.pads[d];
      pixel /= spec_.image[d];
    }
    Number sum = 0;
    for (int64_t b = 0; b < block_; ++b) {
      int64_t rest = b, position = 0, scale = 1;
      bool hit = true;
      for (size_t d = rank; d-- > 0 && hit;) {
        const int64_t from = at[d] - rest % spec_.block[d] * spec_.dilations[d];
        rest /= spec_.block[d];
        hit = from >= 0 && from % spec_.strides[d] == 0 &&
              from / spec_.strides[d] < spec_.positions[d];
        position += from / spec_.strides[d] * scale;
        scale *= spec_.positions[d];
      }
      if (hit) sum = static_cast<Number>(sum + E::Load(channel[b * positions_ + position]));
    }
    return sum;
  }

  BlocksToImageSpec spec_;
  int64_t pixels_, block_, positions_;
};

}  // namespace

PreparedPtr PrepareTriangle(const TriangleSpec& spec, const PrepareContext&) {
  const Dims& dims = spec.src.dims;
  if (dims.size() < 2) return nullptr;
  const int64_t rows = dims[dims.size() - 2], columns = dims.back();
  // Further off, a diagonal leaves all or nothing.
  const int64_t diagonal = std::clamp(spec.diagonal, -rows, columns);
  return VisitSize(spec.src.type, [&](auto element) {
    return CopyTriangle<decltype(element)>(rows, columns, Product(dims, 0, dims.size() - 2),
                                           spec.upper, diagonal);
  });
}

PreparedPtr PrepareReverseSequence(const ReverseSequenceSpec& spec, const PrepareContext&) {
  const Dims& dims = spec.src.dims;
  if (dims.size() < 2) return nullptr;
  return VisitSize(spec.src.type, [&](auto element) {
    return ReverseSteps<decltype(element)>(dims[spec.time_first ? 0 : 1],
                                           dims[spec.time_first ? 1 : 0],
                                           Product(dims, 2, dims.size()), spec.time_first);
  });
}

PreparedPtr PrepareOneHot(const OneHotSpec& spec, const PrepareContext&) {
  const Dims& dims = spec.indices.dims;
  if (spec.axis > dims.size() || spec.depth < 0 || spec.indices.type == ElementType::kBool) {
    return nullptr;
  }
  const int64_t outer = Product(dims, 0, spec.axis), inner = Product(dims, spec.axis, dims.size());
  return VisitElement(spec.indices.type, [&](auto index) -> PreparedPtr {
    return VisitSize(spec.value_type, [&](auto value) {
      return MarkHot<decltype(index), decltype(value)>(outer, inner, spec.depth);
    });
  });
}

PreparedPtr PrepareBlocksToImage(const BlocksToImageSpec& spec, const PrepareContext&) {
  const size_t rank = spec.image.size();
  if (rank == 0 || rank > kMaxRank || spec.block.size() != rank || spec.strides.size() != rank ||
      spec.dilations.size() != rank || spec.pads.size() != rank || spec.positions.size() != rank ||
      spec.type == ElementType::kBool) {
    return nullptr;
  }
  return VisitElement(spec.type, [&](auto element) -> PreparedPtr {
    return MakeKernel("reference/blocks_to_image", ImageOfBlocks<decltype(element)>(spec));
  });
}

}  // namespace fourfold::kernels::reference
