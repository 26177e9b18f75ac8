#pragma once

#include <cstdint>
#include <vector>

#include "kernels/neon/window_f32.h"

namespace fourfold::kernels::neon {

// The way from the output positions of a channels-last convolution of bytes to the source pixels
// under the taps of its window. What depends on the shape is computed here, once: an offset for
// each line of output positions and line of taps, and one for each column of both. Immutable.
class IndirectionS8 {
 public:
  explicit IndirectionS8(const Window& window);

  int64_t taps() const { return line_taps_ * column_taps_; }

  // to[tap * step] = the pixel under `tap` at the output position, or `padding` outside of the
  // image. `image` is the first of the wanted channels of its first pixel.
  void Point(const uint8_t* image, const uint8_t* padding, int64_t position, int64_t step,
             const uint8_t** to) const;

  // Copies `channels` bytes of each pixel, tap behind tap; `padding` is the byte outside of the
  // image.
  void Gather(const uint8_t* image, uint8_t padding, int64_t position, int64_t channels,
              uint8_t* to) const;

 private:
  static constexpr int64_t kOutside = -1;

  const int64_t line_taps_;       // of the window
  const int64_t column_taps_;     // of one of its lines
  const int64_t out_columns_;     // output positions in a line
  const int64_t neighbours_;      // bytes between neighbouring taps of a line
  std::vector<int64_t> lines_;    // [output lines][line_taps_]: bytes to a source line, or kOutside
  std::vector<int64_t> columns_;  // [out_columns_][column_taps_]: bytes within it, or kOutside
};

}  // namespace fourfold::kernels::neon
