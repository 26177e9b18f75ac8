#include "kernels/reference/fourier.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

namespace fourfold::kernels::reference {

namespace {

// exp(-2 pi i numerator / denominator)
std::complex<double> Root(size_t numerator, size_t denominator) {
  const double turn = static_cast<double>(numerator) / static_cast<double>(denominator);
  return std::polar(1.0, -2.0 * std::numbers::pi * turn);
}

}  // namespace

Fourier::Fourier(size_t length)
    : length_(length), padded_(std::has_single_bit(length) ? length : std::bit_ceil(2 * length)) {
  for (size_t k = 0; k < padded_ / 2; ++k) roots_.push_back(Root(k, padded_));
  if (padded_ == length_) return;
  // k^2 modulo 2 length keeps the argument small: the chirp has that period.
  for (size_t k = 0; k < length_; ++k) chirp_.push_back(Root(k * k % (2 * length_), 2 * length_));
  filter_.assign(padded_, Complex());
  for (size_t k = 0; k < length_; ++k) {
    filter_[k] = std::conj(chirp_[k]);
    filter_[(padded_ - k) % padded_] = filter_[k];
  }
  TransformPadded(filter_.data());
}

void Fourier::TransformPadded(Complex* data) const {
  for (size_t i = 1, reversed = 0; i < padded_; ++i) {
    size_t bit = padded_ >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed |= bit;
    if (i < reversed) std::swap(data[i], data[reversed]);
  }
  for (size_t half = 1; half < padded_; half *= 2) {
    const size_t step = padded_ / (2 * half);
    for (size_t first = 0; first < padded_; first += 2 * half) {
      for (size_t k = 0; k < half; ++k) {
        const Complex odd = data[first + half + k] * roots_[k * step];
        const Complex even = data[first + k];
        data[first + k] = even + odd;
        data[first + half + k] = even - odd;
      }
    }
  }
}

void Fourier::Transform(Complex* data, Complex* scratch) const {
  if (padded_ == length_) return TransformPadded(data);
  // w t = (w^2 + t^2 - (w - t)^2) / 2: a convolution, done as a product of transforms.
  for (size_t t = 0; t < length_; ++t) scratch[t] = data[t] * chirp_[t];
  for (size_t t = length_; t < padded_; ++t) scratch[t] = Complex();
  TransformPadded(scratch);
  // The inverse transform is the conjugate of the transform of the conjugate.
  for (size_t t = 0; t < padded_; ++t) scratch[t] = std::conj(scratch[t] * filter_[t]);
  TransformPadded(scratch);
  const double scale = 1.0 / static_cast<double>(padded_);
  for (size_t w = 0; w < length_; ++w) data[w] = std::conj(scratch[w]) * scale * chirp_[w];
}

void Fourier::Invert(Complex* data, Complex* scratch) const {
  for (size_t t = 0; t < length_; ++t) data[t] = std::conj(data[t]);
  Transform(data, scratch);
  const double scale = 1.0 / static_cast<double>(length_);
  for (size_t t = 0; t < length_; ++t) data[t] = std::conj(data[t]) * scale;
}

}  // namespace fourfold::kernels::reference
