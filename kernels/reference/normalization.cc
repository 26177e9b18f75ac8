#include <cmath>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 64 * kLanes;  // elements that are added in float32

// Sum of x - shift, or of its squares.
template <bool squares>
FOURFOLD_INLINE double SumOf(const float* x, int64_t length, float shift) {
  double total = 0.0;
  for (int64_t first = 0; first < length; first += kBlock) {
    const int64_t count = std::min(kBlock, length - first);
    float lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) {
        const float difference = x[first + i + k] - shift;
        lanes[k] += squares ? difference * difference : difference;
      }
    }
    for (int64_t k = 0; i + k < count; ++k) {
      const float difference = x[first + i + k] - shift;
      lanes[k] += squares ? difference * difference : difference;
    }
    for (int64_t width = kLanes / 2; width > 0; width /= 2) {
      for (int64_t k = 0; k < width; ++k) lanes[k] += lanes[k + width];
    }
    total += lanes[0];
  }
  return total;
}

FOURFOLD_CLONES double Sum(const float* x, int64_t length) { return SumOf<false>(x, length, 0.0f); }
FOURFOLD_CLONES double SumSquares(const float* x, int64_t length, float shift) {
  return SumOf<true>(x, length, shift);
}

FOURFOLD_CLONES void Apply(const float* x, int64_t length, float mean, float inverse, float scale,
                           float bias, float* y) {
  for (int64_t i = 0; i < length; ++i) y[i] = (x[i] - mean) * inverse * scale + bias;
}

FOURFOLD_CLONES void ApplyEach(const float* x, int64_t length, float mean, float inverse,
                               const float* scale, const float* bias, float* y) {
  if (bias == nullptr) {
    for (int64_t i = 0; i < length; ++i) y[i] = (x[i] - mean) * inverse * scale[i];
  } else {
    for (int64_t i = 0; i < length; ++i) y[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
  }
}

float At(const Repeated& repeated, const float* vector, int64_t element, float missing) {
  return repeated.count == 0 ? missing : vector[element / repeated.run % repeated.count];
}

struct Normalize {
  NormalizationSpec spec;

  // Elements from `element` on that share one scale and one bias.
  int64_t Shared(int64_t element) const {
    int64_t shared = spec.length;
    for (const Repeated* repeated : {&spec.scale, &spec.bias}) {
      if (repeated->count > 1) {
        shared = std::min(shared, repeated->run - element % repeated->run);
      }
    }
    return shared;
  }

  void Row(const float* x, int64_t row, float mean, float inverse, const float* scale,
           const float* bias, float* y) const {
    const auto each = [&](const Repeated& r) { return r.run == 1 && r.count == spec.length; };
    if (each(spec.scale) && (spec.bias.count == 0 || each(spec.bias))) {
      ApplyEach(x, spec.length, mean, inverse, scale, spec.bias.count == 0 ? nullptr : bias, y);
      return;
    }
    for (int64_t i = 0; i < spec.length;) {
      const int64_t element = row * spec.length + i;
      const int64_t count = std::min(Shared(element), spec.length - i);
      Apply(x + i, count, mean, inverse, At(spec.scale, scale, element, 1.0f),
            At(spec.bias, bias, element, 0.0f), y + i);
      i += count;
    }
  }

  void operator()(const RunArgs& args) const {
    const auto input = [&](size_t i) {
      return args.inputs.size() > i ? Input<float>(args, i) : nullptr;
    };
    const auto output = [&](size_t i) {
      return args.outputs.size() > i ? Output<float>(args, i) : nullptr;
    };
    ForRange(*args.parallel, spec.rows, spec.length, [&](int64_t begin, int64_t end) {
      const auto length = static_cast<double>(spec.length);
      for (int64_t row = begin; row < end; ++row) {
        const float* x = input(0) + row * spec.length;
        const float mean = spec.centered ? static_cast<float>(Sum(x, spec.length) / length) : 0.0f;
        const double variance = SumSquares(x, spec.length, mean) / length;
        const auto inverse =
            static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(spec.epsilon)));
        Row(x, row, mean, inverse, input(1), input(2), output(0) + row * spec.length);
        if (output(1) != nullptr) output(1)[row] = mean;
        if (output(2) != nullptr) output(2)[row] = inverse;
      }
    });
  }
};

struct LpNormalize {
  LpNormalizationSpec spec;

  void operator()(const RunArgs& args) const {
    const int64_t lines = spec.outer * spec.inner;
    ForRange(*args.parallel, lines, 2 * spec.axis, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t first = line / spec.inner * spec.axis * spec.inner + line % spec.inner;
        const float* x = Input<float>(args, 0) + first;
        float* y = Output<float>(args) + first;
        double sum = 0.0;
        for (int64_t i = 0; i < spec.axis; ++i) {
          const double value = x[i * spec.inner];
          sum += spec.p == 1 ? std::fabs(value) : value * value;
        }
        const auto norm = static_cast<float>(spec.p == 1 ? sum : std::sqrt(sum));
        for (int64_t i = 0; i < spec.axis; ++i) {
          y[i * spec.inner] = norm == 0.0f ? 0.0f : x[i * spec.inner] / norm;
        }
      }
    });
  }
};

FOURFOLD_CLONES void AddSquares(const float* x, int64_t count, float* sum) {
  for (int64_t i = 0; i < count; ++i) sum[i] += x[i] * x[i];
}

struct NormalizeResponse {
  LocalResponseNormSpec spec;

  void operator()(const RunArgs& args) const {
    constexpr int64_t kPart = 256;  // positions at a time
    const int64_t parts = (spec.space + kPart - 1) / kPart;
    const int64_t units = spec.batch * spec.channels * parts;
    ForRange(*args.parallel, units, 16 * std::min(kPart, spec.space),
             [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t channel = unit / parts % spec.channels;
                 const int64_t image = unit / parts / spec.channels * spec.channels;
                 const int64_t at = unit % parts * kPart;
                 const int64_t count = std::min(kPart, spec.space - at);
                 const float* src = Input<float>(args, 0);
                 float sum[kPart] = {};
                 const int64_t low = std::max<int64_t>(0, channel - (spec.size - 1) / 2);
                 const int64_t high = std::min(spec.channels - 1, channel + spec.size / 2);
                 for (int64_t c = low; c <= high; ++c) {
                   AddSquares(src + (image + c) * spec.space + at, count, sum);
                 }
                 const int64_t first = (image + channel) * spec.space + at;
                 float* dst = Output<float>(args) + first;
                 const float factor = spec.alpha / static_cast<float>(spec.size);
                 for (int64_t i = 0; i < count; ++i) {
                   dst[i] = src[first + i] / std::pow(spec.bias + factor * sum[i], spec.beta);
                 }
               }
             });
  }
};

bool IsLaid(const Repeated& repeated) { return repeated.run > 0 && repeated.count >= 0; }

}  // namespace

PreparedPtr PrepareNormalization(const NormalizationSpec& spec, const PrepareContext&) {
  if (spec.rows < 0 || spec.length < 1 || !IsLaid(spec.scale) || !IsLaid(spec.bias)) return nullptr;
  return MakeKernel("reference/rows", Normalize{spec});
}

PreparedPtr PrepareLpNormalization(const LpNormalizationSpec& spec, const PrepareContext&) {
  if (spec.p != 1 && spec.p != 2) return nullptr;
  return MakeKernel("reference/plain", LpNormalize{spec});
}

PreparedPtr PrepareLocalResponseNorm(const LocalResponseNormSpec& spec, const PrepareContext&) {
  if (spec.size < 1) return nullptr;
  return MakeKernel("reference/plain", NormalizeResponse{spec});
}

}  // namespace fourfold::kernels::reference
