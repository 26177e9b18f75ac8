#pragma once

namespace fourfold::loadtest {

// The value that a variable with Student's t distribution does not exceed with probability `p`,
// 0.5 <= p < 1; `degrees` of freedom, 1 or more. Within 1e-9, relative, up to p = 0.9999.
double StudentTQuantile(double p, int degrees);

}  // namespace fourfold::loadtest
