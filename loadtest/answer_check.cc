#include "loadtest/answer_check.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "loadtest/elements.h"

namespace fourfold::loadtest {
namespace {

size_t Hash(const client::InferResponse& answer) {
  size_t hash = 0;
  for (const client::Tensor& output : answer.outputs) {
    hash = absl::HashOf(hash, output.name, output.datatype, output.shape, output.bytes);
  }
  return hash;
}

// Samples of a classifier's output; 0 if it is none.
int64_t Rows(const client::Tensor& tensor, size_t elements) {
  if (tensor.shape.size() < 2 || tensor.shape.back() < 2) return 0;
  const auto rows = static_cast<int64_t>(elements) / tensor.shape.back();
  return rows == tensor.shape.front() ? rows : 0;
}

void AddClasses(std::span<const double> a, std::span<const double> b, int64_t rows,
                Difference& difference) {
  const size_t width = a.size() / static_cast<size_t>(rows);
  const auto largest = [width](std::span<const double> values, size_t row) {
    const auto one = values.subspan(row * width, width);
    return std::max_element(one.begin(), one.end()) - one.begin();
  };
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    ++difference.rows;
    if (largest(a, row) == largest(b, row)) ++difference.rows_agree;
  }
}

}  // namespace

void Difference::Add(const Difference& other) {
  rows += other.rows;
  rows_agree += other.rows_agree;
  largest = std::max(largest, other.largest);
  signal += other.signal;
  noise += other.noise;
}

std::optional<double> Difference::SqnrDb() const {
  if (noise == 0) return std::nullopt;
  return 10 * std::log10(signal / noise);
}

absl::StatusOr<Difference> Compare(const client::InferResponse& answer,
                                   const client::InferResponse& reference) {
  if (answer.outputs.size() != reference.outputs.size()) {
    return absl::DataLossError(absl::StrCat("the answer has ", answer.outputs.size(),
                                            " outputs, wanted ", reference.outputs.size()));
  }
  Difference difference;
  for (size_t i = 0; i < answer.outputs.size(); ++i) {
    const client::Tensor& got = answer.outputs[i];
    const client::Tensor& wanted = reference.outputs[i];
    if (got.name != wanted.name || got.datatype != wanted.datatype || got.shape != wanted.shape) {
      return absl::DataLossError(absl::StrCat("output ", i, " is ", got.name, " of ", got.datatype,
                                              ", wanted ", wanted.name, " of ", wanted.datatype,
                                              ", or its shape differs"));
    }
    const auto a = Elements(got);
    if (!a.ok()) return a.status();
    const auto b = Elements(wanted);
    if (!b.ok()) return b.status();
    if (a->size() != b->size()) {
      return absl::DataLossError(
          absl::StrCat("output ", got.name, " has ", a->size(), " elements, wanted ", b->size()));
    }
    double largest = 0;
    double scale = 0;
    for (size_t k = 0; k < a->size(); ++k) {
      const double x = (*a)[k];
      const double y = (*b)[k];
      if (x == y || (std::isnan(x) && std::isnan(y))) {
        if (std::isfinite(y)) {
          difference.signal += y * y;
          scale = std::max(scale, std::abs(y));
        }
        continue;
      }
      if (!std::isfinite(x) || !std::isfinite(y)) {
        return absl::DataLossError(absl::StrCat("output ", got.name, ", element ", k, " is ", x,
                                                ", wanted something near ", y));
      }
      difference.signal += y * y;
      difference.noise += (x - y) * (x - y);
      largest = std::max(largest, std::abs(x - y));
      scale = std::max(scale, std::abs(y));
    }
    if (largest > 0) difference.largest = std::max(difference.largest, largest / scale);
    const int64_t rows = i == 0 ? Rows(wanted, b->size()) : 0;
    if (rows > 0) AddClasses(*a, *b, rows, difference);
  }
  return difference;
}

AnswerCheck::AnswerCheck(std::vector<client::InferResponse> references, size_t targets)
    : references_(std::move(references)), targets_(targets) {
  const absl::MutexLock lock(&mutex_);
  for (Target& target : targets_) target.first.resize(references_.size());
}

void AnswerCheck::Add(const Observation& observation) {
  if (!observation.answer.ok()) return;
  const size_t input = observation.call.input;
  const auto malformed = [&](const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    AnswerFigures& figures = targets_[observation.call.target].figures;
    if (figures.malformed++ == 0) figures.first_malformed = std::string(status.message());
  };
  const auto answer = observation.answer->Decode();
  if (!answer.ok()) return malformed(answer.status());
  const size_t hash = Hash(*answer);
  {
    const absl::MutexLock lock(&mutex_);
    Target& target = targets_[observation.call.target];
    const std::optional<First>& first = target.first[input];
    if (first.has_value() && first->hash == hash) {
      ++target.figures.checked;
      target.figures.difference.Add(first->difference);
      return;
    }
  }
  const auto difference = Compare(*answer, references_[input]);
  if (!difference.ok()) return malformed(difference.status());
  const absl::MutexLock lock(&mutex_);
  Target& target = targets_[observation.call.target];
  std::optional<First>& first = target.first[input];
  if (!first.has_value()) first = First{hash, *difference};
  if (first->hash != hash) ++target.figures.inconsistent;
  ++target.figures.checked;
  target.figures.difference.Add(*difference);
}

AnswerFigures AnswerCheck::Figures(size_t target) const {
  const absl::MutexLock lock(&mutex_);
  return targets_[target].figures;
}

}  // namespace fourfold::loadtest
