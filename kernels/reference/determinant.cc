#include "kernels/determinant.h"

#include "kernels/reference/element.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// Of an n x n matrix, which is destroyed.
double Determinant(double* matrix, int64_t n) {
  double product = 1.0;
  for (int64_t column = 0; column < n; ++column) {
    int64_t pivot = column;
    for (int64_t row = column + 1; row < n; ++row) {
      if (std::fabs(matrix[row * n + column]) > std::fabs(matrix[pivot * n + column])) pivot = row;
    }
    if (pivot != column) {
      std::swap_ranges(matrix + pivot * n, matrix + pivot * n + n, matrix + column * n);
      product = -product;
    }
    const double* top = matrix + column * n;
    product *= top[column];
    if (top[column] == 0.0) return product;
    for (int64_t row = column + 1; row < n; ++row) {
      double* line = matrix + row * n;
      const double factor = line[column] / top[column];
      for (int64_t i = column; i < n; ++i) line[i] -= factor * top[i];
    }
  }
  return product;
}

}  // namespace

PreparedPtr PrepareDeterminant(const DeterminantSpec& spec, const PrepareContext&) {
  return WithReal(spec.type, [&](auto stored) {
    using S = decltype(stored);
    const int64_t count = spec.n * spec.n;
    const auto run = [spec, count](const RunArgs& args) {
      auto* matrix = static_cast<double*>(args.scratch);
      for (int64_t b = 0; b < spec.batch; ++b) {
        const S* src = Input<S>(args, 0) + b * count;
        for (int64_t i = 0; i < count; ++i) matrix[i] = static_cast<double>(Value(src[i]));
        Output<S>(args)[b] = Store<S>(Determinant(matrix, spec.n));
      }
    };
    return MakeKernel("reference/plain", run, static_cast<size_t>(count) * sizeof(double));
  });
}

}  // namespace fourfold::kernels::reference
