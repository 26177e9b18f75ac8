// Selections and updates by computed indices, against plain loops over all positions.

#include <numeric>

#include "kernels/arithmetic.h"
#include "kernels/gather.h"
#include "kernels/scatter.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;

template <typename T>
constexpr ElementType kTypeOf = ElementType::kFloat32;
template <>
constexpr ElementType kTypeOf<double> = ElementType::kFloat64;
template <>
constexpr ElementType kTypeOf<int8_t> = ElementType::kInt8;
template <>
constexpr ElementType kTypeOf<uint8_t> = ElementType::kUint8;
template <>
constexpr ElementType kTypeOf<uint16_t> = ElementType::kUint16;
template <>
constexpr ElementType kTypeOf<int32_t> = ElementType::kInt32;
template <>
constexpr ElementType kTypeOf<int64_t> = ElementType::kInt64;
template <>
constexpr ElementType kTypeOf<uint64_t> = ElementType::kUint64;

template <typename T>
struct Result {
  std::vector<T> values;
  std::string fault;
};

// Runs on three threads, with inputs that end where memory does.
template <typename T, typename Spec>
Result<T> RunKernel(std::span<const Kernel<Spec>> table, const Spec& spec,
                    std::vector<const void*> inputs, int64_t count) {
  const PreparedPtr kernel = PrepareFirst(table, spec, {});
  if (kernel == nullptr) return {{}, "not prepared"};
  testing::Guarded<T> dst(count);
  std::vector<void*> outputs = {dst.data()};
  testing::ThreeThreads three;
  Fault fault;
  kernel->Run({inputs, outputs, nullptr, &three, &fault});
  EXPECT_TRUE(dst.intact());
  return {dst.values(), fault.what() == nullptr ? "" : fault.what()};
}

// The index of element `at` of an array in each dimension.
Dims Unravel(int64_t at, const Dims& dims) {
  Dims index(dims.size());
  for (size_t d = dims.size(); d-- > 0;) {
    index[d] = at % dims[d];
    at /= dims[d];
  }
  return index;
}

size_t Ravel(const Dims& index, const Dims& dims) {
  int64_t at = 0;
  for (size_t d = 0; d < dims.size(); ++d) at = at * dims[d] + index[d];
  return static_cast<size_t>(at);
}

template <typename T>
std::vector<T> Numbered(const Dims& dims) {
  std::vector<T> values(static_cast<size_t>(ElementCount(dims)));
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

template <typename T, typename Index>
void ExpectGathered(const Dims& dims, size_t axis, const Dims& picked) {
  Random random(7);
  const std::vector<T> src = Numbered<T>(dims);
  const auto indices = random.Integers<Index>(ElementCount(picked), -dims[axis], dims[axis] - 1);
  Dims out(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(axis));
  out.insert(out.end(), picked.begin(), picked.end());
  out.insert(out.end(), dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1, dims.end());
  std::vector<T> want;
  for (int64_t i = 0; i < ElementCount(out); ++i) {
    const Dims at = Unravel(i, out);
    const auto first = at.begin() + static_cast<std::ptrdiff_t>(axis);
    const auto last = first + static_cast<std::ptrdiff_t>(picked.size());
    Dims from(at.begin(), first);
    const auto index = static_cast<int64_t>(indices[Ravel(Dims(first, last), picked)]);
    from.push_back(index < 0 ? index + dims[axis] : index);
    from.insert(from.end(), last, at.end());
    want.push_back(src[Ravel(from, dims)]);
  }
  const testing::Fenced<T> fenced(src);
  const GatherSpec spec{
      .src = {kTypeOf<T>, dims}, .indices = {kTypeOf<Index>, picked}, .axis = axis};
  const auto got =
      RunKernel<T>(GatherKernels(), spec, {fenced.data(), indices.data()}, ElementCount(out));
  EXPECT_EQ(got.values, want);
  EXPECT_EQ(got.fault, "");
}

TEST(GatherTest, TakesSlicesAlongEachAxis) {
  for (size_t axis = 0; axis < 3; ++axis) {
    ExpectGathered<float, int64_t>({3, 4, 5}, axis, {2, 3});
    ExpectGathered<uint8_t, int32_t>({3, 4, 5}, axis, {7});
    ExpectGathered<uint16_t, int64_t>({3, 4, 5}, axis, {});
    ExpectGathered<double, int32_t>({3, 4, 5}, axis, {1, 1, 1, 1});
    ExpectGathered<int32_t, int64_t>({3, 4, 5}, axis, {0, 3});
  }
  ExpectGathered<float, int64_t>({9}, 0, {4, 4});
}

TEST(GatherTest, SharesManyRowsAndLongRowsAmongThreads) {
  ExpectGathered<float, int64_t>({50, 771}, 0, {1000});
  ExpectGathered<uint16_t, int64_t>({3, 150001}, 0, {2});
}

TEST(GatherTest, ReportsIndicesOutsideAndReadsNothingThere) {
  const std::vector<float> src = {1, 2, 3, 4, 5, 6};
  for (const int64_t index : {int64_t{3}, int64_t{-4}, std::numeric_limits<int64_t>::max(),
                              std::numeric_limits<int64_t>::min()}) {
    const std::vector<int64_t> indices = {2, index, -3};
    const GatherSpec spec{
        .src = {ElementType::kFloat32, {3, 2}}, .indices = {ElementType::kInt64, {3}}, .axis = 0};
    const auto got = RunKernel<float>(GatherKernels(), spec, {src.data(), indices.data()}, 6);
    EXPECT_EQ(got.values, (std::vector<float>{5, 6, 0, 0, 1, 2}));
    EXPECT_EQ(got.fault, "an index lies outside of its axis");
  }
}

TEST(GatherTest, DequantizesTheRowsItTakes) {
  const std::vector<int8_t> table = {-127, 0, 127, 1, 2, 3, -10, 20, 30};
  const std::vector<int64_t> indices = {2, 0, 2, -2};
  GatherSpec spec{.src = {ElementType::kInt8, {3, 3}},
                  .indices = {ElementType::kInt64, {4}},
                  .axis = 0,
                  .params = {{0.5f, 0}, {2.0f, 1}, {0.25f, -2}}};
  EXPECT_EQ(RunKernel<float>(GatherKernels(), spec, {table.data(), indices.data()}, 12).values,
            (std::vector<float>{-2, 5.5f, 8, -63.5f, 0, 63.5f, -2, 5.5f, 8, 0, 2, 4}));
  spec.params = {{0.5f, 1}};
  EXPECT_EQ(
      RunKernel<float>(GatherKernels(), spec, {table.data(), indices.data()}, 12).values,
      (std::vector<float>{-5.5f, 9.5f, 14.5f, -64, -0.5f, 63, -5.5f, 9.5f, 14.5f, 0, 0.5f, 1}));
  const std::vector<uint8_t> bytes = {255, 0};
  spec = {.src = {ElementType::kUint8, {2, 1}},
          .indices = {ElementType::kInt64, {4}},
          .axis = 0,
          .params = {{1.0f, 128}}};
  const std::vector<int64_t> picked = {0, 1, 1, 0};
  EXPECT_EQ(RunKernel<float>(GatherKernels(), spec, {bytes.data(), picked.data()}, 4).values,
            (std::vector<float>{127, -128, -128, 127}));
  spec.params.resize(3);
  EXPECT_EQ(PrepareFirst(GatherKernels(), spec, {}), nullptr);
}

template <typename T, typename Index>
void ExpectElementsGathered(const Dims& dims, size_t axis, const Dims& shape) {
  Random random(11);
  const std::vector<T> src = Numbered<T>(dims);
  const auto indices = random.Integers<Index>(ElementCount(shape), -dims[axis], dims[axis] - 1);
  std::vector<T> want;
  for (size_t i = 0; i < indices.size(); ++i) {
    Dims from = Unravel(static_cast<int64_t>(i), shape);
    from[axis] = indices[i] < 0 ? indices[i] + dims[axis] : indices[i];
    want.push_back(src[Ravel(from, dims)]);
  }
  const GatherElementsSpec spec{
      .src = {kTypeOf<T>, dims}, .indices = {kTypeOf<Index>, shape}, .axis = axis};
  const auto got = RunKernel<T>(GatherElementsKernels(), spec, {src.data(), indices.data()},
                                ElementCount(shape));
  EXPECT_EQ(got.values, want);
  EXPECT_EQ(got.fault, "");
}

TEST(GatherElementsTest, TakesOneElementForEachIndex) {
  for (size_t axis = 0; axis < 3; ++axis) {
    ExpectElementsGathered<float, int64_t>({3, 4, 5}, axis, {3, 4, 5});
    ExpectElementsGathered<uint8_t, int32_t>({3, 4, 5}, axis, {2, 3, 1});
  }
  ExpectElementsGathered<uint16_t, int64_t>({3}, 0, {8});
  ExpectElementsGathered<uint64_t, int64_t>({40, 60, 50}, 1, {40, 60, 50});
}

TEST(GatherElementsTest, ReportsIndicesOutside) {
  const std::vector<int32_t> src = {1, 2, 3, 4};
  const std::vector<int64_t> indices = {1, 2};
  const GatherElementsSpec spec{
      .src = {ElementType::kInt32, {2, 2}}, .indices = {ElementType::kInt64, {1, 2}}, .axis = 0};
  const auto got =
      RunKernel<int32_t>(GatherElementsKernels(), spec, {src.data(), indices.data()}, 2);
  EXPECT_EQ(got.values, (std::vector<int32_t>{3, 0}));
  EXPECT_NE(got.fault, "");
}

// The examples of the ONNX specification.
TEST(GatherNdTest, TakesSlicesAtPositions) {
  const std::vector<int32_t> src = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto run = [&](Dims dims, Dims shape, const std::vector<int64_t>& indices,
                       size_t batch_dims, int64_t count) {
    const GatherNdSpec spec{.src = {ElementType::kInt32, std::move(dims)},
                            .indices = {ElementType::kInt64, std::move(shape)},
                            .batch_dims = batch_dims};
    return RunKernel<int32_t>(GatherNdKernels(), spec, {src.data(), indices.data()}, count).values;
  };
  EXPECT_EQ(run({2, 2}, {2, 2}, {0, 0, 1, 1}, 0, 2), (std::vector<int32_t>{0, 3}));
  EXPECT_EQ(run({2, 2}, {2, 1}, {1, 0}, 0, 4), (std::vector<int32_t>{2, 3, 0, 1}));
  EXPECT_EQ(run({2, 2, 2}, {2, 2}, {0, 1, 1, 0}, 0, 4), (std::vector<int32_t>{2, 3, 4, 5}));
  EXPECT_EQ(run({2, 2, 2}, {2, 1, 2}, {0, 1, -1, 0}, 0, 4), (std::vector<int32_t>{2, 3, 4, 5}));
  EXPECT_EQ(run({2, 2, 2}, {2, 1}, {1, 0}, 1, 4), (std::vector<int32_t>{2, 3, 4, 5}));
  EXPECT_EQ(run({2, 2, 2}, {2, 2, 1}, {1, 0, -1, -2}, 2, 4), (std::vector<int32_t>{1, 2, 5, 6}));
  EXPECT_EQ(run({2, 2, 2}, {2, 0}, {}, 0, 16),
            (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(GatherNdTest, ReportsPositionsOutside) {
  const std::vector<uint8_t> src = {1, 2, 3, 4};
  const std::vector<int64_t> indices = {0, 2, 1, 1};
  const GatherNdSpec spec{.src = {ElementType::kUint8, {2, 2}},
                          .indices = {ElementType::kInt64, {2, 2}}};
  const auto got = RunKernel<uint8_t>(GatherNdKernels(), spec, {src.data(), indices.data()}, 2);
  EXPECT_EQ(got.values, (std::vector<uint8_t>{0, 4}));
  EXPECT_NE(got.fault, "");
}

template <typename T>
T Combined(ScatterReduction reduction, T old, T update) {
  switch (reduction) {
    case ScatterReduction::kNone: return update;
    case ScatterReduction::kAdd: return static_cast<T>(old + update);
    case ScatterReduction::kMul: return static_cast<T>(old * update);
    case ScatterReduction::kMax: return std::max(old, update);
    case ScatterReduction::kMin: return std::min(old, update);
  }
  return update;
}

template <typename T, typename Index>
void ExpectElementsScattered(const Dims& dims, size_t axis, const Dims& shape,
                             ScatterReduction reduction) {
  Random random(13);
  const auto numbers = [&](int64_t count) {
    std::vector<T> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<T>(random.Integer(0, 40)));
    return values;
  };
  const std::vector<T> src = numbers(ElementCount(dims)), updates = numbers(ElementCount(shape));
  const auto indices = random.Integers<Index>(ElementCount(shape), -dims[axis], dims[axis] - 1);
  std::vector<T> want = src;
  for (size_t i = 0; i < indices.size(); ++i) {
    Dims to = Unravel(static_cast<int64_t>(i), shape);
    to[axis] = indices[i] < 0 ? indices[i] + dims[axis] : indices[i];
    T& element = want[Ravel(to, dims)];
    element = Combined(reduction, element, updates[i]);
  }
  const ScatterElementsSpec spec{.src = {kTypeOf<T>, dims},
                                 .indices = {kTypeOf<Index>, shape},
                                 .axis = axis,
                                 .reduction = reduction};
  const auto got = RunKernel<T>(ScatterElementsKernels(), spec,
                                {src.data(), indices.data(), updates.data()}, ElementCount(dims));
  EXPECT_EQ(got.values, want);
  EXPECT_EQ(got.fault, "");
}

TEST(ScatterElementsTest, ReplacesOrCombinesElements) {
  for (const auto reduction :
       {ScatterReduction::kNone, ScatterReduction::kAdd, ScatterReduction::kMul,
        ScatterReduction::kMax, ScatterReduction::kMin}) {
    for (size_t axis = 0; axis < 3; ++axis) {
      ExpectElementsScattered<float, int64_t>({3, 4, 5}, axis, {3, 4, 5}, reduction);
      ExpectElementsScattered<double, int32_t>({3, 4, 5}, axis, {2, 3, 1}, reduction);
      ExpectElementsScattered<int8_t, int64_t>({3, 4, 5}, axis, {1, 1, 5}, reduction);
      ExpectElementsScattered<uint16_t, int64_t>({3, 4, 5}, axis, {3, 4, 2}, reduction);
      ExpectElementsScattered<uint64_t, int64_t>({3, 4, 5}, axis, {3, 0, 5}, reduction);
    }
    ExpectElementsScattered<int64_t, int64_t>({60, 70, 30}, 1, {60, 50, 30}, reduction);
    ExpectElementsScattered<int32_t, int64_t>({7, 4001}, 0, {90, 4001}, reduction);
  }
}

TEST(ScatterElementsTest, ReportsIndicesOutsideAndPassesOverThem) {
  const std::vector<float> src = {1, 2, 3}, updates = {7, 8};
  const std::vector<int64_t> indices = {3, -3};
  const ScatterElementsSpec spec{.src = {ElementType::kFloat32, {3}},
                                 .indices = {ElementType::kInt64, {2}}};
  const auto got = RunKernel<float>(ScatterElementsKernels(), spec,
                                    {src.data(), indices.data(), updates.data()}, 3);
  EXPECT_EQ(got.values, (std::vector<float>{8, 2, 3}));
  EXPECT_NE(got.fault, "");
}

// dst[0] and dst[1] from {a, b} with the updates {u, v}.
template <typename T>
std::vector<T> ScatterTwo(ElementType type, ScatterReduction reduction, std::vector<T> src,
                          std::vector<T> updates) {
  const std::vector<int64_t> indices = {0, 1};
  const ScatterElementsSpec spec{
      .src = {type, {2}}, .indices = {ElementType::kInt64, {2}}, .axis = 0, .reduction = reduction};
  return RunKernel<T>(ScatterElementsKernels(), spec, {src.data(), indices.data(), updates.data()},
                      2)
      .values;
}

TEST(ScatterElementsTest, CombinesHalvesBooleansAndExtremes) {
  using Halves = std::vector<uint16_t>;
  const auto half = [](float x) { return FloatToHalf(x); };
  EXPECT_EQ(ScatterTwo<uint16_t>(ElementType::kFloat16, ScatterReduction::kAdd,
                                 {half(1.5f), half(2048)}, {half(2.25f), half(1)}),
            (Halves{half(3.75f), half(2048)}));  // 2049 is no float16: to even
  const auto brain = [](float x) { return FloatToBFloat16(x); };
  EXPECT_EQ(ScatterTwo<uint16_t>(ElementType::kBFloat16, ScatterReduction::kMul,
                                 {brain(3), brain(-0.5f)}, {brain(7), brain(4)}),
            (Halves{brain(21), brain(-2)}));
  using Flags = std::vector<uint8_t>;
  const auto flags = [](ScatterReduction reduction) {
    return ScatterTwo<uint8_t>(ElementType::kBool, reduction, {0, 1}, {1, 0});
  };
  EXPECT_EQ(flags(ScatterReduction::kAdd), (Flags{1, 1}));
  EXPECT_EQ(flags(ScatterReduction::kMul), (Flags{0, 0}));
  EXPECT_EQ(flags(ScatterReduction::kMax), (Flags{1, 1}));
  EXPECT_EQ(flags(ScatterReduction::kMin), (Flags{0, 0}));
  // Integers wrap around.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(ScatterTwo<int64_t>(ElementType::kInt64, ScatterReduction::kAdd, {kMost, 5}, {1, -7}),
            (std::vector<int64_t>{std::numeric_limits<int64_t>::min(), -2}));
  EXPECT_EQ(ScatterTwo<int8_t>(ElementType::kInt8, ScatterReduction::kMul, {100, -2}, {3, 64}),
            (std::vector<int8_t>{44, -128}));
  // NaN from either side stays.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto reduction : {ScatterReduction::kMax, ScatterReduction::kMin}) {
    for (float x : ScatterTwo<float>(ElementType::kFloat32, reduction, {nan, 1}, {1, nan})) {
      EXPECT_TRUE(std::isnan(x));
    }
  }
}

// The examples of the ONNX specification, and its loop over positions for others.
TEST(ScatterNdTest, ReplacesOrCombinesSlices) {
  const auto run = [](Dims dims, Dims shape, const std::vector<float>& src,
                      const std::vector<int64_t>& indices, const std::vector<float>& updates,
                      ScatterReduction reduction) {
    const ScatterNdSpec spec{.src = {ElementType::kFloat32, std::move(dims)},
                             .indices = {ElementType::kInt64, std::move(shape)},
                             .reduction = reduction};
    return RunKernel<float>(ScatterNdKernels(), spec, {src.data(), indices.data(), updates.data()},
                            static_cast<int64_t>(src.size()));
  };
  EXPECT_EQ(run({8}, {4, 1}, {1, 2, 3, 4, 5, 6, 7, 8}, {4, 3, 1, 7}, {9, 10, 11, 12},
                ScatterReduction::kNone)
                .values,
            (std::vector<float>{1, 11, 3, 10, 9, 6, 7, 12}));
  EXPECT_EQ(
      run({3, 2}, {2, 1}, {1, 2, 3, 4, 5, 6}, {2, 2}, {10, 20, 30, 40}, ScatterReduction::kAdd)
          .values,
      (std::vector<float>{1, 2, 3, 4, 45, 66}));
  EXPECT_EQ(run({2, 2}, {3, 2}, {1, 2, 3, 4}, {0, 0, 1, 1, 0, 0}, {5, 6, 7}, ScatterReduction::kMul)
                .values,
            (std::vector<float>{35, 2, 3, 24}));
  EXPECT_EQ(run({2, 2}, {1, 0}, {1, 2, 3, 4}, {}, {2, 2, 2, 9}, ScatterReduction::kMax).values,
            (std::vector<float>{2, 2, 3, 9}));
  const auto outside =
      run({2, 2}, {2, 1}, {1, 2, 3, 4}, {2, 0}, {5, 6, 7, 8}, ScatterReduction::kNone);
  EXPECT_EQ(outside.values, (std::vector<float>{7, 8, 3, 4}));
  EXPECT_NE(outside.fault, "");
}

TEST(ScatterNdTest, LongSlicesAreSharedByThreadsInOrder) {
  constexpr int64_t kLong = 40000;
  std::vector<int32_t> src(3 * kLong, 1), updates;
  const std::vector<int64_t> indices = {1, -1, 1};
  for (int32_t u : {5, 6, 7}) updates.insert(updates.end(), kLong, u);
  const ScatterNdSpec spec{.src = {ElementType::kInt32, {3, kLong}},
                           .indices = {ElementType::kInt64, {3, 1}}};
  const auto got = RunKernel<int32_t>(ScatterNdKernels(), spec,
                                      {src.data(), indices.data(), updates.data()}, 3 * kLong);
  std::vector<int32_t> want(kLong, 1);
  want.insert(want.end(), kLong, 7);
  want.insert(want.end(), kLong, 6);
  EXPECT_EQ(got.values, want);
}

}  // namespace
}  // namespace fourfold::kernels
