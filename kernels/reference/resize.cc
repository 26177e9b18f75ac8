#include <cmath>

#include "kernels/reference/gather.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

float SourceCoordinate(const ResizeSpec& spec, size_t d, int64_t index) {
  const auto x = static_cast<float>(index);
  const int64_t in = spec.src.dims[d], out = spec.dst.dims[d];
  const float scale = spec.scales[d];
  switch (spec.coordinates) {
    case ResizeSpec::Coordinates::kHalfPixel: return (x + 0.5f) / scale - 0.5f;
    case ResizeSpec::Coordinates::kPytorchHalfPixel:
      return out == 1 ? 0.0f : (x + 0.5f) / scale - 0.5f;
    case ResizeSpec::Coordinates::kAlignCorners:
      return out == 1 ? 0.0f : x * static_cast<float>(in - 1) / static_cast<float>(out - 1);
    case ResizeSpec::Coordinates::kAsymmetric: return x / scale;
  }
  return x;
}

float RoundToNearest(ResizeSpec::Nearest nearest, float x) {
  switch (nearest) {
    case ResizeSpec::Nearest::kRoundPreferFloor: return std::ceil(x - 0.5f);
    case ResizeSpec::Nearest::kRoundPreferCeil: return std::floor(x + 0.5f);
    case ResizeSpec::Nearest::kFloor: return std::floor(x);
    case ResizeSpec::Nearest::kCeil: return std::ceil(x);
  }
  return x;
}

bool IsUnchanged(const ResizeSpec& spec, size_t d) {
  return spec.src.dims[d] == spec.dst.dims[d] && spec.scales[d] == 1.0f;
}

PreparedPtr PrepareNearest(const ResizeSpec& spec) {
  std::vector<std::vector<int64_t>> maps(spec.src.dims.size());
  for (size_t d = 0; d < maps.size(); ++d) {
    for (int64_t i = 0; i < spec.dst.dims[d]; ++i) {
      const float x = IsUnchanged(spec, d)
                          ? static_cast<float>(i)
                          : RoundToNearest(spec.nearest, SourceCoordinate(spec, d, i));
      maps[d].push_back(std::clamp<int64_t>(static_cast<int64_t>(x), 0, spec.src.dims[d] - 1));
    }
  }
  return MakeGather(spec.src, spec.dst, maps);
}

// The two neighbours of one output coordinate, as offsets, and the weight of the upper one.
struct Tap {
  int64_t low, high;
  float weight;
};

// One dimension in memory order; `interpolated` is false where every output is one source element.
struct Axis {
  std::vector<Tap> taps;
  bool interpolated;
};

std::vector<Tap> MakeTaps(const ResizeSpec& spec, size_t d, int64_t stride) {
  std::vector<Tap> taps;
  const int64_t last = spec.src.dims[d] - 1;
  for (int64_t i = 0; i < spec.dst.dims[d]; ++i) {
    if (IsUnchanged(spec, d)) {
      taps.push_back({i * stride, i * stride, 0.0f});
      continue;
    }
    const float x = std::clamp(SourceCoordinate(spec, d, i), 0.0f, static_cast<float>(last));
    const auto low = static_cast<int64_t>(x);
    const int64_t high = std::min(low + 1, last);
    taps.push_back({low * stride, high * stride, x - static_cast<float>(low)});
  }
  return taps;
}

struct Corners {
  static constexpr size_t kMax = 16;  // four interpolated dimensions
  std::array<int64_t, kMax> offset{};
  std::array<float, kMax> weight{};
  size_t count = 1;

  void Split(const Tap& tap, bool interpolated) {
    if (!interpolated) {
      for (size_t i = 0; i < count; ++i) offset[i] += tap.low;
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      offset[count + i] = offset[i] + tap.high;
      weight[count + i] = weight[i] * tap.weight;
      offset[i] += tap.low;
      weight[i] *= 1.0f - tap.weight;
    }
    count *= 2;
  }
};

struct Linear {
  std::vector<Axis> axes;  // memory order, without the contiguous run at the end
  int64_t positions = 1;
  int64_t run = 1;

  void operator()(const RunArgs& args) const {
    const float* src = Input<float>(args, 0);
    float* dst = Output<float>(args);
    ForRange(*args.parallel, positions, run * 8, [&](int64_t begin, int64_t end) {
      for (int64_t position = begin; position < end; ++position) {
        Corners corners;
        corners.weight[0] = 1.0f;
        int64_t rest = position;
        for (size_t d = axes.size(); d-- > 0;) {
          const auto size = static_cast<int64_t>(axes[d].taps.size());
          corners.Split(axes[d].taps[static_cast<size_t>(rest % size)], axes[d].interpolated);
          rest /= size;
        }
        float* to = dst + position * run;
        for (int64_t k = 0; k < run; ++k) to[k] = corners.weight[0] * src[corners.offset[0] + k];
        for (size_t i = 1; i < corners.count; ++i) {
          const float* from = src + corners.offset[i];
          for (int64_t k = 0; k < run; ++k) to[k] += corners.weight[i] * from[k];
        }
      }
    });
  }
};

PreparedPtr PrepareLinear(const ResizeSpec& spec) {
  if (spec.src.type != ElementType::kFloat32) return nullptr;
  const std::vector<int64_t> strides = Strides(spec.src.dims, spec.src.layout);
  std::vector<size_t> order = MemoryOrder(spec.src.dims.size(), spec.src.layout);
  Linear linear;
  while (!order.empty() && IsUnchanged(spec, order.back())) {
    linear.run *= spec.src.dims[order.back()];
    order.pop_back();
  }
  int interpolated = 0;
  for (size_t d : order) {
    linear.axes.push_back({MakeTaps(spec, d, strides[d]), !IsUnchanged(spec, d)});
    linear.positions *= spec.dst.dims[d];
    if (linear.axes.back().interpolated) ++interpolated;
  }
  if (interpolated > 4) return nullptr;
  return MakeKernel("reference/linear", std::move(linear));
}

}  // namespace

PreparedPtr PrepareResize(const ResizeSpec& spec, const PrepareContext&) {
  const size_t rank = spec.src.dims.size();
  if (spec.dst.dims.size() != rank || spec.scales.size() != rank ||
      spec.src.type != spec.dst.type || spec.src.layout != spec.dst.layout) {
    return nullptr;
  }
  for (size_t d = 0; d < rank; ++d) {
    if (spec.src.dims[d] == 0 && spec.dst.dims[d] > 0) return nullptr;
  }
  return spec.mode == ResizeSpec::Mode::kNearest ? PrepareNearest(spec) : PrepareLinear(spec);
}

}  // namespace fourfold::kernels::reference
