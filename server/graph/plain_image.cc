// From operations on images, convolution and pooling to kernels.
#include "kernels/grid_sample.h"
#include "kernels/plain_convolution.h"
#include "kernels/pooling.h"
#include "kernels/regions.h"
#include "kernels/resize.h"
#include "kernels/unpooling.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/plain_kernels.h"
#include "server/graph/resize_geometry.h"
#include "server/graph/transposed_window.h"

namespace fourfold::graph {

namespace {

using kernels::ElementType;
using kernels::PrepareContext;

std::vector<int64_t> SpaceOf(const kernels::Dims& dims) { return {dims.begin() + 2, dims.end()}; }

bool IsFloat(const PlainCall& call, size_t i) {
  return call.has(i) && call.in(i).type == ElementType::kFloat32;
}

}  // namespace

// Weights that are computed; runtime lowers those that are constant to faster forms.
PlainKernel PlainOf(const PlainCall& call, const Conv& conv, const PrepareContext& context) {
  if (!IsFloat(call, 0) || !IsFloat(call, 1) || call.has(4)) return kernels::PreparedPtr();
  const std::vector<int64_t> image = SpaceOf(call.in(0).dims), kernel = SpaceOf(call.in(1).dims);
  const absl::StatusOr<Window> window = ResolveWindow(conv.window, image, kernel);
  if (!window.ok()) return call.Error(window.status().message());
  kernels::PlainConvolutionSpec spec;
  spec.src = call.in(0);
  spec.weights = call.in(1);
  spec.dst = call.out();
  spec.groups = conv.groups;
  spec.strides = window->strides;
  spec.dilations = window->dilations;
  spec.pads_begin.assign(window->pads.begin(),
                         window->pads.begin() + static_cast<ptrdiff_t>(image.size()));
  spec.activation = conv.activation;
  return kernels::PrepareFirst(kernels::PlainConvolutionKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const ConvTranspose& conv,
                    const PrepareContext& context) {
  if (!IsFloat(call, 0) || !IsFloat(call, 1)) return kernels::PreparedPtr();
  const absl::StatusOr<TransposedWindow> window =
      ResolveTransposedWindow(conv, SpaceOf(call.in(0).dims), SpaceOf(call.in(1).dims));
  if (!window.ok()) return call.Error(window.status().message());
  kernels::PlainConvolutionSpec spec;
  spec.transposed = true;
  spec.src = call.in(0);
  spec.weights = call.in(1);
  spec.dst = call.out();
  spec.groups = conv.groups;
  spec.strides = window->strides;
  spec.dilations = window->dilations;
  spec.pads_begin = window->pads_begin;
  spec.activation = conv.activation;
  return kernels::PrepareFirst(kernels::PlainConvolutionKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Pool& pool, const PrepareContext& context) {
  using Kind = kernels::PoolingSpec::Kind;
  const std::vector<int64_t> image = SpaceOf(call.in(0).dims);
  const size_t space = image.size();
  Window all;
  all.kernel = image;
  const absl::StatusOr<Window> window = pool.global
                                            ? ResolveWindow(all, image, image)
                                            : ResolveWindow(pool.window, image, pool.window.kernel);
  if (!window.ok()) return call.Error(window.status().message());
  kernels::PoolingSpec spec;
  switch (pool.kind) {
    case Pool::Kind::kMax: spec.kind = Kind::kMax; break;
    case Pool::Kind::kAverage:
      spec.kind = pool.count_include_pad ? Kind::kAverageIncludePad : Kind::kAverage;
      break;
    case Pool::Kind::kLp: spec.kind = Kind::kLp; break;
  }
  // Integers that stand for themselves have no mean among themselves.
  if (pool.kind != Pool::Kind::kMax && !IsFloat(call, 0)) return kernels::PreparedPtr();
  spec.p = pool.p;
  spec.indices = call.outputs.size() > 1 && call.outputs[1].has_value();
  spec.column_major = pool.column_major;
  spec.src = call.in(0);
  spec.dst = call.out();
  spec.kernel = window->kernel;
  spec.strides = window->strides;
  spec.dilations = window->dilations;
  spec.pads_begin.assign(window->pads.begin(),
                         window->pads.begin() + static_cast<ptrdiff_t>(space));
  spec.pads_end.assign(window->pads.begin() + static_cast<ptrdiff_t>(space), window->pads.end());
  return kernels::PrepareFirst(kernels::PoolingKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const MaxUnpool& unpool, const PrepareContext& context) {
  if (!IsFloat(call, 0)) return kernels::PreparedPtr();
  kernels::UnpoolingSpec spec;
  spec.count = kernels::ElementCount(call.in(0).dims);
  spec.dst = call.out().dims;
  const absl::StatusOr<Shape> indexed = UnpooledShape(unpool, call.in(0).dims);
  if (!indexed.ok()) return call.Error(indexed.status().message());
  spec.indexed = *indexed;
  return kernels::PrepareFirst(kernels::UnpoolingKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const MaxRoiPool& pool, const PrepareContext& context) {
  if (!IsFloat(call, 0) || !IsFloat(call, 1)) return kernels::PreparedPtr();
  const kernels::MaxRegionsSpec spec{call.in(0).dims, call.out().dims, pool.spatial_scale};
  return kernels::PrepareFirst(kernels::MaxRegionsKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const RoiAlign& align, const PrepareContext& context) {
  if (!IsFloat(call, 0) || !IsFloat(call, 1)) return kernels::PreparedPtr();
  kernels::AlignRegionsSpec spec;
  spec.src = call.in(0).dims;
  spec.dst = call.out().dims;
  spec.scale = align.spatial_scale;
  spec.maximum = align.maximum;
  spec.half_pixel = align.half_pixel;
  spec.samples = align.sampling_ratio;
  return kernels::PrepareFirst(kernels::AlignRegionsKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const GridSample& sample,
                    const PrepareContext& context) {
  if (!IsFloat(call, 0) || !IsFloat(call, 1)) return kernels::PreparedPtr();
  kernels::GridSampleSpec spec;
  spec.mode = static_cast<kernels::GridSampleSpec::Mode>(sample.mode);
  spec.padding = static_cast<kernels::GridSampleSpec::Padding>(sample.padding);
  spec.align_corners = sample.align_corners;
  spec.src = call.in(0).dims;
  spec.dst = call.out().dims;
  return kernels::PrepareFirst(kernels::GridSampleKernels(), spec, context);
}

PlainKernel PlainOf(const PlainCall& call, const Resize& resize, const PrepareContext& context) {
  const auto constant = [&](size_t i) {
    return i < call.constants.size() ? call.constants[i] : nullptr;
  };
  const absl::StatusOr<kernels::ResizeSpec> spec = MakeResizeSpec(
      resize, ReadResizeInputs(constant(1), constant(2), constant(3)), call.in(0), call.out());
  if (!spec.ok()) return call.Error(spec.status().message());
  return kernels::PrepareFirst(kernels::ResizeKernels(), *spec, context);
}

}  // namespace fourfold::graph
