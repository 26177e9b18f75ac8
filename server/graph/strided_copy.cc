#include "server/graph/strided_copy.h"

#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using kernels::CopySpec;
using kernels::Dims;
using kernels::TensorSpec;

CopySpec RowMajorCopy(const TensorSpec& src, Dims dims, std::vector<int64_t> src_strides) {
  CopySpec spec;
  spec.element_bytes = kernels::ElementSize(src.type);
  spec.dst_strides = kernels::Strides(dims, kernels::Layout::kRowMajor);
  spec.dims = std::move(dims);
  spec.src_strides = std::move(src_strides);
  return spec;
}

}  // namespace

// dst [N, C, H, b, W, b] from src [N, C, b, b, H, W] ("CRD") or [N, b, b, C, H, W].
CopySpec CopyOf(const DepthToSpace& op, const TensorSpec& src) {
  const std::vector<int64_t> own = kernels::Strides(src.dims, src.layout);
  const int64_t b = op.block, channels = src.dims[1] / (b * b);
  const int64_t row = op.column_row_depth ? own[1] * b : own[1] * b * channels;
  const int64_t column = op.column_row_depth ? own[1] : own[1] * channels;
  const int64_t channel = op.column_row_depth ? own[1] * b * b : own[1];
  return RowMajorCopy(src, {src.dims[0], channels, src.dims[2], b, src.dims[3], b},
                      {own[0], channel, own[2], row, own[3], column});
}

// dst [N, b, b, C, H / b, W / b] from src [N, C, H / b, b, W / b, b].
CopySpec CopyOf(const SpaceToDepth& op, const TensorSpec& src) {
  const std::vector<int64_t> own = kernels::Strides(src.dims, src.layout);
  const int64_t b = op.block;
  return RowMajorCopy(src, {src.dims[0], b, b, src.dims[1], src.dims[2] / b, src.dims[3] / b},
                      {own[0], own[2], own[3], own[1], own[2] * b, own[3] * b});
}

CopySpec CopyOfTile(const TensorSpec& src, const Dims& dst) {
  const std::vector<int64_t> own = kernels::Strides(src.dims, src.layout);
  Dims dims;
  std::vector<int64_t> strides;
  for (size_t i = 0; i < dst.size(); ++i) {
    const int64_t size = src.dims[i];
    dims.push_back(size == 0 ? 0 : dst[i] / size);  // repeats
    strides.push_back(0);
    dims.push_back(size);
    strides.push_back(own[i]);
  }
  return RowMajorCopy(src, std::move(dims), std::move(strides));
}

std::vector<int64_t> PadsInFront(size_t rank, const std::vector<int64_t>& pads,
                                 const std::vector<int64_t>* axes) {
  std::vector<int64_t> begin(rank, 0);
  for (size_t i = 0; i < pads.size() / 2; ++i) {
    begin[axes == nullptr ? i : *NormalizeAxis((*axes)[i], rank)] = pads[i];
  }
  return begin;
}

}  // namespace fourfold::graph
