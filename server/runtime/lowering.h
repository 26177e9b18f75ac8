#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "kernels/accumulate.h"
#include "kernels/kernel.h"
#include "server/graph/graph.h"
#include "server/runtime/plan.h"
#include "server/runtime/plan_impl.h"

namespace fourfold::runtime {

// The order in memory that a step wants of an operand.
enum class LayoutWish : uint8_t { kAny, kRowMajor, kChannelsLast };

// Turns a graph with bound shapes into steps. A value can be held in several views: as stored
// integers or as float32, row-major or channels-last; a conversion is added once, where first
// needed. One use: construct, Run, Take.
class Lowering {
 public:
  // Both outlive the lowering.
  Lowering(const graph::Graph& graph, const PlanOptions& options);

  absl::Status Run();
  std::unique_ptr<Plan::Impl> Take();

  // ---- What the lower_*.cc files build with.

  const graph::Graph& graph() const { return graph_; }
  const PlanOptions& options() const { return options_; }
  const graph::Value& value(graph::ValueId id) const { return graph_.value(id); }
  const graph::Shape& shape(graph::ValueId id) const { return *graph_.value(id).shape; }
  bool quantized(graph::ValueId id) const { return graph_.value(id).quantization.has_value(); }

  // Quantized per tensor and computed: the form that integer kernels read.
  bool integer_activation(graph::ValueId id) const;

  // The value as it is stored: integers where it is quantized.
  absl::StatusOr<View> Stored(graph::ValueId id, LayoutWish wish);

  // The value as float32, dequantized (or expanded from float16) where needed.
  absl::StatusOr<View> Real(graph::ValueId id, LayoutWish wish);

  // The layout in which the value already is, given the choice: channels-last if any view is.
  LayoutWish Preferred(graph::ValueId id) const;

  // A fresh buffer of the arena.
  View NewView(kernels::ElementType type, const kernels::Dims& dims,
               kernels::Layout layout = kernels::Layout::kRowMajor);

  // Says that `view` holds the value: as stored, or (quantized values only) as float32, which is
  // then quantized too.
  absl::Status DefineStored(graph::ValueId id, View view);
  absl::Status DefineReal(graph::ValueId id, View view);

  // Appends a step with the first kernel of the table that takes the spec; UNIMPLEMENTED if none
  // does.
  template <typename Spec>
  absl::Status Add(std::span<const kernels::Kernel<Spec>> table, const Spec& spec,
                   std::vector<View> inputs, std::vector<View> outputs, StepInfo info) {
    kernels::PreparedPtr kernel = kernels::PrepareFirst(table, spec, context(), options_.engine);
    if (kernel == nullptr) {
      return absl::UnimplementedError(absl::StrCat("no kernel for node \"",
                                                   node_ == nullptr ? "" : node_->name, "\" (",
                                                   info.operation, " -> ", info.output, ")"));
    }
    AddPrepared(std::move(kernel), inputs, outputs, std::move(info));
    return absl::OkStatus();
  }

  // What kernels of this plan are prepared with.
  kernels::PrepareContext context() const;

  // Appends a step. A view without a storage stands for an absent operand.
  void AddPrepared(kernels::PreparedPtr kernel, const std::vector<View>& inputs,
                   const std::vector<View>& outputs, StepInfo info);

  // Rearranges src (any layout) into dst by strides; see kernels::CopySpec.
  absl::Status AddCopy(const View& src, const View& dst, const kernels::Dims& dims,
                       std::vector<int64_t> src_strides, std::vector<int64_t> dst_strides,
                       int64_t src_offset, int64_t dst_offset, std::string operation);

  // float32 -> the stored form of `id`, and back.
  absl::Status AddQuantize(const View& src, const graph::Quantization& quantization,
                           const View& dst);
  absl::Status AddDequantize(const View& src, const graph::Quantization& quantization,
                             const View& dst);

  // The same elements in another quantization (integers to integers, through a table).
  absl::StatusOr<View> Requantized(const View& src, kernels::QuantParams from,
                                   kernels::ElementType type, kernels::QuantParams to);

  // A view of constant memory that the plan keeps alive.
  View ConstantView(std::shared_ptr<const void> data, const kernels::TensorSpec& spec);

  // Keeps something alive as long as the plan. `own_bytes` are counted as the plan's constants: 0
  // for what the graph owns anyway.
  void KeepAlive(std::shared_ptr<const void> data, size_t own_bytes = 0) {
    impl_->keep_alive.push_back(std::move(data));
    impl_->constant_bytes += own_bytes;
  }

  // The node's name and what it writes, to be completed by the caller.
  StepInfo Info(std::string operation, const View& output) const;

 private:
  struct Views {
    std::vector<View> stored;
    std::vector<View> real;  // of quantized values and float16 constants
  };

  absl::Status LowerNode(const graph::Node& node);
  absl::StatusOr<View> InLayout(std::vector<View>& views, LayoutWish wish);
  absl::Status BringOut(size_t index);
  Storage& storage(const View& view) { return impl_->storages[static_cast<size_t>(view.storage)]; }

  const graph::Graph& graph_;
  const PlanOptions& options_;
  const graph::Node* node_ = nullptr;  // being lowered
  std::map<graph::ValueId, Views> views_;
  std::unique_ptr<Plan::Impl> impl_;
};

// One function per family of operations, each in its file.
absl::Status LowerAccumulation(Lowering& lowering, const graph::Node& node);
absl::Status LowerElementwise(Lowering& lowering, const graph::Node& node);
absl::Status LowerMovement(Lowering& lowering, const graph::Node& node);
absl::Status LowerRecurrent(Lowering& lowering, const graph::Node& node);

// A MatMul whose operands are both computed and both stored as integers.
bool IsQuantizedMatMul(const Lowering& lowering, const graph::Node& node);
absl::Status LowerQuantizedMatMul(Lowering& lowering, const graph::Node& node);

// What is left: plain arrays in and out.
absl::Status LowerPlain(Lowering& lowering, const graph::Node& node);

// True where both layouts of these dimensions are the same order in memory.
bool LayoutsCoincide(const kernels::Dims& dims);

// The operation's type in the kernels' words.
kernels::Layout LayoutOf(LayoutWish wish, size_t rank);

}  // namespace fourfold::runtime
