#include "kernels/binary.h"

#include "kernels/neon/neon.h"
#include "kernels/neon/wide.h"
#include "kernels/reference/broadcast.h"

// Addition and multiplication of 8-bit integers with the reference's bytes: the same fused and the
// same separate roundings, in the same order.
namespace fourfold::kernels::neon {
namespace {

using reference::AddParams;
using reference::MulParams;

float32x4_t Apply(const AddParams& p, int32x4_t a, int32x4_t b) {
  const float32x4_t sum = vfmaq_n_f32(vdupq_n_f32(p.fixed), vcvtq_f32_s32(b), p.rb);
  return vfmaq_n_f32(sum, vcvtq_f32_s32(a), p.ra);
}
float32x4_t Apply(const MulParams& p, int32x4_t a, int32x4_t b) {
  const int32x4_t product =
      vmulq_s32(vsubq_s32(a, vdupq_n_s32(p.a_zero)), vsubq_s32(b, vdupq_n_s32(p.b_zero)));
  return vaddq_f32(vmulq_n_f32(vcvtq_f32_s32(product), p.ratio), vdupq_n_f32(p.zero));
}

template <typename A, typename B, typename T, typename Params>
void ApplyLanes(const A* a, const B* b, T* dst, const Params& params) {
  const Wide left = LoadWide(a), right = LoadWide(b);
  Wide result;  // the conversion rounds half to even and makes 0 of NaN
  for (int q = 0; q < 4; ++q) {
    result.quad[q] = vcvtnq_s32_f32(Apply(params, left.quad[q], right.quad[q]));
  }
  StoreSaturated(result, dst);
}

// An operand's elements [i, i + lanes), from the row or repeated, readable as sixteen.
template <typename T>
struct Lanes {
  T copy[kWideLanes] = {};

  const T* From(const T* row, int64_t step, int64_t i, int64_t lanes) {
    if (step == 1 && lanes == kWideLanes) return row + i;
    if (step == 1) std::copy_n(row + i, lanes, copy);
    return copy;
  }
};

template <typename A, typename B, typename T, typename Params>
void ApplyRow(const A* a, const B* b, T* dst, int64_t count, reference::Steps steps,
              const Params& params) {
  Lanes<A> left;
  Lanes<B> right;
  if (steps.a == 0) std::fill_n(left.copy, kWideLanes, *a);
  if (steps.b == 0) std::fill_n(right.copy, kWideLanes, *b);
  for (int64_t i = 0; i < count; i += kWideLanes) {
    const int64_t lanes = std::min(kWideLanes, count - i);
    const A* x = left.From(a, steps.a, i, lanes);
    const B* y = right.From(b, steps.b, i, lanes);
    if (lanes == kWideLanes) {
      ApplyLanes(x, y, dst + i, params);
    } else {
      T rest[kWideLanes];
      ApplyLanes(x, y, rest, params);
      std::copy_n(rest, lanes, dst + i);
    }
  }
}

template <typename A, typename B, typename T, typename Params>
PreparedPtr Make(reference::Walk walk, const Params& params) {
  return reference::MakeKernel(
      "neon/binary", [walk = std::move(walk), params](const RunArgs& args) {
        const A* a = reference::Input<A>(args, 0);
        const B* b = reference::Input<B>(args, 1);
        T* dst = reference::Output<T>(args);
        reference::ForRows(
            args, walk,
            [&](int64_t at_a, int64_t at_b, int64_t at, int64_t count, reference::Steps steps) {
              ApplyRow(a + at_a, b + at_b, dst + at, count, steps, params);
            });
      });
}

// Calls f with a value of the integer type that `type` names.
template <typename F>
PreparedPtr WithType(ElementType type, const F& f) {
  return type == ElementType::kUint8 ? f(uint8_t{}) : f(int8_t{});
}

template <typename Params>
PreparedPtr Prepare(const BinarySpec& spec, const reference::Walk& walk, const Params& params) {
  return WithType(spec.a.type, [&](auto a) {
    return WithType(spec.b.type, [&](auto b) {
      return WithType(spec.dst.type, [&](auto dst) {
        return Make<decltype(a), decltype(b), decltype(dst)>(walk, params);
      });
    });
  });
}

}  // namespace

PreparedPtr PrepareBinary(const BinarySpec& spec, const PrepareContext&) {
  if (spec.plain_integers) return nullptr;
  for (const TensorSpec* tensor : {&spec.a, &spec.b, &spec.dst}) {
    if (!reference::IsInteger8(tensor->type)) return nullptr;
  }
  reference::Walk walk;
  if (spec.activation.kind != Activation::Kind::kNone || !reference::MakeWalk(spec, &walk)) {
    return nullptr;
  }
  // Rows of neighbours, or of one repeated element.
  if (walk.a.back() > 1 || walk.b.back() > 1) return nullptr;
  switch (spec.operation) {
    case BinarySpec::Operation::kAdd: return Prepare(spec, walk, reference::AddParamsOf(spec));
    case BinarySpec::Operation::kMul: return Prepare(spec, walk, reference::MulParamsOf(spec));
    default: return nullptr;
  }
}

}  // namespace fourfold::kernels::neon
