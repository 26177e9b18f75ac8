#include "server/quantize/statistics.h"

#include <cmath>

namespace fourfold::quantize {
namespace {

// P(X >= successes) for X binomial(trials, p), summed from the larger side's terms in logarithms.
double UpperTail(int64_t successes, int64_t trials, double p) {
  double tail = 0;
  const double log_p = std::log(p);
  const double log_q = std::log1p(-p);
  const double log_n = std::lgamma(static_cast<double>(trials) + 1);
  for (int64_t k = successes; k <= trials; ++k) {
    const auto hits = static_cast<double>(k);
    const auto misses = static_cast<double>(trials - k);
    tail += std::exp(log_n - std::lgamma(hits + 1) - std::lgamma(misses + 1) + hits * log_p +
                     misses * log_q);
  }
  return tail;
}

}  // namespace

double LowerBoundOfProportion(int64_t successes, int64_t trials, double confidence) {
  if (trials <= 0 || successes <= 0) return 0;
  double low = 0;
  double high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (UpperTail(successes, trials, middle) < 1 - confidence ? low : high) = middle;
  }
  return low;
}

}  // namespace fourfold::quantize
