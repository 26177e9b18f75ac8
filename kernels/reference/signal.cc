#include "kernels/signal.h"

#include <memory>
#include <numbers>

#include "kernels/reference/element.h"
#include "kernels/reference/fourier.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

using Complex = Fourier::Complex;

double WindowAt(WindowSpec::Kind kind, double t) {
  switch (kind) {
    case WindowSpec::Kind::kHann: return 0.5 - 0.5 * std::cos(t);
    case WindowSpec::Kind::kHamming: return (25.0 - 21.0 * std::cos(t)) / 46.0;
    case WindowSpec::Kind::kBlackman: return 0.42 - 0.5 * std::cos(t) + 0.08 * std::cos(2.0 * t);
  }
  return 0.0;
}

// The edge of a mel band as a bin of the spectrum.
struct MelScale {
  double length, rate, lower, step;

  static double FromHertz(double hertz) { return 2595.0 * std::log10(1.0 + hertz / 700.0); }

  int64_t Bin(int64_t edge) const {
    const double mel = lower + step * static_cast<double>(edge);
    const double hertz = 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0);
    return Truncate<int64_t>(std::floor((length + 1.0) * hertz / rate));
  }
};

// Element (complex or not) `at` of an array.
template <typename S>
Complex Read(const S* from, int64_t at, bool complex) {
  if (!complex) return Complex(static_cast<double>(Value(from[at])));
  return {static_cast<double>(Value(from[2 * at])), static_cast<double>(Value(from[2 * at + 1]))};
}

template <typename S>
void Write(Complex value, S* to, int64_t at) {
  to[2 * at] = Store<S>(value.real());
  to[2 * at + 1] = Store<S>(value.imag());
}

// A kernel that calls line(args, i, data, scratch) for each of `lines` transforms; data has room
// for one.
template <typename Line>
PreparedPtr PerLine(std::shared_ptr<const Fourier> fourier, int64_t lines, int threads, Line line) {
  const size_t room = fourier->length() + fourier->scratch();
  const auto parts = static_cast<int>(std::min<int64_t>(lines, threads));
  const auto run = [=](const RunArgs& args) {
    const auto part = [&](int p) {
      Complex* data = static_cast<Complex*>(args.scratch) + static_cast<size_t>(p) * room;
      for (int64_t i = lines * p / parts; i < lines * (p + 1) / parts; ++i) {
        line(args, *fourier, i, data, data + fourier->length());
      }
    };
    if (parts > 0) args.parallel->For(parts, std::cref(part));
  };
  return MakeKernel("reference/plain", run, static_cast<size_t>(parts) * room * sizeof(Complex));
}

template <typename S>
PreparedPtr MakeFourier(const FourierSpec& spec, const PrepareContext& context) {
  const auto line = [spec](const RunArgs& args, const Fourier& fourier, int64_t i, Complex* data,
                           Complex* scratch) {
    const int64_t outer = i / spec.inner, inner = i % spec.inner;
    const S* src = Input<S>(args, 0);
    const int64_t given = spec.half ? spec.length / 2 + 1 : spec.length;
    for (int64_t t = 0; t < given; ++t) {
      const int64_t at = (outer * spec.axis + t) * spec.inner + inner;
      data[t] = t < spec.axis ? Read(src, at, spec.complex) : Complex();
    }
    for (int64_t t = given; t < spec.length; ++t) data[t] = std::conj(data[spec.length - t]);
    spec.inverse ? fourier.Invert(data, scratch) : fourier.Transform(data, scratch);
    S* dst = Output<S>(args);
    for (int64_t w = 0; w < spec.bins; ++w) {
      const int64_t at = (outer * spec.bins + w) * spec.inner + inner;
      if (spec.half) {
        dst[at] = Store<S>(data[w].real());
      } else {
        Write(data[w], dst, at);
      }
    }
  };
  return PerLine(std::make_shared<const Fourier>(static_cast<size_t>(spec.length)),
                 spec.outer * spec.inner, context.threads, line);
}

template <typename S>
PreparedPtr MakeFrames(const FramesSpec& spec, const PrepareContext& context) {
  const auto line = [spec](const RunArgs& args, const Fourier& fourier, int64_t i, Complex* data,
                           Complex* scratch) {
    const S* signal = Input<S>(args, 0);
    const S* window = args.inputs.size() > 2 ? Input<S>(args, 2) : nullptr;
    const int64_t first = i / spec.frames * spec.samples + i % spec.frames * spec.step;
    for (int64_t t = 0; t < spec.length; ++t) {
      const double weight = window == nullptr ? 1.0 : static_cast<double>(Value(window[t]));
      data[t] = Read(signal, first + t, spec.complex) * weight;
    }
    fourier.Transform(data, scratch);
    for (int64_t w = 0; w < spec.bins; ++w) Write(data[w], Output<S>(args), i * spec.bins + w);
  };
  return PerLine(std::make_shared<const Fourier>(static_cast<size_t>(spec.length)),
                 spec.batch * spec.frames, context.threads, line);
}

}  // namespace

PreparedPtr PrepareWindow(const WindowSpec& spec, const PrepareContext&) {
  return WithNumber(spec.type, [&](auto stored) {
    using S = decltype(stored);
    return MakeKernel("reference/plain", [spec](const RunArgs& args) {
      const auto period = static_cast<double>(spec.periodic ? spec.count : spec.count - 1);
      for (int64_t i = 0; i < spec.count; ++i) {
        const double t = 2.0 * std::numbers::pi * static_cast<double>(i) / period;
        Output<S>(args)[i] = Store<S>(period == 0.0 ? 1.0 : WindowAt(spec.kind, t));
      }
    });
  });
}

PreparedPtr PrepareMelWeights(const MelWeightsSpec& spec, const PrepareContext&) {
  if (spec.types.size() != 5) return nullptr;
  std::vector<Reader<double>> readers;
  for (ElementType type : spec.types) readers.push_back(ReaderOf<double>(type));
  return WithNumber(spec.type, [&](auto stored) {
    using S = decltype(stored);
    return MakeKernel("reference/plain", [spec, readers](const RunArgs& args) {
      const auto number = [&](size_t i) { return readers[i](args.inputs[i], 0); };
      MelScale scale{number(1), number(2), MelScale::FromHertz(number(3)), 0.0};
      scale.step =
          (MelScale::FromHertz(number(4)) - scale.lower) / static_cast<double>(spec.bands + 2);
      S* dst = Output<S>(args);
      std::fill_n(dst, spec.bins * spec.bands, Store<S>(0.0));
      for (int64_t band = 0; band < spec.bands; ++band) {
        const int64_t low = scale.Bin(band), center = scale.Bin(band + 1),
                      high = scale.Bin(band + 2);
        const auto rise = static_cast<double>(center - low),
                   fall = static_cast<double>(high - center);
        const int64_t first = std::max<int64_t>(low, 0), last = std::min(high, spec.bins - 1);
        for (int64_t bin = first; bin <= std::max(last, center) && bin < spec.bins; ++bin) {
          double weight = 0.0;
          if (bin <= center) weight = low == center ? 1.0 : static_cast<double>(bin - low) / rise;
          if (bin >= center && bin < high) weight = static_cast<double>(high - bin) / fall;
          dst[bin * spec.bands + band] = Store<S>(weight);
        }
      }
    });
  });
}

PreparedPtr PrepareFourier(const FourierSpec& spec, const PrepareContext& context) {
  if (spec.length < 1 || spec.bins > spec.length) return nullptr;
  if (spec.half && !(spec.complex && spec.inverse)) return nullptr;
  return WithReal(spec.type,
                  [&](auto stored) { return MakeFourier<decltype(stored)>(spec, context); });
}

PreparedPtr PrepareFrames(const FramesSpec& spec, const PrepareContext& context) {
  if (spec.length < 1 || spec.bins > spec.length || spec.step < 1) return nullptr;
  if (spec.frames > 0 && (spec.frames - 1) * spec.step + spec.length > spec.samples) return nullptr;
  return WithReal(spec.type,
                  [&](auto stored) { return MakeFrames<decltype(stored)>(spec, context); });
}

}  // namespace fourfold::kernels::reference
