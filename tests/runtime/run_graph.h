#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "server/runtime/executor.h"
#include "server/runtime/plan.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::testing {

using Bytes = std::vector<std::byte>;

template <typename T>
Bytes ToBytes(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

template <typename T>
std::vector<T> FromBytes(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

// One run on buffers of exactly the plan's sizes; outputs hold rubbish before.
inline std::vector<Bytes> RunPlan(const runtime::Plan& plan, const std::vector<Bytes>& inputs) {
  std::vector<const void*> in;
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(inputs[i].size(), plan.inputs()[i].bytes()) << plan.inputs()[i].name;
    in.push_back(inputs[i].data());
  }
  std::vector<Bytes> outputs;
  for (const runtime::TensorInfo& output : plan.outputs()) {
    outputs.emplace_back(output.bytes(), std::byte{0xCD});
  }
  std::vector<void*> out;
  for (Bytes& output : outputs) out.push_back(output.data());
  runtime::Arena arena;
  std::memset(arena.Reserve(plan.arena_bytes()), 0xCD, plan.arena_bytes());
  kernels::Sequential sequential;
  const absl::Status status = runtime::Run(plan, arena, in, out, sequential);
  EXPECT_TRUE(status.ok()) << status;
  return outputs;
}

// The graph's input shapes with unknown dimensions set to `batch`.
inline std::vector<graph::Shape> ShapesWithBatch(const graph::Graph& graph, int64_t batch) {
  std::vector<graph::Shape> shapes;
  for (graph::ValueId id : graph.inputs) {
    graph::Shape shape = *graph.value(id).shape;
    for (int64_t& dim : shape) dim = dim == graph::kUnknownDim ? batch : dim;
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

inline std::shared_ptr<const runtime::Plan> Compile(const graph::Graph& graph, int64_t batch = 1,
                                                    const std::string& engine = "") {
  runtime::PlanOptions options;
  options.engine = engine;
  auto plan = runtime::CompilePlan(graph, ShapesWithBatch(graph, batch), options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : nullptr;
}

// First output as float32, of a graph fed with float32.
inline std::vector<float> RunFloat(const graph::Graph& graph,
                                   const std::vector<std::vector<float>>& inputs, int64_t batch = 1,
                                   const std::string& engine = "") {
  const auto plan = Compile(graph, batch, engine);
  if (plan == nullptr) return {};
  std::vector<Bytes> bytes;
  for (const auto& input : inputs) bytes.push_back(ToBytes(input));
  return FromBytes<float>(RunPlan(*plan, bytes)[0]);
}

inline std::vector<float> Uniform(size_t count, uint32_t seed, float low = -1.0f,
                                  float high = 1.0f) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(random);
  return values;
}

// Steps of a plan with that operation ("Reorder", "Conv").
inline size_t CountSteps(const runtime::Plan& plan, const std::string& operation) {
  size_t count = 0;
  for (const runtime::StepInfo& step : plan.steps()) count += step.operation == operation;
  return count;
}

}  // namespace fourfold::testing
