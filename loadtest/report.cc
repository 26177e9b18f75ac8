#include "loadtest/report.h"

namespace fourfold::loadtest {

double AnswersPerBusySecond(const Figures& figures) {
  const double busy = std::chrono::duration<double>(figures.busy).count();
  return busy > 0 ? static_cast<double>(figures.ok()) / busy : 0;
}

}  // namespace fourfold::loadtest
