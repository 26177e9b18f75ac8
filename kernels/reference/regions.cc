#include <cmath>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

void Report(const RunArgs& args, const char* what) {
  if (args.fault != nullptr) args.fault->Report(what);
}

bool IsConsistent(const Dims& src, const Dims& dst) {
  return src.size() == 4 && dst.size() == 4 && src[1] == dst[1];
}

// First and last + 1 pixel of a bin, clipped to the image.
struct Bin {
  int64_t begin, end;

  Bin(int64_t index, int64_t bins, int64_t start, int64_t length, int64_t size) {
    const float step = static_cast<float>(length) / static_cast<float>(bins);
    const auto low = static_cast<int64_t>(std::floor(static_cast<float>(index) * step));
    const auto high = static_cast<int64_t>(std::ceil(static_cast<float>(index + 1) * step));
    begin = std::clamp<int64_t>(low + start, 0, size);
    end = std::clamp<int64_t>(high + start, 0, size);
  }
};

struct MaxRegions {
  MaxRegionsSpec spec;

  // A corner in pixels, kept within what can be added without overflow.
  int64_t Pixel(float corner) const {
    const float at = std::round(corner * spec.scale);
    return static_cast<int64_t>(std::clamp(std::isnan(at) ? 0.0f : at, -1e9f, 1e9f));
  }

  void Region(const RunArgs& args, int64_t region) const {
    const int64_t channels = spec.src[1], height = spec.src[2], width = spec.src[3];
    const int64_t rows = spec.dst[2], columns = spec.dst[3];
    const float* roi = Input<float>(args, 1) + region * 5;
    float* dst = Output<float>(args) + region * channels * rows * columns;
    if (!(roi[0] >= 0.0f && roi[0] < static_cast<float>(spec.src[0]))) {
      Report(args, "a region's batch index is outside of the batch");
      std::fill_n(dst, channels * rows * columns, 0.0f);
      return;
    }
    const int64_t x = Pixel(roi[1]), y = Pixel(roi[2]);
    const int64_t region_width = std::max<int64_t>(Pixel(roi[3]) - x + 1, 1);
    const int64_t region_height = std::max<int64_t>(Pixel(roi[4]) - y + 1, 1);
    const float* src =
        Input<float>(args, 0) + static_cast<int64_t>(roi[0]) * channels * height * width;
    for (int64_t c = 0; c < channels; ++c, src += height * width) {
      for (int64_t i = 0; i < rows; ++i) {
        const Bin down(i, rows, y, region_height, height);
        for (int64_t j = 0; j < columns; ++j) {
          const Bin across(j, columns, x, region_width, width);
          const bool empty = down.end <= down.begin || across.end <= across.begin;
          float high = empty ? 0.0f : -std::numeric_limits<float>::infinity();
          for (int64_t h = down.begin; h < down.end; ++h) {
            for (int64_t w = across.begin; w < across.end; ++w) {
              high = std::max(high, src[h * width + w]);
            }
          }
          *dst++ = high;
        }
      }
    }
  }

  void operator()(const RunArgs& args) const {
    ForRange(*args.parallel, spec.dst[0], 4 * spec.src[1] * spec.dst[2] * spec.dst[3],
             [&](int64_t begin, int64_t end) {
               for (int64_t region = begin; region < end; ++region) Region(args, region);
             });
  }
};

// A bilinear sample along one dimension.
struct Sample {
  int64_t low = 0, high = 0;
  float low_weight = 0.0f, high_weight = 0.0f;  // both 0 outside of the image

  Sample(float at, int64_t size) {
    if (!(at >= -1.0f && at <= static_cast<float>(size))) return;
    at = std::max(at, 0.0f);
    low = std::min(static_cast<int64_t>(at), size - 1);
    high = std::min(low + 1, size - 1);
    high_weight = low == size - 1 ? 0.0f : at - static_cast<float>(low);
    low_weight = 1.0f - high_weight;
  }
};

struct AlignRegions {
  AlignRegionsSpec spec;

  // One dimension of a region: where its samples are.
  struct Axis {
    float start, step;  // of bins
    int64_t samples;
    int64_t size;

    Sample At(int64_t bin, int64_t sample) const {
      const float within = (static_cast<float>(sample) + 0.5f) * step / static_cast<float>(samples);
      return Sample(start + static_cast<float>(bin) * step + within, size);
    }
  };

  Axis MakeAxis(float low, float high, int64_t bins, int64_t size) const {
    const float offset = spec.half_pixel ? 0.5f : 0.0f;
    const float start = low * spec.scale - offset;
    float length = high * spec.scale - offset - start;
    if (!spec.half_pixel) length = std::max(length, 1.0f);
    const float step = length / static_cast<float>(bins);
    const float wanted = spec.samples > 0 ? static_cast<float>(spec.samples) : std::ceil(step);
    const auto longest = static_cast<float>(AlignRegionsSpec::LongestRegion(size));
    const bool served = std::isfinite(start) && std::isfinite(length) && length <= longest;
    return {start, step, served ? static_cast<int64_t>(std::max(wanted, 0.0f)) : -1, size};
  }

  float Value(const float* src, const Axis& down, const Axis& across, int64_t row,
              int64_t column) const {
    float sum = 0.0f, largest = -std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < down.samples; ++i) {
      const Sample y = down.At(row, i);
      const float* upper = src + y.low * across.size;
      const float* lower = src + y.high * across.size;
      for (int64_t j = 0; j < across.samples; ++j) {
        const Sample x = across.At(column, j);
        const float parts[] = {y.low_weight * x.low_weight * upper[x.low],
                               y.low_weight * x.high_weight * upper[x.high],
                               y.high_weight * x.low_weight * lower[x.low],
                               y.high_weight * x.high_weight * lower[x.high]};
        sum += parts[0] + parts[1] + parts[2] + parts[3];
        largest = std::max({largest, parts[0], parts[1], parts[2], parts[3]});
      }
    }
    const int64_t count = down.samples * across.samples;
    if (count < 1) return 0.0f;
    return spec.maximum ? largest : sum / static_cast<float>(count);
  }

  void Region(const RunArgs& args, int64_t region) const {
    const int64_t channels = spec.src[1], height = spec.src[2], width = spec.src[3];
    const int64_t rows = spec.dst[2], columns = spec.dst[3];
    const float* roi = Input<float>(args, 1) + region * 4;
    const int64_t image = Input<int64_t>(args, 2)[region];
    float* dst = Output<float>(args) + region * channels * rows * columns;
    const Axis down = MakeAxis(roi[1], roi[3], rows, height);
    const Axis across = MakeAxis(roi[0], roi[2], columns, width);
    const bool outside = image < 0 || image >= spec.src[0];
    if (outside || down.samples < 0 || across.samples < 0) {
      Report(args, outside ? "a region's batch index is outside of the batch"
                           : "a region is not finite or too large");
      std::fill_n(dst, channels * rows * columns, 0.0f);
      return;
    }
    const float* src = Input<float>(args, 0) + image * channels * height * width;
    for (int64_t c = 0; c < channels; ++c, src += height * width) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) *dst++ = Value(src, down, across, i, j);
      }
    }
  }

  void operator()(const RunArgs& args) const {
    const int64_t samples = spec.samples > 0 ? spec.samples * spec.samples : 4;
    ForRange(*args.parallel, spec.dst[0], 8 * samples * spec.src[1] * spec.dst[2] * spec.dst[3],
             [&](int64_t begin, int64_t end) {
               for (int64_t region = begin; region < end; ++region) Region(args, region);
             });
  }
};

}  // namespace

PreparedPtr PrepareMaxRegions(const MaxRegionsSpec& spec, const PrepareContext&) {
  if (!IsConsistent(spec.src, spec.dst)) return nullptr;
  return MakeKernel("reference/plain", MaxRegions{spec});
}

PreparedPtr PrepareAlignRegions(const AlignRegionsSpec& spec, const PrepareContext&) {
  if (!IsConsistent(spec.src, spec.dst) || spec.samples < 0 || ElementCount(spec.src) == 0 ||
      spec.samples > AlignRegionsSpec::kMaxSamples) {
    return nullptr;
  }
  return MakeKernel("reference/plain", AlignRegions{spec});
}

}  // namespace fourfold::kernels::reference
