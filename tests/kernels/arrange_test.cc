// Triangles, reversed sequences, one-hot vectors, images of blocks, the largest elements.

#include "kernels/arrange.h"

#include <numeric>

#include "kernels/arithmetic.h"
#include "kernels/top_k.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;

template <typename T, typename Spec>
std::vector<T> RunOne(std::span<const Kernel<Spec>> table, const Spec& spec,
                      std::vector<const void*> inputs, int64_t count) {
  const PreparedPtr kernel = PrepareFirst(table, spec, {});
  if (kernel == nullptr) return {};
  testing::Guarded<T> dst(count);
  testing::ThreeThreads three;
  testing::Run(*kernel, std::move(inputs), {dst.data()}, three);
  EXPECT_TRUE(dst.intact());
  return dst.values();
}

template <typename T>
void ExpectTriangle(ElementType type, int64_t matrices, int64_t rows, int64_t columns, bool upper,
                    int64_t diagonal) {
  std::vector<T> src(static_cast<size_t>(matrices * rows * columns));
  std::iota(src.begin(), src.end(), T{1});
  std::vector<T> want = src;
  for (size_t i = 0; i < want.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i), row = at / columns % rows, column = at % columns;
    const bool kept = upper ? column - row >= diagonal : column - row <= diagonal;
    if (!kept) want[i] = 0;
  }
  const TriangleSpec spec{
      .src = {type, {matrices, rows, columns}}, .upper = upper, .diagonal = diagonal};
  EXPECT_EQ(RunOne<T>(TriangleKernels(), spec, {src.data()}, matrices * rows * columns), want)
      << rows << " x " << columns << ", diagonal " << diagonal;
}

TEST(TriangleTest, KeepsWhatLiesOnOneSideOfADiagonal) {
  for (const bool upper : {false, true}) {
    for (int64_t diagonal = -6; diagonal <= 6; ++diagonal) {
      ExpectTriangle<float>(ElementType::kFloat32, 2, 3, 4, upper, diagonal);
      ExpectTriangle<uint8_t>(ElementType::kBool, 1, 4, 3, upper, diagonal);
      ExpectTriangle<uint16_t>(ElementType::kFloat16, 1, 1, 5, upper, diagonal);
      ExpectTriangle<int64_t>(ElementType::kInt64, 3, 4, 4, upper, diagonal);
      ExpectTriangle<int64_t>(ElementType::kInt64, 3, 0, 4, upper, diagonal);
    }
    ExpectTriangle<double>(ElementType::kFloat64, 1, 3, 3, upper,
                           std::numeric_limits<int64_t>::max());
    ExpectTriangle<double>(ElementType::kFloat64, 1, 3, 3, upper,
                           std::numeric_limits<int64_t>::min());
    ExpectTriangle<float>(ElementType::kFloat32, 1, 300, 400, upper, 5);
  }
}

// The examples of the ONNX specification.
TEST(ReverseSequenceTest, ReversesEachSequenceUpToItsLength) {
  const std::vector<float> src = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  const std::vector<int64_t> time_lengths = {4, 3, 2, 1}, batch_lengths = {1, 2, 3, 4};
  ReverseSequenceSpec spec{.src = {ElementType::kFloat32, {4, 4}}, .time_first = true};
  EXPECT_EQ(RunOne<float>(ReverseSequenceKernels(), spec, {src.data(), time_lengths.data()}, 16),
            (std::vector<float>{3, 6, 9, 12, 2, 5, 8, 13, 1, 4, 10, 14, 0, 7, 11, 15}));
  std::vector<float> rows(16);
  std::iota(rows.begin(), rows.end(), 0.0f);
  spec.time_first = false;
  EXPECT_EQ(RunOne<float>(ReverseSequenceKernels(), spec, {rows.data(), batch_lengths.data()}, 16),
            (std::vector<float>{0, 1, 2, 3, 5, 4, 6, 7, 10, 9, 8, 11, 15, 14, 13, 12}));
}

TEST(ReverseSequenceTest, MovesWholeStepsAndReportsImpossibleLengths) {
  const std::vector<uint8_t> src = {1, 2, 3, 4, 5, 6};
  const std::vector<int64_t> lengths = {3};
  const ReverseSequenceSpec spec{.src = {ElementType::kUint8, {3, 1, 2}}};
  EXPECT_EQ(RunOne<uint8_t>(ReverseSequenceKernels(), spec, {src.data(), lengths.data()}, 6),
            (std::vector<uint8_t>{5, 6, 3, 4, 1, 2}));
  const PreparedPtr kernel = PrepareFirst(ReverseSequenceKernels(), spec, {});
  for (const int64_t length : {int64_t{4}, int64_t{-1}}) {
    std::vector<uint8_t> dst(6);
    const void* inputs[] = {src.data(), &length};
    void* outputs[] = {dst.data()};
    Sequential sequential;
    Fault fault;
    kernel->Run({inputs, outputs, nullptr, &sequential, &fault});
    EXPECT_NE(fault.what(), nullptr);
  }
}

template <typename Index, typename T>
std::vector<T> OneHot(ElementType index_type, ElementType value_type, const Dims& dims, size_t axis,
                      int64_t depth, const std::vector<Index>& indices, std::vector<T> values) {
  const OneHotSpec spec{
      .indices = {index_type, dims}, .value_type = value_type, .axis = axis, .depth = depth};
  return RunOne<T>(OneHotKernels(), spec, {indices.data(), nullptr, values.data()},
                   ElementCount(dims) * depth);
}

TEST(OneHotTest, MarksTheElementThatAnIndexNames) {
  EXPECT_EQ((OneHot<int64_t, float>(ElementType::kInt64, ElementType::kFloat32, {3}, 1, 4,
                                    {0, -1, 4}, {0, 1})),
            (std::vector<float>{1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ((OneHot<int64_t, float>(ElementType::kInt64, ElementType::kFloat32, {3}, 0, 4,
                                    {0, -4, -5}, {2, 3})),
            (std::vector<float>{3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}));
  EXPECT_EQ((OneHot<int32_t, uint8_t>(ElementType::kInt32, ElementType::kBool, {2, 2}, 1, 2,
                                      {0, 1, 1, 0}, {0, 1})),
            (std::vector<uint8_t>{1, 0, 0, 1, 0, 1, 1, 0}));
  // Real indices are truncated.
  EXPECT_EQ((OneHot<float, int64_t>(ElementType::kFloat32, ElementType::kInt64, {4}, 1, 2,
                                    {1.9f, -0.5f, NAN, 1e30f}, {5, 9})),
            (std::vector<int64_t>{5, 9, 9, 5, 5, 5, 5, 5}));
  EXPECT_EQ((OneHot<uint64_t, uint16_t>(ElementType::kUint64, ElementType::kFloat16, {2}, 1, 2,
                                        {std::numeric_limits<uint64_t>::max(), 1}, {0, 7})),
            (std::vector<uint16_t>{0, 0, 0, 7}));
}

// Adds each block's elements where they lie, the other way round than the kernel does.
TEST(BlocksToImageTest, AddsUpBlocksThatOverlap) {
  Random random(3);
  BlocksToImageSpec spec{.type = ElementType::kFloat32,
                         .batch = 2,
                         .channels = 3,
                         .image = {5, 6},
                         .block = {2, 3},
                         .strides = {1, 2},
                         .dilations = {2, 1},
                         .pads = {1, 2},
                         .positions = {5, 4}};  // padded 7 x 10 (below 1, right 2)
  const int64_t block = 6, positions = 20;
  const auto src = random.Integers<int64_t>(2 * 3 * block * positions, -9, 9);
  std::vector<int64_t> want(2 * 3 * 30, 0);
  for (int64_t c = 0; c < 6; ++c) {
    for (int64_t b = 0; b < block; ++b) {
      for (int64_t p = 0; p < positions; ++p) {
        const int64_t y = p / 4 * 1 + b / 3 * 2 - 1, x = p % 4 * 2 + b % 3 * 1 - 2;
        if (y < 0 || y >= 5 || x < 0 || x >= 6) continue;
        want[static_cast<size_t>(c * 30 + y * 6 + x)] +=
            src[static_cast<size_t>((c * block + b) * positions + p)];
      }
    }
  }
  const std::vector<float> reals(src.begin(), src.end());
  EXPECT_EQ(RunOne<float>(BlocksToImageKernels(), spec, {reals.data()}, 180),
            std::vector<float>(want.begin(), want.end()));
  spec.type = ElementType::kInt64;
  EXPECT_EQ(RunOne<int64_t>(BlocksToImageKernels(), spec, {src.data()}, 180), want);
}

template <typename T>
void ExpectTopK(ElementType type, const Dims& dims, size_t axis, int64_t k, bool largest,
                const std::vector<T>& src) {
  const TopKSpec spec{.src = {type, dims}, .axis = axis, .k = k, .largest = largest};
  PrepareContext context;
  context.threads = 3;
  const PreparedPtr kernel = PrepareFirst(TopKKernels(), spec, context);
  ASSERT_NE(kernel, nullptr);
  int64_t outer = 1, inner = 1;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (d < axis) outer *= dims[d];
    if (d > axis) inner *= dims[d];
  }
  const int64_t length = dims[axis];
  std::vector<T> want_values(static_cast<size_t>(outer * k * inner));
  std::vector<int64_t> want_indices(want_values.size());
  for (int64_t line = 0; line < outer * inner; ++line) {
    const int64_t o = line / inner, n = line % inner;
    std::vector<std::pair<T, int64_t>> elements;
    for (int64_t i = 0; i < length; ++i) {
      elements.emplace_back(src[static_cast<size_t>((o * length + i) * inner + n)], i);
    }
    std::stable_sort(elements.begin(), elements.end(), [&](const auto& a, const auto& b) {
      if (a.first != a.first || b.first != b.first) return a.first == a.first;
      return largest ? a.first > b.first : a.first < b.first;
    });
    for (int64_t i = 0; i < k; ++i) {
      const auto to = static_cast<size_t>((o * k + i) * inner + n);
      want_values[to] = elements[static_cast<size_t>(i)].first;
      want_indices[to] = elements[static_cast<size_t>(i)].second;
    }
  }
  testing::Guarded<T> values(outer * k * inner);
  testing::Guarded<int64_t> indices(outer * k * inner);
  testing::ThreeThreads three;
  testing::Run(*kernel, {src.data()}, {values.data(), indices.data()}, three);
  EXPECT_TRUE(values.intact() && indices.intact());
  EXPECT_EQ(indices.values(), want_indices);
  EXPECT_THAT(values.values(), ::testing::Pointwise(::testing::NanSensitiveFloatEq(), want_values));

  testing::Run(*kernel, {src.data()}, {nullptr, indices.data()}, three);
  EXPECT_EQ(indices.values(), want_indices);
}

TEST(TopKTest, SortsTheBestElementsTiesByIndex) {
  Random random(5);
  for (const bool largest : {true, false}) {
    for (size_t axis = 0; axis < 3; ++axis) {
      const Dims dims = {3, 4, 5};
      for (int64_t k = 0; k <= dims[axis]; ++k) {
        std::vector<float> reals;
        for (int64_t x : random.Integers<int64_t>(60, -3, 3)) {
          reals.push_back(static_cast<float>(x));
        }
        ExpectTopK(ElementType::kFloat32, dims, axis, k, largest, reals);
        ExpectTopK(ElementType::kInt8, dims, axis, k, largest, random.Integers<int8_t>(60));
        ExpectTopK(ElementType::kUint64, dims, axis, k, largest, random.Integers<uint64_t>(60, 0));
      }
    }
    ExpectTopK(ElementType::kFloat32, {70, 900}, 1, 40, largest, random.Reals(63000));
    ExpectTopK(ElementType::kInt32, {0, 4}, 1, 2, largest, std::vector<int32_t>{});
  }
}

TEST(TopKTest, NanComesLast) {
  const float inf = INFINITY;
  const std::vector<float> src = {NAN, 1, -inf, NAN, inf, 1};
  ExpectTopK(ElementType::kFloat32, {6}, 0, 6, true, src);
  ExpectTopK(ElementType::kFloat32, {6}, 0, 6, false, src);
}

TEST(TopKTest, OrdersHalvesByTheirValue) {
  const std::vector<uint16_t> src = {FloatToHalf(-2), FloatToHalf(1), FloatToHalf(-3)};
  const TopKSpec spec{.src = {ElementType::kFloat16, {3}}, .axis = 0, .k = 3};
  const PreparedPtr kernel = PrepareFirst(TopKKernels(), spec, {});
  std::vector<uint16_t> values(3);
  std::vector<int64_t> indices(3);
  testing::ThreeThreads three;
  testing::Run(*kernel, {src.data()}, {values.data(), indices.data()}, three);
  EXPECT_EQ(indices, (std::vector<int64_t>{1, 0, 2}));
  EXPECT_EQ(values, (std::vector<uint16_t>{src[1], src[0], src[2]}));
}

TEST(TopKTest, RefusesMoreThanThereAre) {
  TopKSpec spec{.src = {ElementType::kFloat32, {3}}, .axis = 0, .k = 4};
  EXPECT_EQ(PrepareFirst(TopKKernels(), spec, {}), nullptr);
  spec.k = -1;
  EXPECT_EQ(PrepareFirst(TopKKernels(), spec, {}), nullptr);
}

}  // namespace
}  // namespace fourfold::kernels
