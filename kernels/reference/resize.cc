#include <cmath>

#include "kernels/reference/gather.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// The scale in full precision where it was made from the sizes.
double ScaleOf(const ResizeSpec& spec, size_t d) {
  const double ratio =
      static_cast<double>(spec.dst.dims[d]) / static_cast<double>(spec.src.dims[d]);
  const float scale = spec.scales[d];
  return static_cast<float>(ratio) == scale ? ratio : static_cast<double>(scale);
}

double SourceCoordinate(const ResizeSpec& spec, size_t d, int64_t index) {
  using Coordinates = ResizeSpec::Coordinates;
  const auto x = static_cast<double>(index), out = static_cast<double>(spec.dst.dims[d]);
  const auto in = static_cast<double>(spec.src.dims[d]);
  const double scale = ScaleOf(spec, d), last = in - 1.0;
  const double half_pixel = (x + 0.5) / scale - 0.5;
  switch (spec.coordinates) {
    case Coordinates::kHalfPixel: return half_pixel;
    case Coordinates::kPytorchHalfPixel: return out > 1.0 ? half_pixel : 0.0;
    case Coordinates::kAlignCorners: return out > 1.0 ? x * last / (scale * in - 1.0) : 0.0;
    case Coordinates::kAsymmetric: return x / scale;
    case Coordinates::kHalfPixelSymmetric:
      return in / 2.0 * (1.0 - out / (scale * in)) + half_pixel;
    case Coordinates::kTfCropAndResize: {
      const double start = spec.starts[d], end = spec.ends[d];
      if (!(out > 1.0)) return 0.5 * (start + end) * last;
      return start * last + x * (end - start) * last / (out - 1.0);
    }
    case Coordinates::kTfHalfPixelForNearest: return (x + 0.5) / scale;
  }
  return x;
}

double RoundToNearest(ResizeSpec::Nearest nearest, double x) {
  switch (nearest) {
    case ResizeSpec::Nearest::kRoundPreferFloor: return std::ceil(x - 0.5);
    case ResizeSpec::Nearest::kRoundPreferCeil: return std::floor(x + 0.5);
    case ResizeSpec::Nearest::kFloor: return std::floor(x);
    case ResizeSpec::Nearest::kCeil: return std::ceil(x);
  }
  return x;
}

bool Crops(const ResizeSpec& spec) {
  return spec.coordinates == ResizeSpec::Coordinates::kTfCropAndResize;
}

bool IsUnchanged(const ResizeSpec& spec, size_t d) {
  if (spec.src.dims[d] != spec.dst.dims[d]) return false;
  return Crops(spec) ? spec.starts[d] == 0.0f && spec.ends[d] == 1.0f : spec.scales[d] == 1.0f;
}

PreparedPtr PrepareNearest(const ResizeSpec& spec) {
  std::vector<std::vector<int64_t>> maps(spec.src.dims.size());
  for (size_t d = 0; d < maps.size(); ++d) {
    for (int64_t i = 0; i < spec.dst.dims[d]; ++i) {
      const double x = IsUnchanged(spec, d)
                           ? static_cast<double>(i)
                           : RoundToNearest(spec.nearest, SourceCoordinate(spec, d, i));
      const auto last = static_cast<double>(spec.src.dims[d] - 1);
      maps[d].push_back(static_cast<int64_t>(std::clamp(x, 0.0, last)));
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
    const double x = std::clamp(SourceCoordinate(spec, d, i), 0.0, static_cast<double>(last));
    const auto low = static_cast<int64_t>(x);
    const int64_t high = std::min(low + 1, last);
    taps.push_back({low * stride, high * stride, static_cast<float>(x - static_cast<double>(low))});
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

// Null where more than four dimensions change.
PreparedPtr PrepareLinear(const ResizeSpec& spec) {
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

// ---- Filters of any width, one dimension after the other.

float CubicWeight(float x, float a) {
  x = std::fabs(x);
  if (x < 1.0f) return ((a + 2.0f) * x - (a + 3.0f)) * x * x + 1.0f;
  if (x < 2.0f) return ((a * x - 5.0f * a) * x + 8.0f * a) * x - 4.0f * a;
  return 0.0f;
}

// What one output along a dimension is made of: consecutive entries of Stage::taps.
struct Weighted {
  int64_t index;
  float weight;
};

// Resamples the middle one of [outer, in, inner].
struct Stage {
  int64_t outer = 1, in = 1, out = 1, inner = 1;
  std::vector<size_t> first;  // of each output's taps; out + 1 entries
  std::vector<Weighted> taps;
};

// The filter around output i's coordinate: ratio in (0, 1] from the pixel on its left, so that a
// coordinate on a pixel lies at the right end (as the definition of the operator does).
void AppendTaps(const ResizeSpec& spec, size_t d, int64_t i, Stage& stage) {
  const auto last = static_cast<double>(spec.src.dims[d] - 1);
  const bool cubic = spec.mode == ResizeSpec::Mode::kCubic;
  const double narrow = spec.antialias ? std::min(ScaleOf(spec, d), 1.0) : 1.0;
  const double x = SourceCoordinate(spec, d, i);
  const double left = std::ceil(x) - 1.0, ratio = x - left;
  const auto begin = static_cast<int64_t>(std::floor((cubic ? -2.0 : -1.0) / narrow)) + 1;
  const int64_t end = 1 - begin;
  const size_t first = stage.taps.size();
  float sum = 0.0f;
  for (int64_t k = begin; k <= end; ++k) {
    const auto distance = static_cast<float>((static_cast<double>(k) - ratio) * narrow);
    float weight = cubic ? CubicWeight(distance, spec.cubic_coefficient)
                         : std::max(0.0f, 1.0f - std::fabs(distance));
    const double at = left + static_cast<double>(k);
    if (spec.exclude_outside && (at < 0.0 || at > last)) weight = 0.0f;
    sum += weight;
    if (weight != 0.0f) {
      stage.taps.push_back({static_cast<int64_t>(std::clamp(at, 0.0, last)), weight});
    }
  }
  if ((spec.exclude_outside || spec.antialias) && sum != 0.0f) {
    for (size_t k = first; k < stage.taps.size(); ++k) stage.taps[k].weight /= sum;
  }
  stage.first.push_back(stage.taps.size());
}

FOURFOLD_CLONES void Weigh(const Weighted* taps, size_t count, int64_t inner, const float* src,
                           float* dst) {
  std::fill_n(dst, inner, 0.0f);
  for (size_t k = 0; k < count; ++k) {
    const float* row = src + taps[k].index * inner;
    const float weight = taps[k].weight;
    for (int64_t i = 0; i < inner; ++i) dst[i] += weight * row[i];
  }
}

struct Filters {
  std::vector<Stage> stages;
  size_t scratch_floats = 0;  // of one of two buffers between stages

  void operator()(const RunArgs& args) const {
    const float* src = Input<float>(args, 0);
    for (size_t s = 0; s < stages.size(); ++s) {
      const Stage& stage = stages[s];
      float* dst = s + 1 == stages.size()
                       ? Output<float>(args)
                       : static_cast<float*>(args.scratch) + s % 2 * scratch_floats;
      const auto width = static_cast<int64_t>(stage.taps.size()) / std::max<int64_t>(stage.out, 1);
      ForRange(*args.parallel, stage.outer * stage.out, stage.inner * width,
               [&](int64_t begin, int64_t end) {
                 for (int64_t unit = begin; unit < end; ++unit) {
                   const auto i = static_cast<size_t>(unit % stage.out);
                   Weigh(stage.taps.data() + stage.first[i], stage.first[i + 1] - stage.first[i],
                         stage.inner, src + unit / stage.out * stage.in * stage.inner,
                         dst + unit * stage.inner);
                 }
               });
      src = dst;
    }
  }
};

PreparedPtr PrepareFilters(const ResizeSpec& spec) {
  Filters filters;
  Dims dims = spec.src.dims;
  const std::vector<size_t> order = MemoryOrder(dims.size(), spec.src.layout);
  for (size_t k = 0; k < order.size(); ++k) {
    const size_t d = order[k];
    if (IsUnchanged(spec, d)) continue;
    Stage stage;
    for (size_t j = 0; j < k; ++j) stage.outer *= dims[order[j]];
    for (size_t j = k + 1; j < order.size(); ++j) stage.inner *= dims[order[j]];
    stage.in = dims[d];
    stage.out = dims[d] = spec.dst.dims[d];
    stage.first.push_back(0);
    for (int64_t i = 0; i < stage.out; ++i) AppendTaps(spec, d, i, stage);
    filters.stages.push_back(std::move(stage));
    const auto floats = static_cast<size_t>(ElementCount(dims));
    filters.scratch_floats = std::max(filters.scratch_floats, (floats + 15) / 16 * 16);
  }
  if (filters.stages.empty()) return PrepareLinear(spec);  // a copy
  const size_t buffers = filters.stages.size() == 1 ? 0 : 2;
  const size_t bytes = buffers * filters.scratch_floats * sizeof(float);
  return MakeKernel("reference/filters", std::move(filters), bytes);
}

// ---- Crops that reach over the image.

// Runs another kernel, then overwrites what lies outside.
class Extrapolated final : public PreparedKernel {
 public:
  Extrapolated(const ResizeSpec& spec, PreparedPtr inside)
      : inside_(std::move(inside)), value_(spec.extrapolation_value) {
    for (size_t d : MemoryOrder(spec.dst.dims.size(), spec.dst.layout)) {
      std::vector<bool>& outside = outside_.emplace_back();
      for (int64_t i = 0; i < spec.dst.dims[d]; ++i) {
        const double x = SourceCoordinate(spec, d, i);
        const auto last = static_cast<double>(spec.src.dims[d] - 1);
        outside.push_back(!IsUnchanged(spec, d) && !(x >= 0.0 && x <= last));
      }
    }
  }

  std::string_view implementation() const override { return inside_->implementation(); }
  size_t scratch_bytes() const override { return inside_->scratch_bytes(); }

  void Run(const RunArgs& args) const override {
    inside_->Run(args);
    int64_t count = 1;
    for (const auto& axis : outside_) count *= static_cast<int64_t>(axis.size());
    float* dst = Output<float>(args);
    ForRange(*args.parallel, count, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t rest = i;
        for (size_t d = outside_.size(); d-- > 0;) {
          const auto size = static_cast<int64_t>(outside_[d].size());
          if (outside_[d][static_cast<size_t>(rest % size)]) dst[i] = value_;
          rest /= size;
        }
      }
    });
  }

 private:
  const PreparedPtr inside_;
  const float value_;
  std::vector<std::vector<bool>> outside_;  // by dimension in memory order and index
};

PreparedPtr PrepareInside(const ResizeSpec& spec) {
  if (spec.mode == ResizeSpec::Mode::kNearest) return PrepareNearest(spec);
  if (spec.src.type != ElementType::kFloat32) return nullptr;
  if (spec.mode == ResizeSpec::Mode::kLinear && !spec.antialias) {
    if (PreparedPtr linear = PrepareLinear(spec)) return linear;
  }
  return PrepareFilters(spec);
}

}  // namespace

PreparedPtr PrepareResize(const ResizeSpec& spec, const PrepareContext&) {
  const size_t rank = spec.src.dims.size();
  if (spec.dst.dims.size() != rank || spec.scales.size() != rank ||
      spec.src.type != spec.dst.type || spec.src.layout != spec.dst.layout) {
    return nullptr;
  }
  const bool crops = Crops(spec);
  if (crops && (spec.starts.size() != rank || spec.ends.size() != rank ||
                spec.src.type != ElementType::kFloat32)) {
    return nullptr;
  }
  for (size_t d = 0; d < rank; ++d) {
    if (spec.src.dims[d] == 0 && spec.dst.dims[d] > 0) return nullptr;
    if (!(spec.scales[d] > 0.0f)) return nullptr;
  }
  PreparedPtr inside = PrepareInside(spec);
  if (inside == nullptr || !crops) return inside;
  return std::make_unique<Extrapolated>(spec, std::move(inside));
}

}  // namespace fourfold::kernels::reference
