#include "loadtest/student_t.h"

#include <cmath>
#include <initializer_list>

namespace fourfold::loadtest {
namespace {

// The regularised incomplete beta function I_x(a, b) by its continued fraction (Abramowitz and
// Stegun 26.5.8), evaluated from the front by Lentz's method. Requires x < (a + 1) / (a + b + 2),
// where it converges quickly.
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double fraction = d;
  for (int m = 1; m < 500; ++m) {
    for (const double term : {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                              -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))}) {
      d = 1 + term * d;
      c = 1 + term / c;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = std::abs(c) < kTiny ? kTiny : c;
      fraction *= d * c;
    }
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  const double front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  return std::exp(front) * fraction / a;
}

double Beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  return x < (a + 1) / (a + b + 2) ? BetaFraction(a, b, x) : 1 - BetaFraction(b, a, 1 - x);
}

// P(T > t) for t >= 0 (Abramowitz and Stegun 26.7.1).
double UpperTail(double t, double degrees) {
  return 0.5 * Beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

}  // namespace

double StudentTQuantile(double p, int degrees) {
  const double tail = 1 - p;
  double low = 0;
  double high = 1;
  while (UpperTail(high, degrees) > tail) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-12 * high; ++i) {
    const double middle = (low + high) / 2;
    (UpperTail(middle, degrees) > tail ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace fourfold::loadtest
