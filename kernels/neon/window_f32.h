#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/convolution.h"

namespace fourfold::kernels::neon {

// The geometry of a channels-last convolution, and the way from output positions to the source
// elements under them: no copy of the source is made (im2col), the kernels follow pointers.
// A matrix product is the convolution of one image, whose positions are the rows, with one tap.
struct Window {
  static constexpr size_t kSpace = 3;  // spatial dimensions, missing ones have length 1
  using Space = std::array<int64_t, kSpace>;

  int64_t batch = 1;
  int64_t channels_in = 0;
  int64_t channels_out = 0;
  int64_t groups = 1;
  Space in{1, 1, 1};
  Space out{1, 1, 1};
  Space kernel{1, 1, 1};
  Space stride{1, 1, 1};
  Space dilation{1, 1, 1};
  Space pad{0, 0, 0};
  bool point = true;                      // each output position has the source's own under it
  std::vector<int64_t> tap_positions{0};  // of each tap, from the first

  // Of a consistent spec of 1 to 3 spatial dimensions.
  static Window Of(const ConvolutionSpec& spec);

  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t in_positions() const { return in[0] * in[1] * in[2]; }
  int64_t out_positions() const { return out[0] * out[1] * out[2]; }
  int64_t group_in() const { return channels_in / groups; }
  int64_t group_out() const { return channels_out / groups; }
  bool depthwise() const { return groups > 1 && group_in() == 1 && group_out() == 1; }

  // rows[tap * kTileRows + r] = where the channels under tap `tap` of output position first + r
  // begin, or `zeros` (channels_in elements) where the tap lies in the padding. From r = count on
  // the last row is repeated.
  void FillRows(const void* image, size_t element_bytes, const void* zeros, int64_t first,
                int count, const void** rows) const;
};

}  // namespace fourfold::kernels::neon
