#include "kernels/onednn/quantized_matmul.h"

#include <algorithm>
#include <array>
#include <memory>

#include "kernels/onednn/accumulate_kernel.h"
#include "kernels/onednn/primitive.h"
#include "kernels/reference/quantized_matmul.h"

namespace fourfold::kernels::onednn {
namespace {

using Desc = dnnl::memory::desc;
using reference::ForRange;
using reference::Input;

constexpr size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

Desc Matrices(int64_t batch, int64_t rows, int64_t columns, ElementType type, bool transposed) {
  const Dims inner = transposed ? Dims{1, rows} : Dims{columns, 1};
  return {{batch, rows, columns}, *DataType(type), {rows * columns, inner[0], inner[1]}};
}

// sums[i] = sum over `count` elements of line i, whose elements are `step` apart and whose first
// ones are `next` apart.
template <typename T>
void SumLines(const T* values, int64_t lines, int64_t next, int64_t count, int64_t step,
              int32_t* sums) {
  std::fill_n(sums, lines, 0);
  if (next == 1) {
    for (int64_t j = 0; j < count; ++j) {
      for (int64_t i = 0; i < lines; ++i) sums[i] += values[j * step + i];
    }
    return;
  }
  for (int64_t i = 0; i < lines; ++i) {
    int32_t sum = 0;
    for (int64_t j = 0; j < count; ++j) sum += values[i * next + j * step];
    sums[i] = sum;
  }
}

// The primitive sums products of the integers as they are stored, rhs as int8; zero points come in
// when the sums are finished:
//   sum (l - zl) (r - zr) = sum l r - zl * sum r - zr * sum l + k zl zr
class QuantizedMatMul final : public PreparedKernel {
 public:
  QuantizedMatMul(const QuantizedMatMulSpec& spec, std::unique_ptr<const CompiledPrimitive> product)
      : spec_(spec),
        batch_(std::max(spec.lhs_batch, spec.rhs_batch)),
        flips_(spec.rhs_type == ElementType::kUint8),
        finish_(spec),
        product_(std::move(product)) {
    const auto take = [this](int64_t elements, size_t size) {
      const size_t offset = scratch_bytes_;
      scratch_bytes_ += RoundUp(static_cast<size_t>(elements) * size);
      return offset;
    };
    sums_ = take(batch_ * spec.m * spec.n, sizeof(int32_t));
    row_sums_ = take(spec.lhs_batch * spec.m, sizeof(int32_t));
    column_sums_ = take(spec.rhs_batch * spec.n, sizeof(int32_t));
    if (flips_) flipped_ = take(spec.rhs_batch * spec.k * spec.n, 1);
    inner_ = take(static_cast<int64_t>(product_->scratch_bytes()), 1);
  }

  std::string_view implementation() const override { return product_->implementation(); }
  size_t scratch_bytes() const override { return scratch_bytes_; }

  void Run(const RunArgs& args) const override {
    auto* const scratch = static_cast<std::byte*>(args.scratch);
    auto* const sums = reinterpret_cast<int32_t*>(scratch + sums_);
    auto* const row_sums = reinterpret_cast<int32_t*>(scratch + row_sums_);
    auto* const column_sums = reinterpret_cast<int32_t*>(scratch + column_sums_);
    const auto* rhs = Input<int8_t>(args, 1);
    if (flips_) rhs = Flip(args, reinterpret_cast<int8_t*>(scratch + flipped_));
    const int64_t m = spec_.m, n = spec_.n, k = spec_.k;
    ForRange(*args.parallel, spec_.rhs_batch, k * n / 4, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        SumLines(rhs + b * k * n, n, spec_.transpose_rhs ? k : 1, k, spec_.transpose_rhs ? 1 : n,
                 column_sums + b * n);
      }
    });
    ForRange(*args.parallel, spec_.lhs_batch, m * k / 4, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const int64_t next = spec_.transpose_lhs ? 1 : k, step = spec_.transpose_lhs ? m : 1;
        if (spec_.lhs_type == ElementType::kUint8) {
          SumLines(Input<uint8_t>(args, 0) + b * m * k, m, next, k, step, row_sums + b * m);
        } else {
          SumLines(Input<int8_t>(args, 0) + b * m * k, m, next, k, step, row_sums + b * m);
        }
      }
    });
    const std::array<const void*, 3> pointers = {args.inputs[0], rhs, sums};
    product_->Execute(pointers, scratch + inner_, *args.parallel);
    ForRange(*args.parallel, batch_ * m, n, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t batch = row / m;
        FinishRow(args, batch, row, row_sums[spec_.lhs_batch == 1 ? row % m : row],
                  column_sums + (spec_.rhs_batch == 1 ? 0 : batch) * n, sums + row * n);
      }
    });
  }

 private:
  // uint8 as int8: all less 128.
  const int8_t* Flip(const RunArgs& args, int8_t* flipped) const {
    const auto* from = Input<uint8_t>(args, 1);
    ForRange(*args.parallel, spec_.rhs_batch * spec_.k * spec_.n, 1,
             [&](int64_t begin, int64_t end) {
               for (int64_t i = begin; i < end; ++i)
                 flipped[i] = static_cast<int8_t>(from[i] ^ 0x80);
             });
    return flipped;
  }

  void FinishRow(const RunArgs& args, int64_t batch, int64_t row, int32_t row_sum,
                 const int32_t* column_sums, int32_t* sums) const {
    const QuantParams lhs = finish_.Lhs(args, batch), rhs = finish_.Rhs(args, batch);
    const int32_t rhs_zero = rhs.zero_point - (flips_ ? 128 : 0);
    // Wraps around as the int32 sum of oneDNN may; the result fits.
    const auto lhs_zero = static_cast<uint32_t>(lhs.zero_point);
    const auto constant =
        static_cast<uint32_t>(rhs_zero) *
        (static_cast<uint32_t>(spec_.k) * lhs_zero - static_cast<uint32_t>(row_sum));
    for (int64_t i = 0; i < spec_.n; ++i) {
      sums[i] = static_cast<int32_t>(static_cast<uint32_t>(sums[i]) + constant -
                                     lhs_zero * static_cast<uint32_t>(column_sums[i]));
    }
    finish_.Store(sums, spec_.n, lhs.scale, rhs.scale, args.outputs[0], row * spec_.n);
  }

  const QuantizedMatMulSpec spec_;
  const int64_t batch_;
  const bool flips_;  // rhs is uint8
  const reference::QuantizedFinish finish_;
  const std::unique_ptr<const CompiledPrimitive> product_;

  // Offsets in the scratch memory.
  size_t sums_ = 0;
  size_t row_sums_ = 0;
  size_t column_sums_ = 0;
  size_t flipped_ = 0;
  size_t inner_ = 0;
  size_t scratch_bytes_ = 0;
};

PreparedPtr Prepare(const QuantizedMatMulSpec& spec, const PrepareContext& context) {
  if (!IsConsistent(spec) || !CpuIsExact(context.features)) return nullptr;
  const int64_t batch = std::max(spec.lhs_batch, spec.rhs_batch);
  const Desc lhs = Matrices(spec.lhs_batch, spec.m, spec.k, spec.lhs_type, spec.transpose_lhs);
  const Desc rhs = Matrices(spec.rhs_batch, spec.k, spec.n, ElementType::kInt8, spec.transpose_rhs);
  const Desc dst = Matrices(batch, spec.m, spec.n, ElementType::kInt32, false);
  const ConcurrencyScope concurrency(context.threads);
  const dnnl::matmul::primitive_desc primitive(Engine(), lhs, rhs, dst, NewAttributes(),
                                               /*allow_empty=*/true);
  if (!primitive || IsReference(primitive.impl_info_str())) return nullptr;
  std::vector<Operand> operands = {
      {DNNL_ARG_SRC, lhs, nullptr}, {DNNL_ARG_WEIGHTS, rhs, nullptr}, {DNNL_ARG_DST, dst, nullptr}};
  return std::make_unique<QuantizedMatMul>(
      spec,
      std::make_unique<CompiledPrimitive>(primitive, dnnl::matmul(primitive), std::move(operands)));
}

}  // namespace

PreparedPtr PrepareQuantizedMatMul(const QuantizedMatMulSpec& spec,
                                   const PrepareContext& context) try {
  return Prepare(spec, context);
} catch (const dnnl::error&) {
  return nullptr;
}

}  // namespace fourfold::kernels::onednn
