#include "kernels/reference/gather.h"

#include <cstring>

namespace fourfold::kernels::reference {
namespace {

// In memory order, the maps multiplied by the source's strides.
struct Gather {
  std::vector<std::vector<int64_t>> offsets;
  int64_t rows = 1;  // positions of all dimensions but the last of `offsets`
  int64_t run = 1;   // contiguous elements behind one entry of the last

  int64_t RowOffset(int64_t row) const {
    int64_t offset = 0;
    for (size_t d = offsets.size() - 1; d-- > 0;) {
      const auto size = static_cast<int64_t>(offsets[d].size());
      offset += offsets[d][static_cast<size_t>(row % size)];
      row /= size;
    }
    return offset;
  }
};

bool IsIdentity(const std::vector<int64_t>& map, int64_t size) {
  if (static_cast<int64_t>(map.size()) != size) return false;
  for (size_t i = 0; i < map.size(); ++i) {
    if (map[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

Gather MakeMaps(const TensorSpec& src, const TensorSpec& dst,
                const std::vector<std::vector<int64_t>>& maps) {
  const std::vector<int64_t> strides = Strides(src.dims, src.layout);
  std::vector<size_t> order = MemoryOrder(dst.dims.size(), dst.layout);
  Gather gather;
  while (!order.empty() && IsIdentity(maps[order.back()], src.dims[order.back()])) {
    gather.run *= src.dims[order.back()];
    order.pop_back();
  }
  for (size_t d : order) {
    std::vector<int64_t> offsets = maps[d];
    for (int64_t& offset : offsets) offset *= strides[d];
    gather.offsets.push_back(std::move(offsets));
  }
  if (gather.offsets.empty()) gather.offsets.push_back({0});
  for (size_t d = 0; d + 1 < gather.offsets.size(); ++d) {
    gather.rows *= static_cast<int64_t>(gather.offsets[d].size());
  }
  return gather;
}

template <typename T>
PreparedPtr Make(Gather gather) {
  return MakeKernel("reference/gather", [gather = std::move(gather)](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    T* dst = Output<T>(args);
    const std::vector<int64_t>& last = gather.offsets.back();
    const auto length = static_cast<int64_t>(last.size());
    const int64_t run = gather.run;
    if (length == 0 || run == 0) return;
    ForRange(*args.parallel, gather.rows, length * run, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* from = src + gather.RowOffset(row);
        T* to = dst + row * length * run;
        if (run == 1) {
          for (int64_t i = 0; i < length; ++i) to[i] = from[last[static_cast<size_t>(i)]];
          continue;
        }
        for (int64_t i = 0; i < length; ++i) {
          std::memcpy(to + i * run, from + last[static_cast<size_t>(i)],
                      static_cast<size_t>(run) * sizeof(T));
        }
      }
    });
  });
}

}  // namespace

PreparedPtr MakeGather(const TensorSpec& src, const TensorSpec& dst,
                       const std::vector<std::vector<int64_t>>& maps) {
  Gather gather = MakeMaps(src, dst, maps);
  switch (ElementSize(src.type)) {
    case 1: return Make<uint8_t>(std::move(gather));
    case 2: return Make<uint16_t>(std::move(gather));
    case 4: return Make<uint32_t>(std::move(gather));
    case 8: return Make<uint64_t>(std::move(gather));
    default: return nullptr;
  }
}

}  // namespace fourfold::kernels::reference
