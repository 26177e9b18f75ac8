#include <algorithm>
#include <memory>

#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"

namespace fourfold::kernels::onednn {
namespace {

struct Windows {
  Dims src, dst, kernel, strides, dilates, pads_begin, pads_end;
};

// Writes the padding that the number of windows implies, and one spatial dimension as two.
// False if a window holds no element or counts padding differently than oneDNN does.
bool MakeWindows(const PoolingSpec& spec, Windows& windows) {
  windows.src = spec.src.dims;
  windows.dst = spec.dst.dims;
  const size_t space = spec.src.dims.size() - 2;
  for (size_t i = 0; i < space; ++i) {
    const int64_t stride = spec.strides.empty() ? 1 : spec.strides[i];
    const int64_t dilation = spec.dilations.empty() ? 1 : spec.dilations[i];
    const int64_t begin = spec.pads_begin.empty() ? 0 : spec.pads_begin[i];
    const int64_t end = spec.pads_end.empty() ? 0 : spec.pads_end[i];
    const int64_t length = (spec.kernel[i] - 1) * dilation + 1;
    const int64_t last =
        (spec.dst.dims[i + 2] - 1) * stride - begin;             // where the last window begins
    const int64_t reach = last + length - spec.src.dims[i + 2];  // past the image
    if (begin >= length || last >= spec.src.dims[i + 2]) return false;
    if (spec.kind == PoolingSpec::Kind::kAverageIncludePad && reach > end) return false;
    windows.kernel.push_back(spec.kernel[i]);
    windows.strides.push_back(stride);
    windows.dilates.push_back(dilation - 1);
    windows.pads_begin.push_back(begin);
    windows.pads_end.push_back(std::max<int64_t>(reach, 0));
  }
  if (space == 1) {
    windows.src.insert(windows.src.begin() + 2, 1);
    windows.dst.insert(windows.dst.begin() + 2, 1);
    for (Dims* dims : {&windows.kernel, &windows.strides}) dims->insert(dims->begin(), 1);
    for (Dims* dims : {&windows.dilates, &windows.pads_begin, &windows.pads_end}) {
      dims->insert(dims->begin(), 0);
    }
  }
  return true;
}

dnnl::algorithm Algorithm(PoolingSpec::Kind kind) {
  switch (kind) {
    case PoolingSpec::Kind::kMax: return dnnl::algorithm::pooling_max;
    case PoolingSpec::Kind::kAverage: return dnnl::algorithm::pooling_avg_exclude_padding;
    case PoolingSpec::Kind::kAverageIncludePad: return dnnl::algorithm::pooling_avg_include_padding;
    case PoolingSpec::Kind::kLp: break;
  }
  return dnnl::algorithm::undef;
}

PreparedPtr Prepare(const PoolingSpec& spec, const PrepareContext& context) {
  const size_t rank = spec.src.dims.size();
  if (rank < 3 || rank > 5 || spec.src.layout != spec.dst.layout) return nullptr;
  if (spec.src.type != spec.dst.type || !DataType(spec.src.type)) return nullptr;
  if (ElementCount(spec.src.dims) == 0 || ElementCount(spec.dst.dims) == 0) return nullptr;
  if (spec.kind == PoolingSpec::Kind::kLp || spec.indices) return nullptr;
  const bool dilated = std::any_of(spec.dilations.begin(), spec.dilations.end(),
                                   [](int64_t dilation) { return dilation != 1; });
  if (dilated && spec.kind != PoolingSpec::Kind::kMax) return nullptr;  // not compared so far
  const bool is_float = spec.src.type == ElementType::kFloat32;
  if (!is_float && (spec.kind != PoolingSpec::Kind::kMax || spec.src.type == ElementType::kInt32 ||
                    spec.src_params != spec.dst_params)) {
    return nullptr;
  }
  Windows windows;
  if (!MakeWindows(spec, windows)) return nullptr;

  const dnnl::memory::desc src = Describe(windows.src, spec.src.type, spec.src.layout);
  const dnnl::memory::desc dst = Describe(windows.dst, spec.dst.type, spec.dst.layout);
  const ConcurrencyScope concurrency(context.threads);
  const dnnl::pooling_forward::primitive_desc primitive(
      Engine(), dnnl::prop_kind::forward_inference, Algorithm(spec.kind), src, dst, windows.strides,
      windows.kernel, windows.dilates, windows.pads_begin, windows.pads_end, NewAttributes(),
      /*allow_empty=*/true);
  if (!primitive || IsReference(primitive.impl_info_str())) return nullptr;
  return std::make_unique<PlainKernel>(
      primitive, dnnl::pooling_forward(primitive),
      std::vector<Operand>{{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst}});
}

}  // namespace

PreparedPtr PreparePooling(const PoolingSpec& spec, const PrepareContext& context) try {
  return Prepare(spec, context);
} catch (const dnnl::error&) {
  return nullptr;
}

}  // namespace fourfold::kernels::onednn
