#pragma once

#include <optional>
#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Negative log likelihood of the target classes, as ONNX NegativeLogLikelihoodLoss:
//   loss[n][i] = -weight[target[n][i]] * src[n][target[n][i]][i], 0 where ignore_index is the
//   target kNone: dst = loss; kSum: their sum; kMean: that sum / the sum of the weights that were
//   taken
// Real numbers, summed in double. A target outside of [0, classes) that is not ignored is a fault.
//
//   inputs   src [samples, classes, inner], target int32 or int64 [samples, inner], weight
//            [classes] or null (all 1)        outputs  dst [samples, inner] or one element
struct LikelihoodSpec {
  enum class Reduction : uint8_t { kNone, kMean, kSum };
  ElementType type = ElementType::kFloat32;
  ElementType target_type = ElementType::kInt64;
  int64_t samples = 1;
  int64_t classes = 1;
  int64_t inner = 1;
  Reduction reduction = Reduction::kMean;
  std::optional<int64_t> ignore_index;
};

std::span<const Kernel<LikelihoodSpec>> LikelihoodKernels();

}  // namespace fourfold::kernels
