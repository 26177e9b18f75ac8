#pragma once

#include <complex>
#include <cstddef>
#include <vector>

namespace fourfold::kernels::reference {

// The discrete Fourier transform of one length in O(n log n): Cooley and Tukey's for powers of two,
// Bluestein's convolution with a chirp for other lengths. Immutable.
class Fourier {
 public:
  using Complex = std::complex<double>;

  explicit Fourier(size_t length);

  size_t length() const { return length_; }
  // Elements of the scratch space of one transform.
  size_t scratch() const { return length_ == padded_ ? 0 : padded_; }

  // data[w] = sum over t of data[t] exp(-2 pi i w t / length).
  void Transform(Complex* data, Complex* scratch) const;
  // The inverse: the other sign, and divided by length.
  void Invert(Complex* data, Complex* scratch) const;

 private:
  void TransformPadded(Complex* data) const;  // of padded_ elements

  size_t length_;
  size_t padded_;                // a power of two: length_, or at least 2 length_ - 1
  std::vector<Complex> roots_;   // exp(-2 pi i k / padded_), k < padded_ / 2
  std::vector<Complex> chirp_;   // exp(-pi i k^2 / length_), k < length_
  std::vector<Complex> filter_;  // the transform of the chirp's conjugate, wrapped around
};

}  // namespace fourfold::kernels::reference
