#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/dynamic_operation.h"

namespace fourfold::graph {

namespace {

struct Box {
  float left, top, right, bottom;

  // Four numbers: corners in any order, y before x; or centre x, centre y, width, height.
  Box(const float* numbers, bool center) {
    if (center) {
      left = numbers[0] - numbers[2] / 2.0f;
      right = numbers[0] + numbers[2] / 2.0f;
      top = numbers[1] - numbers[3] / 2.0f;
      bottom = numbers[1] + numbers[3] / 2.0f;
    } else {
      std::tie(top, bottom) = std::minmax(numbers[0], numbers[2]);
      std::tie(left, right) = std::minmax(numbers[1], numbers[3]);
    }
  }

  float area() const { return (right - left) * (bottom - top); }
};

// Intersection over union; 0 for boxes without an area.
float Overlap(const Box& a, const Box& b) {
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (!(width > 0.0f && height > 0.0f) || !(a.area() > 0.0f) || !(b.area() > 0.0f)) return 0.0f;
  const float shared = width * height;
  return shared / (a.area() + b.area() - shared);
}

absl::Status CheckScalar(std::span<const Tensor* const> inputs, size_t i, const char* what) {
  if (i >= inputs.size() || inputs[i] == nullptr || inputs[i]->count() == 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("got ", inputs[i]->count(), " numbers for ", what, ", wanted one"));
}

struct Thresholds {
  int64_t most = 0;  // boxes of a class
  float overlap = 0.0f;
  float score = -std::numeric_limits<float>::infinity();  // boxes at it or below are left out
};

// The selected boxes of one class, best first.
std::vector<int64_t> Select(const std::vector<Box>& boxes, const float* scores,
                            const Thresholds& thresholds) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (scores[i] > thresholds.score) order.push_back(static_cast<int64_t>(i));
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  std::vector<int64_t> selected;
  for (int64_t candidate : order) {
    if (static_cast<int64_t>(selected.size()) >= thresholds.most) break;
    const Box& box = boxes[static_cast<size_t>(candidate)];
    const bool dropped = std::any_of(selected.begin(), selected.end(), [&](int64_t other) {
      return Overlap(box, boxes[static_cast<size_t>(other)]) > thresholds.overlap;
    });
    if (!dropped) selected.push_back(candidate);
  }
  return selected;
}

}  // namespace

absl::StatusOr<std::vector<TensorPtr>> RunDynamic(const NonMaxSuppression& select,
                                                  std::span<const Tensor* const> inputs) {
  static constexpr const char* kParameters[] = {"max_output_boxes_per_class", "iou_threshold",
                                                "score_threshold"};
  for (size_t i = 0; i < 3; ++i) RETURN_IF_ERROR(CheckScalar(inputs, 2 + i, kParameters[i]));
  const auto has = [&](size_t i) { return i < inputs.size() && inputs[i] != nullptr; };
  Thresholds thresholds;
  if (has(2)) thresholds.most = inputs[2]->ToInt64()[0];
  if (has(3)) thresholds.overlap = inputs[3]->ToFloat()[0];
  if (has(4)) thresholds.score = inputs[4]->ToFloat()[0];

  const std::vector<float> numbers = inputs[0]->ToFloat(), scores = inputs[1]->ToFloat();
  const Shape& shape = inputs[1]->shape();
  const int64_t batch = shape[0], classes = shape[1], count = shape[2];
  std::vector<int64_t> result;
  for (int64_t b = 0; b < batch && thresholds.most > 0; ++b) {
    std::vector<Box> boxes;
    boxes.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      boxes.emplace_back(numbers.data() + (b * count + i) * 4, select.center_point_box);
    }
    for (int64_t c = 0; c < classes; ++c) {
      for (int64_t i : Select(boxes, scores.data() + (b * classes + c) * count, thresholds)) {
        result.insert(result.end(), {b, c, i});
      }
    }
  }
  const auto selected = static_cast<int64_t>(result.size() / 3);
  return std::vector<TensorPtr>{Tensor::Of(DataType::kInt64, {selected, 3}, result)};
}

}  // namespace fourfold::graph
