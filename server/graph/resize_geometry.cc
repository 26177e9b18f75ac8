#include "server/graph/resize_geometry.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

constexpr float kMostScale = 65536.0f;

absl::Status CheckCount(const char* what, size_t got, size_t wanted) {
  if (got == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("got ", got, " ", what, ", wanted ", wanted));
}

// The dimensions that scales and sizes speak of, in their order.
absl::StatusOr<std::vector<size_t>> ResizedAxes(const Resize& resize, size_t rank) {
  std::vector<size_t> axes;
  for (size_t d = 0; resize.axes.empty() && d < rank; ++d) axes.push_back(d);
  for (int64_t axis : resize.axes) {
    const std::optional<size_t> d = NormalizeAxis(axis, rank);
    if (!d || std::find(axes.begin(), axes.end(), *d) != axes.end()) {
      return absl::InvalidArgumentError(absl::StrCat("got axes ", ShapeText(resize.axes),
                                                     ", wanted some of ", rank,
                                                     " dimensions, each once"));
    }
    axes.push_back(*d);
  }
  return axes;
}

absl::Status ApplyScales(const std::vector<float>& scales, const Shape& x,
                         const std::vector<size_t>& axes, ResizeGeometry& geometry) {
  RETURN_IF_ERROR(CheckCount("scales", scales.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t d = axes[i];
    if (!(scales[i] > 0.0f) || scales[i] > kMostScale) {
      return absl::InvalidArgumentError(absl::StrCat("got scale ", scales[i], " in dimension ", d,
                                                     ", wanted one above 0 and up to ",
                                                     kMostScale));
    }
    const float part = geometry.ends[d] - geometry.starts[d];
    const double factor = static_cast<double>(scales[i]) * static_cast<double>(part);
    geometry.scales[d] = scales[i];
    if (x[d] == kUnknownDim && factor != 1.0) geometry.dims[d] = kUnknownDim;
    if (x[d] == kUnknownDim) continue;
    const double size = std::floor(static_cast<double>(x[d]) * factor);
    if (!(size >= 0.0) || size > static_cast<double>(kMaxTensorBytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("dimension ", d, " of ", x[d], " would become ", size));
    }
    geometry.dims[d] = static_cast<int64_t>(size);
  }
  return absl::OkStatus();
}

// One scale for all resized dimensions, so that none (not larger) or all (not smaller) of them
// reach their size. False if not all of them are known.
bool KeepAspect(Resize::Aspect aspect, const Shape& x, const std::vector<size_t>& axes,
                ResizeGeometry& geometry) {
  std::optional<float> scale;
  for (size_t d : axes) {
    if (x[d] <= 0 || geometry.dims[d] == kUnknownDim) return false;
    const float own = static_cast<float>(geometry.dims[d]) / static_cast<float>(x[d]);
    if (!scale) scale = own;
    scale = aspect == Resize::Aspect::kNotLarger ? std::min(*scale, own) : std::max(*scale, own);
  }
  for (size_t d : axes) {
    geometry.scales[d] = *scale;
    geometry.dims[d] = static_cast<int64_t>(std::floor(*scale * static_cast<float>(x[d]) + 0.5f));
  }
  return true;
}

absl::Status ApplySizes(const Resize& resize, const std::vector<std::optional<int64_t>>& sizes,
                        const Shape& x, const std::vector<size_t>& axes, ResizeGeometry& geometry) {
  RETURN_IF_ERROR(CheckCount("sizes", sizes.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t d = axes[i];
    const int64_t size = sizes[i].value_or(kUnknownDim);
    if (sizes[i] && (size < 0 || size > kMaxTensorBytes)) {
      return absl::InvalidArgumentError(absl::StrCat("got size ", size, " in dimension ", d));
    }
    geometry.dims[d] = size;
    if (size != kUnknownDim && x[d] > 0) {
      geometry.scales[d] = static_cast<float>(size) / static_cast<float>(x[d]);
    }
  }
  if (resize.aspect == Resize::Aspect::kStretch) return absl::OkStatus();
  if (!KeepAspect(resize.aspect, x, axes, geometry)) {
    for (size_t d : axes) geometry.dims[d] = kUnknownDim;
  }
  return absl::OkStatus();
}

}  // namespace

ResizeInputs ReadResizeInputs(const Tensor* scales, const Tensor* sizes, const Tensor* region) {
  const auto filled = [](const Tensor* tensor) { return tensor != nullptr && tensor->count() > 0; };
  ResizeInputs inputs;
  if (filled(scales)) inputs.scales = scales->ToFloat();
  if (filled(sizes)) {
    const std::vector<int64_t> known = sizes->ToInt64();
    inputs.sizes.emplace(known.begin(), known.end());
  }
  if (filled(region)) inputs.region = region->ToFloat();
  return inputs;
}

absl::StatusOr<ResizeGeometry> ResolveResize(const Resize& resize, const Shape& x,
                                             const ResizeInputs& inputs) {
  const size_t rank = x.size();
  ASSIGN_OR_RETURN(const std::vector<size_t> axes, ResizedAxes(resize, rank));
  ResizeGeometry geometry{x, std::vector<float>(rank, 1.0f), std::vector<float>(rank, 0.0f),
                          std::vector<float>(rank, 1.0f)};
  const bool crops = resize.coordinates == Resize::Coordinates::kTfCropAndResize;
  if (crops && inputs.region) {
    RETURN_IF_ERROR(CheckCount("numbers of a region", inputs.region->size(), 2 * axes.size()));
    for (size_t i = 0; i < axes.size(); ++i) {
      geometry.starts[axes[i]] = (*inputs.region)[i];
      geometry.ends[axes[i]] = (*inputs.region)[axes.size() + i];
    }
  }
  if (inputs.sizes) {
    RETURN_IF_ERROR(ApplySizes(resize, *inputs.sizes, x, axes, geometry));
  } else if (inputs.scales) {
    RETURN_IF_ERROR(ApplyScales(*inputs.scales, x, axes, geometry));
  } else {
    for (size_t d : axes) geometry.dims[d] = kUnknownDim;
  }
  return geometry;
}

absl::StatusOr<kernels::ResizeSpec> MakeResizeSpec(const Resize& resize, const ResizeInputs& inputs,
                                                   const kernels::TensorSpec& src,
                                                   const kernels::TensorSpec& dst) {
  ASSIGN_OR_RETURN(const ResizeGeometry geometry, ResolveResize(resize, src.dims, inputs));
  if (geometry.dims != dst.dims) {
    return absl::UnimplementedError("scales or sizes that depend on the data");
  }
  kernels::ResizeSpec spec;
  spec.mode = static_cast<kernels::ResizeSpec::Mode>(resize.mode);
  spec.coordinates = static_cast<kernels::ResizeSpec::Coordinates>(resize.coordinates);
  spec.nearest = static_cast<kernels::ResizeSpec::Nearest>(resize.nearest);
  spec.src = src;
  spec.dst = dst;
  spec.scales = geometry.scales;
  spec.starts = geometry.starts;
  spec.ends = geometry.ends;
  spec.extrapolation_value = resize.extrapolation_value;
  spec.cubic_coefficient = resize.cubic_coefficient;
  spec.exclude_outside = resize.exclude_outside;
  spec.antialias = resize.antialias;
  return spec;
}

}  // namespace fourfold::graph
