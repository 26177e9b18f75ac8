#include "kernels/neon/indirection_s8.h"

#include <cstring>

namespace fourfold::kernels::neon {

IndirectionS8::IndirectionS8(const Window& window)
    : line_taps_(window.kernel[0] * window.kernel[1]),
      column_taps_(window.kernel[2]),
      out_columns_(window.out[2]),
      neighbours_(window.dilation[2] * window.channels_in) {
  const auto source = [&window](size_t d, int64_t out, int64_t tap) {
    const int64_t at = out * window.stride[d] - window.pad[d] + tap * window.dilation[d];
    return at >= 0 && at < window.in[d] ? at : kOutside;
  };
  const int64_t line_bytes = window.in[2] * window.channels_in;
  for (int64_t line = 0; line < window.out[0] * window.out[1]; ++line) {
    for (int64_t tap = 0; tap < line_taps_; ++tap) {
      const int64_t z = source(0, line / window.out[1], tap / window.kernel[1]);
      const int64_t y = source(1, line % window.out[1], tap % window.kernel[1]);
      const bool outside = z == kOutside || y == kOutside;
      lines_.push_back(outside ? kOutside : (z * window.in[1] + y) * line_bytes);
    }
  }
  for (int64_t column = 0; column < out_columns_; ++column) {
    for (int64_t tap = 0; tap < column_taps_; ++tap) {
      const int64_t x = source(2, column, tap);
      columns_.push_back(x == kOutside ? kOutside : x * window.channels_in);
    }
  }
}

void IndirectionS8::Point(const uint8_t* image, const uint8_t* padding, int64_t position,
                          int64_t step, const uint8_t** to) const {
  const int64_t* const lines = lines_.data() + position / out_columns_ * line_taps_;
  const int64_t* const columns = columns_.data() + position % out_columns_ * column_taps_;
  for (int64_t y = 0; y < line_taps_; ++y) {
    for (int64_t x = 0; x < column_taps_; ++x, to += step) {
      // Either is kOutside, all bits, or both are offsets.
      *to = (lines[y] | columns[x]) < 0 ? padding : image + lines[y] + columns[x];
    }
  }
}

void IndirectionS8::Gather(const uint8_t* image, uint8_t padding, int64_t position,
                           int64_t channels, uint8_t* to) const {
  const int64_t* const lines = lines_.data() + position / out_columns_ * line_taps_;
  const int64_t* const columns = columns_.data() + position % out_columns_ * column_taps_;
  for (int64_t y = 0; y < line_taps_; ++y) {
    for (int64_t x = 0; x < column_taps_;) {
      // As many taps as can be copied at once.
      const bool outside = (lines[y] | columns[x]) < 0;
      int64_t end = x + 1;
      if (!outside && neighbours_ == channels) {
        while (end < column_taps_ && columns[end] >= 0) ++end;
      }
      const auto bytes = static_cast<size_t>((end - x) * channels);
      if (outside) {
        std::memset(to, padding, bytes);
      } else {
        std::memcpy(to, image + lines[y] + columns[x], bytes);
      }
      to += bytes;
      x = end;
    }
  }
}

}  // namespace fourfold::kernels::neon
