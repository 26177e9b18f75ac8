#include "server/graph/transposed_window.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

absl::StatusOr<TransposedWindow> ResolveTransposedWindow(const ConvTranspose& conv,
                                                         const std::vector<int64_t>& image,
                                                         const std::vector<int64_t>& kernel) {
  const size_t rank = image.size();
  constexpr int64_t kMost = int64_t{1} << 30;  // nothing overflows
  Window explicit_window = conv.window;
  explicit_window.auto_pad = AutoPad::kExplicit;
  if (conv.window.auto_pad != AutoPad::kExplicit) explicit_window.pads.clear();
  ASSIGN_OR_RETURN(const Window window, ResolveWindow(explicit_window, image, kernel));
  std::vector<int64_t> extra = conv.output_padding;
  if (extra.empty()) extra.assign(rank, 0);
  std::vector<int64_t> wanted = conv.output_shape;
  if (wanted.size() == rank + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);  // before 11
  for (const std::vector<int64_t>* list : {&extra, &wanted}) {
    if (list == &wanted && wanted.empty()) continue;
    const bool fits =
        list->size() == rank &&
        std::all_of(list->begin(), list->end(), [](int64_t x) { return x >= 0 && x <= kMost; });
    if (!fits) {
      return absl::InvalidArgumentError(
          absl::StrCat("got ", list == &extra ? "output_padding " : "output_shape ",
                       ShapeText(*list), ", wanted ", rank, " numbers from 0 to ", kMost));
    }
  }
  const bool same =
      conv.window.auto_pad == AutoPad::kSameUpper || conv.window.auto_pad == AutoPad::kSameLower;
  const bool upper = conv.window.auto_pad == AutoPad::kSameUpper;
  TransposedWindow result{window.kernel, window.strides, window.dilations, {}, {}};
  for (size_t i = 0; i < rank; ++i) {
    if (image[i] < 1 || image[i] > kMost) {
      return absl::InvalidArgumentError(absl::StrCat("got an image of ", ShapeText(image)));
    }
    const int64_t full = (image[i] - 1) * window.strides[i] + extra[i] +
                         (window.kernel[i] - 1) * window.dilations[i] + 1;
    int64_t begin = window.pads[i];
    int64_t size = full - begin - window.pads[i + rank];
    if (!wanted.empty() || same) {
      size = wanted.empty() ? image[i] * window.strides[i] : wanted[i];
      const int64_t total = std::max<int64_t>(0, full - size);
      begin = upper ? total / 2 : total - total / 2;
    }
    if (size < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "its output has ", size, " elements in dimension ", 2 + i, ", wanted at least 1"));
    }
    result.pads_begin.push_back(begin);
    result.output.push_back(size);
  }
  return result;
}

absl::StatusOr<Shape> UnpooledShape(const MaxUnpool& unpool, const Shape& x) {
  const size_t space = unpool.window.kernel.size();
  if (x.size() < 3 || x.size() != space + 2) {
    return absl::InvalidArgumentError(absl::StrCat("got a window of ", space, " dimensions for ",
                                                   ShapeText(x), ", wanted as many as its space"));
  }
  ASSIGN_OR_RETURN(const Window window, ResolveWindow(unpool.window, std::vector<int64_t>(space, 1),
                                                      unpool.window.kernel));
  Shape shape = {x[0], x[1]};
  for (size_t i = 0; i < space; ++i) {
    if (x[i + 2] == kUnknownDim) {
      shape.push_back(kUnknownDim);
      continue;
    }
    const std::optional<int64_t> steps = CheckedMultiply(x[i + 2] - 1, window.strides[i]);
    const int64_t size =
        steps.value_or(-1) + window.kernel[i] - window.pads[i] - window.pads[i + space];
    if (!steps || size < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("its output has no elements in dimension ", i + 2));
    }
    shape.push_back(size);
  }
  return shape;
}

}  // namespace fourfold::graph
