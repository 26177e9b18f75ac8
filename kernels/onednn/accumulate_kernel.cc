#include "kernels/onednn/accumulate_kernel.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/arithmetic.h"
#include "kernels/onednn/onednn.h"

namespace fourfold::kernels::onednn {
namespace {

constexpr size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

void CopyBytes(const void* from, void* to, size_t bytes, Parallel& parallel) {
  constexpr size_t kShare = size_t{1} << 18;
  const auto shares = static_cast<int>((bytes + kShare - 1) / kShare);
  parallel.For(shares, [=](int i) {
    const size_t begin = i * kShare;
    std::memcpy(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin,
                std::min(kShare, bytes - begin));
  });
}

// These compute in registers or a buffer of their own and touch each element of dst once, when its
// residual has been read.
bool ToleratesAlias(std::string_view implementation) {
  return implementation.find("/br") != std::string_view::npos ||
         implementation.find("/jit") != std::string_view::npos;
}

}  // namespace

AccumulateKernel::AccumulateKernel(Parts parts)
    : parts_(std::move(parts)),
      tolerates_alias_(ToleratesAlias(parts_.primitive->implementation())),
      primitive_scratch_(RoundUp(parts_.primitive->scratch_bytes())) {}

size_t AccumulateKernel::scratch_bytes() const {
  const bool copies = parts_.residual == Epilogue::Residual::kOperand && !tolerates_alias_;
  return primitive_scratch_ + (copies ? parts_.dst_bytes : 0);
}

void AccumulateKernel::Run(const RunArgs& args) const {
  const auto* src = static_cast<const std::byte*>(args.inputs[0]);
  auto* dst = static_cast<std::byte*>(args.outputs[0]);
  size_t input = 1;
  const void* const rhs = parts_.weights.data == nullptr ? args.inputs[input++] : nullptr;
  const auto* params =
      parts_.dynamic ? static_cast<const QuantParams*>(args.inputs[input++]) : nullptr;
  const auto* residual = parts_.residual == Epilogue::Residual::kNone
                             ? nullptr
                             : static_cast<const std::byte*>(args.inputs[input]);

  for (int64_t sample = 0; sample < parts_.samples; ++sample) {
    std::array<const void*, 6> pointers{};
    size_t count = 0;
    pointers[count++] = src + sample * parts_.src_bytes;
    if (rhs != nullptr) pointers[count++] = rhs;
    std::byte* const result = dst + sample * parts_.dst_bytes;
    pointers[count++] = result;
    if (params != nullptr) {
      pointers[count++] = &params[sample].scale;
      pointers[count++] = &params[sample].zero_point;
    }
    if (residual != nullptr) {
      const std::byte* addend = residual + sample * parts_.dst_bytes;
      if (parts_.residual == Epilogue::Residual::kInDst) {
        if (addend != result) CopyBytes(addend, result, parts_.dst_bytes, *args.parallel);
      } else {
        if (addend == result && !tolerates_alias_) {
          auto* const copy = static_cast<std::byte*>(args.scratch) + primitive_scratch_;
          CopyBytes(addend, copy, parts_.dst_bytes, *args.parallel);
          addend = copy;
        }
        pointers[count++] = addend;
      }
    }
    parts_.primitive->Execute({pointers.data(), count}, args.scratch, *args.parallel);
  }
}

bool Acceptable(const Accumulation& sum, ElementType src_type, ElementType dst_type,
                int64_t channels, int64_t sum_length) {
  const auto count = static_cast<size_t>(channels);
  if (!sum.bias.empty() && sum.bias.size() != count) return false;
  const bool float_dst = dst_type == ElementType::kFloat32;
  if (sum.arithmetic == Arithmetic::kFloat) {
    return src_type == ElementType::kFloat32 && float_dst &&
           (sum.weights_type == ElementType::kFloat32 || sum.weights_type == ElementType::kFloat16);
  }
  if (sum.weights_type != ElementType::kInt8 || !sum.weights_zero_point.empty()) return false;
  if (sum.multiplier.size() != count) return false;
  if (sum_length > kMaxExactSum) return false;
  if (sum.arithmetic == Arithmetic::kDynamicInt8)
    return src_type == ElementType::kUint8 && float_dst;
  const bool integer_src = src_type == ElementType::kUint8 || src_type == ElementType::kInt8;
  const bool integer_dst = dst_type == ElementType::kUint8 || dst_type == ElementType::kInt8;
  return integer_src && (float_dst || (integer_dst && !sum.residual));
}

bool CpuIsExact(CpuFeatures features) {
  return (features & (kAvx512Vnni | kAvxVnni | kAmx)) != 0 && HasExactIntegerProducts();
}

}  // namespace fourfold::kernels::onednn
