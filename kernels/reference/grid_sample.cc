#include <cmath>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

constexpr size_t kSpace = 3;
constexpr int kMaxTaps = 4;  // along one dimension

// Up to four pixels along one dimension; weight 0 where they are not in the image.
struct Taps {
  std::array<int64_t, kMaxTaps> at{};
  std::array<float, kMaxTaps> weight{};
  int count = 0;
};

// Mirrored into [low, high].
float Reflect(float x, float low, float high) {
  const float range = high - low;
  if (!(range > 0.0f)) return low;
  const float beyond = std::fabs(x - low);
  const float times = std::floor(beyond / range);
  const float rest = beyond - times * range;
  return std::fmod(times, 2.0f) == 0.0f ? low + rest : high - rest;
}

struct GridSampler {
  GridSampleSpec spec;
  size_t space;                      // 2 or 3
  std::array<int64_t, kSpace> size;  // of src, z y x; z 1 for images
  int64_t positions;                 // of dst

  // A pixel's index, with its weight set to 0 where it is outside and counts as 0.
  void Place(float index, int64_t length, float weight, Taps& taps) const {
    const auto last = static_cast<float>(length - 1);
    if (index < 0.0f || index > last) {
      switch (spec.padding) {
        case GridSampleSpec::Padding::kZeros: weight = 0.0f; break;
        case GridSampleSpec::Padding::kBorder: break;
        case GridSampleSpec::Padding::kReflection:
          index =
              spec.align_corners ? Reflect(index, 0.0f, last) : Reflect(index, -0.5f, last + 0.5f);
          break;
      }
    }
    const auto tap = static_cast<size_t>(taps.count++);
    taps.at[tap] = static_cast<int64_t>(std::clamp(index, 0.0f, last));
    taps.weight[tap] = weight;
  }

  Taps MakeTaps(float coordinate, int64_t length) const {
    const auto size = static_cast<float>(length);
    if (std::isnan(coordinate)) coordinate = -1.0f;
    float x = spec.align_corners ? (coordinate + 1.0f) / 2.0f * (size - 1.0f)
                                 : ((coordinate + 1.0f) * size - 1.0f) / 2.0f;
    const float low = spec.align_corners ? 0.0f : -0.5f;
    const float high = spec.align_corners ? size - 1.0f : size - 0.5f;
    // Far outside all points are alike, and small numbers can be counted exactly.
    x = std::clamp(x, -1e6f - 4.0f * size, 1e6f + 4.0f * size);
    if (spec.mode == GridSampleSpec::Mode::kNearest) x = std::nearbyint(x);
    if (x < low || x > high) {
      // Cubic filters of points outside still see the border's pixels at their distance.
      const bool clamps = spec.mode != GridSampleSpec::Mode::kCubic;
      if (spec.padding == GridSampleSpec::Padding::kBorder && clamps) {
        x = std::clamp(x, 0.0f, size - 1.0f);
      }
      if (spec.padding == GridSampleSpec::Padding::kReflection) x = Reflect(x, low, high);
    }
    Taps taps;
    const float below = std::floor(x), rest = x - below;
    switch (spec.mode) {
      case GridSampleSpec::Mode::kNearest: Place(std::nearbyint(x), length, 1.0f, taps); break;
      case GridSampleSpec::Mode::kLinear:
        Place(below, length, 1.0f - rest, taps);
        Place(below + 1.0f, length, rest, taps);
        break;
      case GridSampleSpec::Mode::kCubic:
        for (int i = -1; i <= 2; ++i) {
          const auto distance = static_cast<float>(i);
          Place(below + distance, length, Cubic(std::fabs(distance - rest)), taps);
        }
        break;
    }
    return taps;
  }

  static float Cubic(float x) {
    constexpr float a = -0.75f;
    if (x <= 1.0f) return ((a + 2.0f) * x - (a + 3.0f)) * x * x + 1.0f;
    return ((a * x - 5.0f * a) * x + 8.0f * a) * x - 4.0f * a;
  }

  void operator()(const RunArgs& args) const {
    const float* src = Input<float>(args, 0);
    const float* grid = Input<float>(args, 1);
    float* dst = Output<float>(args);
    const int64_t channels = spec.src[1];
    const int64_t image = size[0] * size[1] * size[2];
    ForRange(*args.parallel, spec.src[0] * positions, channels * 16,
             [&](int64_t begin, int64_t end) {
               for (int64_t i = begin; i < end; ++i) {
                 const float* point = grid + i * static_cast<int64_t>(space);
                 Taps z;
                 z.count = 1;
                 z.weight[0] = 1.0f;
                 if (space == kSpace) z = MakeTaps(point[2], size[0]);
                 const Taps y = MakeTaps(point[1], size[1]);
                 const Taps x = MakeTaps(point[0], size[2]);
                 const int64_t n = i / positions;
                 for (int64_t c = 0; c < channels; ++c) {
                   dst[(n * channels + c) * positions + i % positions] =
                       Weigh(src + (n * channels + c) * image, z, y, x);
                 }
               }
             });
  }

  float Weigh(const float* src, const Taps& z, const Taps& y, const Taps& x) const {
    float sum = 0.0f;
    for (size_t k = 0; k < static_cast<size_t>(z.count); ++k) {
      for (size_t j = 0; j < static_cast<size_t>(y.count); ++j) {
        const float* row = src + (z.at[k] * size[1] + y.at[j]) * size[2];
        float along = 0.0f;
        for (size_t i = 0; i < static_cast<size_t>(x.count); ++i) {
          if (x.weight[i] != 0.0f) along += x.weight[i] * row[x.at[i]];
        }
        const float weight = z.weight[k] * y.weight[j];
        if (weight != 0.0f) sum += weight * along;
      }
    }
    return sum;
  }
};

}  // namespace

PreparedPtr PrepareGridSample(const GridSampleSpec& spec, const PrepareContext&) {
  const size_t rank = spec.src.size();
  if (rank < 4 || rank > kSpace + 2 || spec.dst.size() != rank || spec.src[0] != spec.dst[0] ||
      spec.src[1] != spec.dst[1] || ElementCount(spec.src) == 0) {
    return nullptr;
  }
  if (spec.mode == GridSampleSpec::Mode::kCubic && rank != 4) return nullptr;
  GridSampler sampler{spec, rank - 2, {1, 1, 1}, 1};
  for (size_t d = 2; d < rank; ++d) {
    sampler.size[kSpace - rank + d] = spec.src[d];
    sampler.positions *= spec.dst[d];
  }
  return MakeKernel("reference/plain", std::move(sampler));
}

}  // namespace fourfold::kernels::reference
