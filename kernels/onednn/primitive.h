#pragma once

#include <array>
#include <atomic>
#include <dnnl.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

// What all oneDNN kernels share. Internal to this folder; functions throw dnnl::error.
namespace fourfold::kernels::onednn {

const dnnl::engine& Engine();

// The oneDNN type of an element; nullopt for types that no kernel here takes.
std::optional<dnnl::memory::data_type> DataType(ElementType type);

// Dense memory of `dims` in `layout`.
dnnl::memory::desc Describe(const Dims& dims, ElementType type, Layout layout = Layout::kRowMajor);

// Primitive attributes that every primitive of ours starts from: the caller lends the scratchpad.
dnnl::primitive_attr NewAttributes();

// Appends `activation` to `post_ops`, nothing for kNone.
void AppendActivation(const Activation& activation, dnnl::post_ops& post_ops);

// Whether an implementation is oneDNN's own plain loops, slower than ours.
bool IsReference(std::string_view implementation);

// Tells oneDNN, for primitives that this thread creates while the object lives, how many threads
// will run them.
class ConcurrencyScope {
 public:
  explicit ConcurrencyScope(int threads);
  ~ConcurrencyScope();
  ConcurrencyScope(const ConcurrencyScope&) = delete;
  ConcurrencyScope& operator=(const ConcurrencyScope&) = delete;

 private:
  int previous_ = 1;
};

// One argument of a primitive: constant (`fixed`, borrowed) or given with each call.
struct Operand {
  int argument = 0;
  dnnl::memory::desc desc;
  const void* fixed = nullptr;
};

// A primitive with its arguments laid out. Execute is reentrant: each call borrows one of a few
// sets of argument objects, and only more calls at a time than ever before allocate another.
class CompiledPrimitive {
 public:
  CompiledPrimitive(const dnnl::primitive_desc_base& desc, dnnl::primitive primitive,
                    std::vector<Operand> operands);
  ~CompiledPrimitive();
  CompiledPrimitive(const CompiledPrimitive&) = delete;
  CompiledPrimitive& operator=(const CompiledPrimitive&) = delete;

  // `pointers`: one per operand that is not fixed, in their order.
  void Execute(std::span<const void* const> pointers, void* scratch, Parallel& parallel) const;

  const std::string& implementation() const { return implementation_; }
  size_t scratch_bytes() const { return scratch_bytes_; }

 private:
  struct Call;

  Call* Borrow() const;
  void Return(Call* call) const;

  const dnnl::primitive primitive_;
  const std::vector<Operand> operands_;
  const std::string implementation_;
  const dnnl::memory::desc scratch_desc_;
  const size_t scratch_bytes_;

  mutable std::array<std::atomic<Call*>, 8> idle_{};
};

// A kernel that is one primitive, whose operands are the inputs, then the outputs.
class PlainKernel final : public PreparedKernel {
 public:
  PlainKernel(const dnnl::primitive_desc_base& desc, dnnl::primitive primitive,
              std::vector<Operand> operands)
      : primitive_(desc, std::move(primitive), std::move(operands)) {}

  void Run(const RunArgs& args) const override;
  std::string_view implementation() const override { return primitive_.implementation(); }
  size_t scratch_bytes() const override { return primitive_.scratch_bytes(); }

 private:
  CompiledPrimitive primitive_;
};

// Constants in the format that a primitive wants.
struct PackedConstant {
  PackedWeights::Buffer data;
  size_t bytes = 0;  // 0 where the original is used as it is
};

struct PackRequest {
  const void* source = nullptr;
  ElementType source_type = ElementType::kFloat32;  // float16 is expanded
  dnnl::memory::desc from;                          // float32 for a float16 source
  dnnl::memory::desc to;
  uint64_t id = 0;             // 0: not shared
  std::string_view variation;  // what the format depends on beside what `to` tells
};

PackedConstant Pack(const PackRequest& request, PackedWeights* shared);

}  // namespace fourfold::kernels::onednn
