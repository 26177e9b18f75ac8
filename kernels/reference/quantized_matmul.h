#pragma once

#include "kernels/quantized_matmul.h"
#include "kernels/reference/loops.h"

namespace fourfold::kernels::reference {

PreparedPtr PrepareQuantizedMatMul(const QuantizedMatMulSpec& spec, const PrepareContext& context);

// What becomes of the sums, shared by all engines so that they give the same bytes.
class QuantizedFinish {
 public:
  explicit QuantizedFinish(const QuantizedMatMulSpec& spec) : spec_(spec) {
    multiplier_ = spec.lhs.scale * spec.rhs.scale;
    if (spec.dst_type != ElementType::kFloat32) multiplier_ = multiplier_ / spec.dst.scale;
  }

  // The operands' parameters in batch `batch` of a call.
  QuantParams Lhs(const RunArgs& args, int64_t batch) const {
    if (!spec_.dynamic) return spec_.lhs;
    return Input<QuantParams>(args, 2)[Sample(batch, spec_.lhs_batch, spec_.lhs_samples)];
  }
  QuantParams Rhs(const RunArgs& args, int64_t batch) const {
    if (!spec_.dynamic) return spec_.rhs;
    return Input<QuantParams>(args, 3)[Sample(batch, spec_.rhs_batch, spec_.rhs_samples)];
  }

  // Stores `count` sums of one row from element `first` of dst on.
  void Store(const int32_t* sums, int64_t count, float lhs_scale, float rhs_scale, void* dst,
             int64_t first) const {
    const float multiplier = spec_.dynamic ? lhs_scale * rhs_scale : multiplier_;
    switch (spec_.dst_type) {
      case ElementType::kUint8:
        return StoreAs(sums, count, multiplier, static_cast<uint8_t*>(dst) + first);
      case ElementType::kInt8:
        return StoreAs(sums, count, multiplier, static_cast<int8_t*>(dst) + first);
      default: return StoreAs(sums, count, multiplier, static_cast<float*>(dst) + first);
    }
  }

 private:
  static int64_t Sample(int64_t batch, int64_t batches, int64_t samples) {
    return batches == 1 ? 0 : batch / (batches / samples);
  }

  template <typename T>
  void StoreAs(const int32_t* sums, int64_t count, float multiplier, T* dst) const {
    const auto zero = static_cast<float>(spec_.dst.zero_point);
    const bool active = spec_.activation.kind != Activation::Kind::kNone;
    for (int64_t i = 0; i < count; ++i) {
      float value = static_cast<float>(sums[i]) * multiplier;
      if (active) value = Activate(spec_.activation, value);
      if constexpr (std::is_same_v<T, float>) {
        dst[i] = value;
      } else {
        dst[i] = Saturate<T>(value, zero);
      }
    }
  }

  const QuantizedMatMulSpec spec_;
  float multiplier_;
};

}  // namespace fourfold::kernels::reference
