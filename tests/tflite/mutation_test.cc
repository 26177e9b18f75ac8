// Files that are cut off or changed are refused or imported, and never crash.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "server/passes/passes.h"
#include "server/tflite/import.h"
#include "tests/tflite/model_builder.h"

namespace fourfold::tflite {
namespace {

// A quantized network with most kinds of tables and constants.
std::vector<std::byte> Seed() {
  using Type = schema::TensorType;
  using Activation = schema::ActivationFunctionType;
  ModelBuilder b;
  const ModelBuilder::Quantization how = {{0.1f}, {3}};
  const int x = b.Input("x", {1, 6, 6, 2}, Type::INT8, how, {-1, 6, 6, 2});
  const int w = b.Constant<int8_t>("w", {4, 3, 3, 2}, Type::INT8, std::vector<int8_t>(72, 5),
                                   {{0.1f, 0.2f, 0.3f, 0.4f}, {0, 0, 0, 0}, 0});
  const int bias = b.Constant<int32_t>("b", {4}, Type::INT32, {1, 2, 3, 4},
                                       {{0.01f, 0.02f, 0.03f, 0.04f}, {0, 0, 0, 0}, 0});
  const int c = b.Tensor("c", {1, 6, 6, 4}, Type::INT8, how);
  b.Operator(Code::CONV_2D, {x, w, bias}, {c},
             schema::CreateConv2DOptions(b.fbb, schema::Padding::SAME, 1, 1, Activation::RELU6));
  const int p = b.Tensor("p", {1, 3, 3, 4}, Type::INT8, how);
  b.Operator(Code::MAX_POOL_2D, {c}, {p},
             schema::CreatePool2DOptions(b.fbb, schema::Padding::VALID, 2, 2, 2, 2));
  const int real = b.Tensor("real", {1, 3, 3, 4});
  b.Operator(Code::DEQUANTIZE, {p}, {real});
  const int joined = b.Tensor("joined", {1, 3, 3, 8});
  b.Operator(Code::CONCATENATION, {real, real}, {joined},
             schema::CreateConcatenationOptions(b.fbb, 3));
  const int part = b.Tensor("part", {1, 3, 3, 2});
  b.Operator(Code::STRIDED_SLICE,
             {joined, b.Ints("begin", {0, 0, 0, 1}), b.Ints("end", {0, 0, 0, 5}),
              b.Ints("strides", {1, 1, 1, 2})},
             {part}, schema::CreateStridedSliceOptions(b.fbb, 7, 7));
  const int flat = b.Tensor("flat", {1, 18});
  b.Operator(Code::RESHAPE, {part, b.Ints("shape", {-1, 18})}, {flat});
  const int y = b.Tensor("y", {1, 3});
  b.Operator(Code::FULLY_CONNECTED,
             {flat, b.Floats("dense", {3, 18}, std::vector<float>(54, 0.1f))}, {y},
             schema::CreateFullyConnectedOptions(b.fbb, Activation::TANH));
  const int mean = b.Tensor("mean", {1, 1});
  b.Operator(Code::MEAN, {y, b.Ints("axes", {-1})}, {mean},
             schema::CreateReducerOptions(b.fbb, true));
  b.Output(y);
  b.Output(mean);
  return b.Bytes();
}

// Whatever comes of it; true if it was imported.
bool Survives(const std::vector<std::byte>& file) {
  absl::StatusOr<graph::Graph> graph = Import(file, {.tensor_elements = 1 << 20});
  if (!graph.ok()) {
    EXPECT_NE(graph.status().code(), absl::StatusCode::kInternal) << graph.status();
    return false;
  }
  const absl::Status optimized = passes::Optimize(*graph);
  EXPECT_NE(optimized.code(), absl::StatusCode::kInternal) << optimized;
  return true;
}

TEST(TfliteMutationTest, TruncatedFilesAreRefused) {
  const std::vector<std::byte> seed = Seed();
  ASSERT_TRUE(Survives(seed));
  for (size_t size = 0; size < seed.size(); size += 16) {
    Survives({seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(size)});
  }
  EXPECT_FALSE(Survives({seed.begin(), seed.begin() + 16}));
  EXPECT_FALSE(
      Survives({seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(seed.size() / 2)}));
}

TEST(TfliteMutationTest, EachBitOfASmallFileMayFlip) {
  std::vector<std::byte> file = Seed();
  int imported = 0;
  for (size_t at = 0; at < file.size(); ++at) {
    const std::byte before = file[at];
    file[at] ^= std::byte{static_cast<unsigned char>(1u << (at * 5 % 8))};
    imported += Survives(file);
    file[at] = before;
  }
  EXPECT_GT(imported, 0);  // weights may change
}

TEST(TfliteMutationTest, SeveralChangesAtOnce) {
  const std::vector<std::byte> seed = Seed();
  std::mt19937 random(20261121);
  const auto below = [&random](size_t end) { return static_cast<size_t>(random() % end); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> file = seed;
    for (size_t i = below(4) + 1; i-- > 0;) {
      const size_t at = below(file.size() - 4);
      // Numbers and offsets are 32 bits; small ones are the likely ones to be taken seriously.
      const auto number = static_cast<int32_t>(below(2) ? random() : below(64)) - 8;
      if (below(2)) {
        std::memcpy(file.data() + at / 4 * 4, &number, sizeof(number));
      } else {
        file[at] = static_cast<std::byte>(random());
      }
    }
    Survives(file);
  }
}

TEST(TfliteMutationTest, BytesAtAnOddAddressAreRead) {
  const std::vector<std::byte> seed = Seed();
  std::vector<std::byte> shifted(seed.size() + 1);
  std::memcpy(shifted.data() + 1, seed.data(), seed.size());
  EXPECT_TRUE(Import(std::span(shifted).subspan(1)).ok());
}

}  // namespace
}  // namespace fourfold::tflite
