#include "kernels/einsum.h"

#include <map>

#include "kernels/reference/element.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

constexpr size_t kMaxOperands = 16;

// One loop per label, those of dst first; steps[k] of each operand.
struct Loops {
  std::vector<int64_t> dims;
  std::vector<std::vector<int64_t>> steps;  // [operand][loop]
  size_t kept = 0;                          // loops over dst
  int64_t outputs = 1;
  int64_t sums = 1;  // products behind one output
};

// False where labels and dimensions do not fit each other or the limits.
bool MakeLoops(const EinsumSpec& spec, Loops* loops) {
  if (spec.operands.size() > kMaxOperands || spec.labels.size() != spec.operands.size()) {
    return false;
  }
  std::map<int, size_t> loop_of;
  for (int label : spec.dst) {
    if (!loop_of.emplace(label, loop_of.size()).second) return false;
  }
  loops->kept = spec.dst.size();
  for (const auto& labels : spec.labels) {
    for (int label : labels) loop_of.emplace(label, loop_of.size());
  }
  loops->dims.assign(loop_of.size(), 1);
  for (size_t k = 0; k < spec.operands.size(); ++k) {
    const Dims& dims = spec.operands[k];
    if (spec.labels[k].size() != dims.size()) return false;
    const std::vector<int64_t> strides = Strides(dims, Layout::kRowMajor);
    loops->steps.emplace_back(loop_of.size(), 0);
    for (size_t d = 0; d < dims.size(); ++d) {
      const size_t loop = loop_of.at(spec.labels[k][d]);
      if (dims[d] == 1) continue;
      if (loops->dims[loop] != 1 && loops->dims[loop] != dims[d]) return false;
      loops->dims[loop] = dims[d];
      loops->steps[k][loop] += strides[d];
    }
  }
  const size_t summed = loops->dims.size() - loops->kept;
  if (loops->kept > kMaxRank || summed > kMaxRank) return false;
  for (size_t i = 0; i < loops->dims.size(); ++i) {
    (i < loops->kept ? loops->outputs : loops->sums) *= loops->dims[i];
  }
  return true;
}

// The sum behind one output, whose loops brought the operands to `offset`.
template <typename S, typename Sum>
Sum Contract(const Loops& loops, std::span<const void* const> operands,
             std::array<int64_t, kMaxOperands> offset) {
  std::array<int64_t, kMaxRank> index{};
  const size_t count = operands.size();
  Sum sum = 0;
  for (int64_t i = 0; i < loops.sums; ++i) {
    Sum product = 1;
    for (size_t k = 0; k < count; ++k) {
      product *= static_cast<Sum>(Value(static_cast<const S*>(operands[k])[offset[k]]));
    }
    sum += product;
    for (size_t loop = loops.dims.size(); loop-- > loops.kept;) {
      int64_t& at = index[loop - loops.kept];
      const bool carries = ++at == loops.dims[loop];
      for (size_t k = 0; k < count; ++k) {
        offset[k] += loops.steps[k][loop] * (carries ? 1 - loops.dims[loop] : 1);
      }
      if (!carries) break;
      at = 0;
    }
  }
  return sum;
}

template <typename S>
PreparedPtr Make(Loops loops) {
  using Sum = std::conditional_t<std::is_integral_v<Computed<S>>, uint64_t, double>;
  return MakeKernel("reference/plain", [loops = std::move(loops)](const RunArgs& args) {
    S* dst = Output<S>(args);
    const std::span<const void* const> operands = args.inputs.first(loops.steps.size());
    const int64_t work = 4 * loops.sums;
    ForRange(*args.parallel, loops.outputs, work, [&](int64_t begin, int64_t end) {
      for (int64_t output = begin; output < end; ++output) {
        std::array<int64_t, kMaxOperands> offset{};
        int64_t rest = output;
        for (size_t loop = loops.kept; loop-- > 0;) {
          const int64_t at = rest % loops.dims[loop];
          rest /= loops.dims[loop];
          for (size_t k = 0; k < operands.size(); ++k) offset[k] += at * loops.steps[k][loop];
        }
        dst[output] = Store<S>(Contract<S, Sum>(loops, operands, offset));
      }
    });
  });
}

}  // namespace

PreparedPtr PrepareEinsum(const EinsumSpec& spec, const PrepareContext&) {
  Loops loops;
  if (!MakeLoops(spec, &loops)) return nullptr;
  return WithNumber(spec.type, [&](auto stored) { return Make<decltype(stored)>(loops); });
}

}  // namespace fourfold::kernels::reference
