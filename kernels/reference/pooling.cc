#include <cmath>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

constexpr size_t kSpace = 3;  // spatial dimensions, missing ones have length 1
constexpr int64_t kLanes = 256;

using Space = std::array<int64_t, kSpace>;

// Images of `lanes` interleaved channels: all of them channels-last, one at a time row-major.
struct Geometry {
  int64_t images = 1;
  int64_t lanes = 1;
  Space in, out, kernel, stride, dilation, pad_begin, pad_end;
  bool global = false;  // one window, exactly the image
};

Space FromBack(const Dims& dims, size_t skip, int64_t missing) {
  Space space;
  space.fill(missing);
  const size_t count = dims.size() - skip;
  for (size_t d = 0; d < count; ++d) space[kSpace - count + d] = dims[skip + d];
  return space;
}

Geometry MakeGeometry(const PoolingSpec& spec) {
  const bool last = spec.src.layout == Layout::kChannelsLast;
  const int64_t batch = spec.src.dims[0], channels = spec.src.dims[1];
  Geometry g{.images = last ? batch : batch * channels,
             .lanes = last ? channels : 1,
             .in = FromBack(spec.src.dims, 2, 1),
             .out = FromBack(spec.dst.dims, 2, 1),
             .kernel = FromBack(spec.kernel, 0, 1),
             .stride = FromBack(spec.strides, 0, 1),
             .dilation = FromBack(spec.dilations, 0, 1),
             .pad_begin = FromBack(spec.pads_begin, 0, 0),
             .pad_end = FromBack(spec.pads_end, 0, 0)};
  g.global = g.kernel == g.in && g.out == Space{1, 1, 1} && g.pad_begin == Space{0, 0, 0};
  return g;
}

// The part of one window that lies inside the image.
struct Window {
  Space first;         // index of its first element
  Space count;         // elements along each dimension
  int64_t padded = 1;  // elements inside the padded image

  Window(const Geometry& g, int64_t position) {
    for (size_t d = kSpace; d-- > 0;) {
      const int64_t start = position % g.out[d] * g.stride[d] - g.pad_begin[d];
      position /= g.out[d];
      const int64_t dilation = g.dilation[d];
      const int64_t skipped = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
      const int64_t end =
          std::min(g.kernel[d], g.in[d] > start ? (g.in[d] - start + dilation - 1) / dilation : 0);
      first[d] = start + skipped * dilation;
      count[d] = std::max<int64_t>(0, end - skipped);
      const int64_t room = g.in[d] + g.pad_end[d] - start;  // to the end of the padded image
      padded *= std::max<int64_t>(0, std::min(g.kernel[d], (room + dilation - 1) / dilation));
    }
  }
  int64_t inside() const { return count[0] * count[1] * count[2]; }
};

// Calls element(offset) for each element of the window, in row-major order.
template <typename Element>
FOURFOLD_INLINE void ForWindow(const Geometry& g, const Window& w, const Element& element) {
  for (int64_t z = 0; z < w.count[0]; ++z) {
    const int64_t plane = (w.first[0] + z * g.dilation[0]) * g.in[1];
    for (int64_t y = 0; y < w.count[1]; ++y) {
      const int64_t row = (plane + w.first[1] + y * g.dilation[1]) * g.in[2] + w.first[2];
      for (int64_t x = 0; x < w.count[2]; ++x) element((row + x * g.dilation[2]) * g.lanes);
    }
  }
}

template <typename T>
struct MaxOf {
  using Source = T;

  void operator()(const Geometry& g, const Window& w, const T* src, T* dst, int64_t lanes) const {
    constexpr T kLowest = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                               : std::numeric_limits<T>::lowest();
    T high[kLanes];
    std::fill_n(high, lanes, kLowest);
    ForWindow(g, w, [&](int64_t offset) {
      const T* from = src + offset;
      for (int64_t k = 0; k < lanes; ++k) high[k] = high[k] < from[k] ? from[k] : high[k];
    });
    std::copy_n(high, lanes, dst);
  }
};

struct FloatAverage {
  using Source = float;
  bool include_pad;

  void operator()(const Geometry& g, const Window& w, const float* src, float* dst,
                  int64_t lanes) const {
    float sum[kLanes];
    std::fill_n(sum, lanes, 0.0f);
    ForWindow(g, w, [&](int64_t offset) {
      const float* from = src + offset;
      for (int64_t k = 0; k < lanes; ++k) sum[k] += from[k];
    });
    const int64_t count = std::max<int64_t>(1, include_pad ? w.padded : w.inside());
    for (int64_t k = 0; k < lanes; ++k) dst[k] = sum[k] / static_cast<float>(count);
  }
};

struct Norm {
  using Source = float;
  int64_t p;

  void operator()(const Geometry& g, const Window& w, const float* src, float* dst,
                  int64_t lanes) const {
    float sum[kLanes];
    std::fill_n(sum, lanes, 0.0f);
    const auto power = static_cast<float>(p);
    ForWindow(g, w, [&](int64_t offset) {
      const float* from = src + offset;
      for (int64_t k = 0; k < lanes; ++k) {
        const float x = std::fabs(from[k]);
        sum[k] += p == 1 ? x : p == 2 ? x * x : std::pow(x, power);
      }
    });
    for (int64_t k = 0; k < lanes; ++k) {
      dst[k] = p == 1 ? sum[k] : p == 2 ? std::sqrt(sum[k]) : std::pow(sum[k], 1.0f / power);
    }
  }
};

// The rule of a global pool: an exact sum, one multiplication.
template <typename T>
struct GlobalIntegerAverage {
  using Source = T;
  QuantParams src_params, dst_params;

  void operator()(const Geometry& g, const Window& w, const T* src, T* dst, int64_t lanes) const {
    int32_t sum[kLanes];
    std::fill_n(sum, lanes, 0);
    ForWindow(g, w, [&](int64_t offset) {
      const T* from = src + offset;
      for (int64_t k = 0; k < lanes; ++k) sum[k] += from[k];
    });
    const auto count = static_cast<int32_t>(w.inside());
    const float scale = src_params.scale / (dst_params.scale * static_cast<float>(count));
    const auto zero = static_cast<float>(dst_params.zero_point);
    for (int64_t k = 0; k < lanes; ++k) {
      const int32_t exact = sum[k] - src_params.zero_point * count;
      dst[k] = Saturate<T>(static_cast<float>(exact) * scale, zero);
    }
  }
};

template <typename T>
struct IntegerAverage {
  using Source = T;
  bool include_pad;
  QuantParams src_params, dst_params;

  void operator()(const Geometry& g, const Window& w, const T* src, T* dst, int64_t lanes) const {
    float sum[kLanes];
    std::fill_n(sum, lanes, 0.0f);
    ForWindow(g, w, [&](int64_t offset) {
      const T* from = src + offset;
      for (int64_t k = 0; k < lanes; ++k) {
        sum[k] += src_params.scale * static_cast<float>(from[k] - src_params.zero_point);
      }
    });
    const auto count =
        static_cast<float>(std::max<int64_t>(1, include_pad ? w.padded : w.inside()));
    const auto zero = static_cast<float>(dst_params.zero_point);
    for (int64_t k = 0; k < lanes; ++k) {
      dst[k] = Saturate<T>(sum[k] / count / dst_params.scale + zero, 0.0f);
    }
  }
};

template <typename Pool>
PreparedPtr Make(const Geometry& geometry, Pool pool) {
  return MakeKernel("reference/plain", [g = geometry, pool](const RunArgs& args) {
    using T = typename Pool::Source;
    const T* src = Input<T>(args, 0);
    T* dst = Output<T>(args);
    const int64_t in = g.in[0] * g.in[1] * g.in[2] * g.lanes;
    const int64_t out = g.out[0] * g.out[1] * g.out[2];
    const int64_t window = g.kernel[0] * g.kernel[1] * g.kernel[2];
    const int64_t blocks = (g.lanes + kLanes - 1) / kLanes;
    ForRange(*args.parallel, g.images * out * blocks, window * std::min(g.lanes, kLanes),
             [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t first = unit % blocks * kLanes;
                 const int64_t position = unit / blocks;  // image and place in it
                 pool(g, Window(g, position % out), src + position / out * in + first,
                      dst + position * g.lanes + first, std::min(kLanes, g.lanes - first));
               }
             });
  });
}

// The largest element and where it stands. Row-major images.
template <typename T>
struct MaxWithIndices {
  Geometry g;
  bool column_major;

  // Of an element of an image, given its index in row-major order.
  int64_t Index(int64_t offset) const {
    if (!column_major) return offset;
    const int64_t x = offset % g.in[2], y = offset / g.in[2] % g.in[1],
                  z = offset / g.in[2] / g.in[1];
    return z + g.in[0] * (y + g.in[1] * x);
  }

  void operator()(const RunArgs& args) const {
    const int64_t in = g.in[0] * g.in[1] * g.in[2], out = g.out[0] * g.out[1] * g.out[2];
    const int64_t window = g.kernel[0] * g.kernel[1] * g.kernel[2];
    T* dst = Output<T>(args);
    int64_t* indices = args.outputs.size() > 1 ? Output<int64_t>(args, 1) : nullptr;
    ForRange(*args.parallel, g.images * out, 2 * window, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t image = i / out * in;
        const T* src = Input<T>(args, 0) + image;
        const Window w(g, i % out);
        int64_t at = -1;
        ForWindow(g, w, [&](int64_t offset) {
          if (at < 0 || src[at] < src[offset]) at = offset;
        });
        MaxOf<T>{}(g, w, src, dst + i, 1);
        if (indices != nullptr) indices[i] = at < 0 ? 0 : image + Index(at);
      }
    });
  }
};

template <typename T>
PreparedPtr MakeMax(const PoolingSpec& spec, const Geometry& g) {
  if (!spec.indices) return Make(g, MaxOf<T>{});
  if (g.lanes != 1) return nullptr;
  return MakeKernel("reference/indices", MaxWithIndices<T>{g, spec.column_major});
}

template <typename T>
PreparedPtr PrepareInteger(const PoolingSpec& spec, const Geometry& g) {
  if (spec.kind == PoolingSpec::Kind::kLp) return nullptr;
  if (spec.kind == PoolingSpec::Kind::kMax) {
    return spec.src_params == spec.dst_params ? MakeMax<T>(spec, g) : nullptr;
  }
  if (g.global) {
    if (g.kernel[0] * g.kernel[1] * g.kernel[2] > (int64_t{1} << 22))
      return nullptr;  // the sum is int32
    return Make(g, GlobalIntegerAverage<T>{spec.src_params, spec.dst_params});
  }
  return Make(g, IntegerAverage<T>{spec.kind == PoolingSpec::Kind::kAverageIncludePad,
                                   spec.src_params, spec.dst_params});
}

}  // namespace

PreparedPtr PreparePooling(const PoolingSpec& spec, const PrepareContext&) {
  const size_t rank = spec.src.dims.size();
  if (rank < 3 || rank > kSpace + 2 || spec.dst.dims.size() != rank ||
      spec.src.type != spec.dst.type || spec.src.layout != spec.dst.layout ||
      spec.kernel.size() != rank - 2) {
    return nullptr;
  }
  if (spec.indices &&
      (spec.kind != PoolingSpec::Kind::kMax || spec.src.layout != Layout::kRowMajor)) {
    return nullptr;
  }
  const Geometry g = MakeGeometry(spec);
  switch (spec.src.type) {
    case ElementType::kUint8: return PrepareInteger<uint8_t>(spec, g);
    case ElementType::kInt8: return PrepareInteger<int8_t>(spec, g);
    case ElementType::kFloat32: break;
    default: return nullptr;
  }
  if (spec.kind == PoolingSpec::Kind::kMax) return MakeMax<float>(spec, g);
  if (spec.kind == PoolingSpec::Kind::kLp) {
    return spec.p >= 1 ? Make(g, Norm{spec.p}) : nullptr;
  }
  return Make(g, FloatAverage{spec.kind == PoolingSpec::Kind::kAverageIncludePad});
}

}  // namespace fourfold::kernels::reference
