#include "kernels/eltwise.h"

#include <arm_neon.h>

#include <algorithm>

#include "kernels/neon/activation_f32.h"
#include "kernels/neon/neon.h"
#include "kernels/reference/loops.h"

// Tables, and the functions made of e^x. What is cheaper the compiler makes as good code of from
// the reference's loops, and that row serves it.
namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kPart = 4096;

template <typename Part>
void ForParts(const RunArgs& args, int64_t count, int64_t work, const Part& part) {
  reference::ForRange(
      *args.parallel, (count + kPart - 1) / kPart, kPart * work,
      [&](int64_t begin, int64_t end) { part(begin * kPart, std::min(count, end * kPart)); });
}

// dst[i] = f(src[i]) of vectors of T, of which `lanes` fit one.
template <int64_t kLanes, typename T, typename F>
void Apply(const T* src, T* dst, int64_t count, const F& f) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) f(src + i, dst + i);
  if (i == count) return;
  T rest[kLanes] = {};
  std::copy_n(src + i, count - i, rest);
  f(rest, rest);
  std::copy_n(rest, count - i, dst + i);
}

// Four registers at a time hold 64 entries; an index beyond them leaves what was found before.
PreparedPtr Table(const EltwiseSpec& spec) {
  return reference::MakeKernel(
      "neon/table", [count = spec.count, table = spec.table](const RunArgs& args) {
        const uint8_t* src = reference::Input<uint8_t>(args, 0);
        uint8_t* dst = reference::Output<uint8_t>(args);
        const uint8x16x4_t part0 = vld1q_u8_x4(table.data());
        const uint8x16x4_t part1 = vld1q_u8_x4(table.data() + 64);
        const uint8x16x4_t part2 = vld1q_u8_x4(table.data() + 128);
        const uint8x16x4_t part3 = vld1q_u8_x4(table.data() + 192);
        const uint8x16_t step = vdupq_n_u8(64);
        ForParts(args, count, 1, [&](int64_t begin, int64_t end) {
          Apply<16>(src + begin, dst + begin, end - begin, [&](const uint8_t* from, uint8_t* to) {
            uint8x16_t index = vld1q_u8(from);
            uint8x16_t found = vqtbl4q_u8(part0, index);
            found = vqtbx4q_u8(found, part1, index = vsubq_u8(index, step));
            found = vqtbx4q_u8(found, part2, index = vsubq_u8(index, step));
            vst1q_u8(to, vqtbx4q_u8(found, part3, vsubq_u8(index, step)));
          });
        });
      });
}

template <typename F>
PreparedPtr Floats(int64_t count, F f) {
  return reference::MakeKernel("neon/eltwise_f32", [count, f](const RunArgs& args) {
    const float* src = reference::Input<float>(args, 0);
    float* dst = reference::Output<float>(args);
    ForParts(args, count, 4, [&](int64_t begin, int64_t end) {
      Apply<4>(src + begin, dst + begin, end - begin,
               [&](const float* from, float* to) { vst1q_f32(to, f(vld1q_f32(from))); });
    });
  });
}

}  // namespace

PreparedPtr PrepareEltwise(const EltwiseSpec& spec, const PrepareContext&) {
  if (spec.type != ElementType::kFloat32) return nullptr;
  if (spec.function == EltwiseSpec::Function::kTable) return Table(spec);
  if (spec.function == EltwiseSpec::Function::kExp) {
    return Floats(spec.count, [](float32x4_t x) { return ExpF32(x); });
  }
  if (spec.function != EltwiseSpec::Function::kActivation) return nullptr;
  const auto activated = [&](auto kind) {
    const Activation activation{kind(), spec.activation.alpha, spec.activation.beta};
    return Floats(spec.count, [activation](float32x4_t x) {
      return ActivateF32({decltype(kind)::value, activation.alpha, activation.beta}, x);
    });
  };
  using Kind = Activation::Kind;
  switch (spec.activation.kind) {
    case Kind::kSigmoid: return activated(std::integral_constant<Kind, Kind::kSigmoid>{});
    case Kind::kTanh: return activated(std::integral_constant<Kind, Kind::kTanh>{});
    case Kind::kSwish: return activated(std::integral_constant<Kind, Kind::kSwish>{});
    case Kind::kElu: return activated(std::integral_constant<Kind, Kind::kElu>{});
    default: return nullptr;
  }
}

}  // namespace fourfold::kernels::neon
