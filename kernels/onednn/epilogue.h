#pragma once

#include <dnnl.hpp>
#include <vector>

#include "kernels/accumulate.h"
#include "kernels/onednn/primitive.h"

namespace fourfold::kernels::onednn {

// What happens between the sum and the store, as attributes of a primitive and the operands they
// need. Built so that the order of roundings is Accumulation's: the multiplier of static int8 is a
// post-op behind the bias, and the result is rounded before the zero point is added.
struct Epilogue {
  // How the residual enters.
  enum class Residual : uint8_t {
    kNone,
    kInDst,    // dst holds it before the call
    kOperand,  // the last operand
  };

  dnnl::primitive_attr attributes;
  std::vector<Operand>
      operands;  // kDynamicInt8: not fixed are scale, zero point; then the residual
  Residual residual = Residual::kNone;
};

struct EpilogueRequest {
  const Accumulation& sum;
  ElementType dst_type = ElementType::kFloat32;
  const dnnl::memory::desc& dst;
  int channel_dim = 1;         // of dst
  int weights_scale_mask = 0;  // kDynamicInt8: the mask of one scale per output channel
};

// `request.sum` is borrowed by the operands as long as the kernel lives.
Epilogue MakeEpilogue(const EpilogueRequest& request, const int32_t* src_zero_point,
                      const int32_t* dst_zero_point);

// Describes one float per channel: ones everywhere but in `channel_dim`.
dnnl::memory::desc DescribeChannels(int64_t channels, int rank, int channel_dim);

// Whether oneDNN's kernels without 8-bit dot products add the products of `row` without saturating
// at 16 bits: they add two products of uint8 and int8, neighbours within four consecutive elements.
// Checked for any two of four, beginning at multiples of four where `aligned`, else anywhere.
bool PairSumsFit(const int8_t* row, int64_t count, int64_t stride, bool aligned);

}  // namespace fourfold::kernels::onednn
