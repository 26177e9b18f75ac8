#include <cstring>

#include "kernels/reference/gather.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// Where in a dimension of `size` the element at `index` (possibly outside) comes from.
int64_t SourceIndex(PadSpec::Mode mode, int64_t index, int64_t size) {
  switch (mode) {
    case PadSpec::Mode::kEdge: return std::clamp<int64_t>(index, 0, size - 1);
    case PadSpec::Mode::kWrap: return (index % size + size) % size;
    case PadSpec::Mode::kReflect: {
      if (size == 1) return 0;
      const int64_t period = 2 * (size - 1);
      const int64_t folded = (index % period + period) % period;
      return folded < size ? folded : period - folded;
    }
    case PadSpec::Mode::kConstant: break;
  }
  return index;
}

void Fill(const RunArgs& args, size_t element_bytes, const std::array<std::byte, 8>& value,
          int64_t count) {
  std::byte* dst = Output<std::byte>(args);
  const bool uniform =
      std::all_of(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(element_bytes),
                  [&value](std::byte b) { return b == value[0]; });
  const auto size = static_cast<int64_t>(element_bytes);
  ForRange(*args.parallel, count, 1, [&](int64_t begin, int64_t end) {
    if (uniform) {
      std::memset(dst + begin * size, static_cast<int>(value[0]),
                  static_cast<size_t>((end - begin) * size));
      return;
    }
    for (int64_t i = begin; i < end; ++i) std::memcpy(dst + i * size, value.data(), element_bytes);
  });
}

// The constant everywhere, then what remains of the source over it.
PreparedPtr PrepareConstant(const PadSpec& spec, const PrepareContext& context) {
  const size_t bytes = ElementSize(spec.src.type);
  CopySpec copy{.element_bytes = bytes,
                .dims = {},
                .src_strides = Strides(spec.src.dims, spec.src.layout),
                .dst_strides = Strides(spec.dst.dims, spec.dst.layout)};
  for (size_t d = 0; d < spec.src.dims.size(); ++d) {
    const int64_t first = std::max<int64_t>(0, -spec.begin[d]);  // of the source
    const int64_t last = std::min(spec.src.dims[d], spec.dst.dims[d] - spec.begin[d]);
    copy.dims.push_back(std::max<int64_t>(0, last - first));
    copy.src_offset += first * copy.src_strides[d];
    copy.dst_offset += (first + spec.begin[d]) * copy.dst_strides[d];
  }
  PreparedPtr inside = PrepareCopy(copy, context);
  if (inside == nullptr) return nullptr;
  const int64_t count = ElementCount(spec.dst.dims);
  const bool covers = copy.dims == spec.dst.dims;
  return MakeKernel("reference/fill",
                    [inside = std::shared_ptr<const PreparedKernel>(std::move(inside)), bytes,
                     value = spec.value, count, covers](const RunArgs& args) {
                      if (!covers) Fill(args, bytes, value, count);
                      inside->Run(args);
                    });
}

}  // namespace

PreparedPtr PreparePad(const PadSpec& spec, const PrepareContext& context) {
  const size_t rank = spec.src.dims.size();
  if (spec.dst.dims.size() != rank || spec.begin.size() != rank || spec.src.type != spec.dst.type ||
      spec.src.layout != spec.dst.layout) {
    return nullptr;
  }
  if (spec.mode == PadSpec::Mode::kConstant) return PrepareConstant(spec, context);
  std::vector<std::vector<int64_t>> maps(rank);
  for (size_t d = 0; d < rank; ++d) {
    const int64_t begin = spec.begin[d], end = spec.dst.dims[d] - spec.src.dims[d] - begin;
    const int64_t left = spec.src.dims[d] + std::min<int64_t>(begin, 0) + std::min<int64_t>(end, 0);
    if (left <= 0 && spec.dst.dims[d] > 0) return nullptr;  // nothing to repeat
    for (int64_t i = 0; i < spec.dst.dims[d]; ++i) {
      maps[d].push_back(std::max<int64_t>(-begin, 0) +
                        SourceIndex(spec.mode, i - std::max<int64_t>(begin, 0), left));
    }
  }
  return MakeGather(spec.src, spec.dst, maps);
}

}  // namespace fourfold::kernels::reference
