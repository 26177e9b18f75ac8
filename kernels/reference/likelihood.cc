#include "kernels/likelihood.h"

#include "kernels/reference/element.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {

PreparedPtr PrepareLikelihood(const LikelihoodSpec& spec, const PrepareContext&) {
  if (spec.target_type != ElementType::kInt64 && spec.target_type != ElementType::kInt32) {
    return nullptr;
  }
  return WithReal(spec.type, [&](auto stored) {
    using S = decltype(stored);
    const Reader<int64_t> target_of = ReaderOf<int64_t>(spec.target_type);
    return MakeKernel("reference/plain", [spec, target_of](const RunArgs& args) {
      const S* src = Input<S>(args, 0);
      const S* weights = args.inputs.size() > 2 ? Input<S>(args, 2) : nullptr;
      S* dst = Output<S>(args);
      double sum = 0.0, taken = 0.0;
      for (int64_t i = 0; i < spec.samples * spec.inner; ++i) {
        const int64_t target = target_of(args.inputs[1], i);
        double weight = 0.0, loss = 0.0;
        if (target == spec.ignore_index) {
          // Counts for nothing.
        } else if (target < 0 || target >= spec.classes) {
          if (args.fault != nullptr) args.fault->Report("a target is no class");
        } else {
          const int64_t at = (i / spec.inner * spec.classes + target) * spec.inner + i % spec.inner;
          weight = weights == nullptr ? 1.0 : static_cast<double>(Value(weights[target]));
          loss = -weight * static_cast<double>(Value(src[at]));
        }
        if (spec.reduction == LikelihoodSpec::Reduction::kNone) dst[i] = Store<S>(loss);
        sum += loss;
        taken += weight;
      }
      if (spec.reduction == LikelihoodSpec::Reduction::kSum) *dst = Store<S>(sum);
      if (spec.reduction == LikelihoodSpec::Reduction::kMean) *dst = Store<S>(sum / taken);
    });
  });
}

}  // namespace fourfold::kernels::reference
