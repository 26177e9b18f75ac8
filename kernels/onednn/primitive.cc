#include "kernels/onednn/primitive.h"

#include <dnnl_threadpool.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace fourfold::kernels::onednn {
namespace {

// Set while a thread runs a share of a primitive, which then must not be divided again.
thread_local bool in_parallel = false;

// Lends the threads of a Parallel to oneDNN. One call at a time.
class LentThreads final : public dnnl::threadpool_interop::threadpool_iface {
 public:
  void Lend(Parallel* parallel) { parallel_ = parallel; }

  int get_num_threads() const override { return parallel_ == nullptr ? 1 : parallel_->threads(); }
  bool get_in_parallel() const override { return in_parallel; }
  uint64_t get_flags() const override { return 0; }

  void parallel_for(int n, const std::function<void(int, int)>& body) override {
    const auto share = [n, &body](int i) {
      const bool outer = in_parallel;
      in_parallel = true;
      body(i, n);
      in_parallel = outer;
    };
    if (n == 1 || parallel_ == nullptr) {
      for (int i = 0; i < n; ++i) share(i);
    } else {
      parallel_->For(n, share);
    }
  }

 private:
  Parallel* parallel_ = nullptr;
};

[[noreturn]] void Die(const std::string& implementation, dnnl_status_t status) {
  std::fprintf(stderr, "%s: cannot execute a prepared primitive: oneDNN status %d\n",
               implementation.c_str(), static_cast<int>(status));
  std::abort();
}

}  // namespace

const dnnl::engine& Engine() {
  static const dnnl::engine* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

std::optional<dnnl::memory::data_type> DataType(ElementType type) {
  switch (type) {
    case ElementType::kFloat32: return dnnl::memory::data_type::f32;
    case ElementType::kInt8: return dnnl::memory::data_type::s8;
    case ElementType::kUint8: return dnnl::memory::data_type::u8;
    case ElementType::kInt32: return dnnl::memory::data_type::s32;
    default: return std::nullopt;
  }
}

dnnl::memory::desc Describe(const Dims& dims, ElementType type, Layout layout) {
  return {dims, DataType(type).value(), Strides(dims, layout)};
}

dnnl::primitive_attr NewAttributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

void AppendActivation(const Activation& activation, dnnl::post_ops& post_ops) {
  using dnnl::algorithm;
  switch (activation.kind) {
    case Activation::Kind::kNone: return;
    case Activation::Kind::kRelu:
      post_ops.append_eltwise(algorithm::eltwise_relu, 0.0f, 0.0f);
      return;
    case Activation::Kind::kClip:
      post_ops.append_eltwise(algorithm::eltwise_clip, activation.alpha, activation.beta);
      return;
    case Activation::Kind::kLeakyRelu:
      post_ops.append_eltwise(algorithm::eltwise_relu, activation.alpha, 0.0f);
      return;
    case Activation::Kind::kSigmoid:
      post_ops.append_eltwise(algorithm::eltwise_logistic, 0.0f, 0.0f);
      return;
    case Activation::Kind::kTanh:
      post_ops.append_eltwise(algorithm::eltwise_tanh, 0.0f, 0.0f);
      return;
    case Activation::Kind::kHardSwish:
      post_ops.append_eltwise(algorithm::eltwise_hardswish, 1.0f / 6.0f, 0.5f);
      return;
    case Activation::Kind::kSwish:
      post_ops.append_eltwise(algorithm::eltwise_swish, 1.0f, 0.0f);
      return;
    case Activation::Kind::kElu:
      post_ops.append_eltwise(algorithm::eltwise_elu, activation.alpha, 0.0f);
      return;
  }
}

bool IsReference(std::string_view implementation) {
  return implementation.find("ref") != std::string_view::npos;
}

ConcurrencyScope::ConcurrencyScope(int threads) {
  dnnl_threadpool_interop_get_max_concurrency(&previous_);
  dnnl_threadpool_interop_set_max_concurrency(std::max(threads, 1));
}

ConcurrencyScope::~ConcurrencyScope() { dnnl_threadpool_interop_set_max_concurrency(previous_); }

// What one execution needs and no other may touch meanwhile.
struct CompiledPrimitive::Call {
  LentThreads threads;
  dnnl::stream stream;
  std::vector<dnnl::memory> memories;  // one per operand, then the scratchpad
  std::vector<dnnl_exec_arg_t> arguments;
};

CompiledPrimitive::CompiledPrimitive(const dnnl::primitive_desc_base& desc,
                                     dnnl::primitive primitive, std::vector<Operand> operands)
    : primitive_(std::move(primitive)),
      operands_(std::move(operands)),
      implementation_(std::string("onednn/") + desc.impl_info_str()),
      scratch_desc_(desc.scratchpad_desc()),
      scratch_bytes_(scratch_desc_.get_size()) {
  Return(Borrow());
}

CompiledPrimitive::~CompiledPrimitive() {
  for (std::atomic<Call*>& slot : idle_) delete slot.load();
}

CompiledPrimitive::Call* CompiledPrimitive::Borrow() const {
  for (std::atomic<Call*>& slot : idle_) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    if (Call* call = slot.exchange(nullptr, std::memory_order_acquire)) return call;
  }
  auto call = std::make_unique<Call>();
  call->stream = dnnl::threadpool_interop::make_stream(Engine(), &call->threads);
  for (const Operand& operand : operands_) {
    call->memories.emplace_back(operand.desc, Engine(), const_cast<void*>(operand.fixed));
    call->arguments.push_back({operand.argument, call->memories.back().get()});
  }
  if (scratch_bytes_ > 0) {
    call->memories.emplace_back(scratch_desc_, Engine(), nullptr);
    call->arguments.push_back({DNNL_ARG_SCRATCHPAD, call->memories.back().get()});
  }
  return call.release();
}

void CompiledPrimitive::Return(Call* call) const {
  for (std::atomic<Call*>& slot : idle_) {
    Call* empty = nullptr;
    if (slot.compare_exchange_strong(empty, call, std::memory_order_release,
                                     std::memory_order_relaxed)) {
      return;
    }
  }
  delete call;
}

void CompiledPrimitive::Execute(std::span<const void* const> pointers, void* scratch,
                                Parallel& parallel) const {
  Call* const call = Borrow();
  size_t given = 0;
  for (size_t i = 0; i < operands_.size(); ++i) {
    if (operands_[i].fixed != nullptr) continue;
    dnnl_memory_set_data_handle(call->memories[i].get(), const_cast<void*>(pointers[given++]));
  }
  if (scratch_bytes_ > 0) dnnl_memory_set_data_handle(call->memories.back().get(), scratch);
  call->threads.Lend(&parallel);
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive_.get(), call->stream.get(),
                             static_cast<int>(call->arguments.size()), call->arguments.data());
  if (status != dnnl_success) Die(implementation_, status);
  call->threads.Lend(nullptr);
  Return(call);
}

void PlainKernel::Run(const RunArgs& args) const {
  std::array<const void*, 4> pointers{};
  const auto next = std::copy(args.inputs.begin(), args.inputs.end(), pointers.begin());
  std::copy(args.outputs.begin(), args.outputs.end(), next);
  primitive_.Execute(pointers, args.scratch, *args.parallel);
}

namespace {

void AppendNumbers(const std::vector<int64_t>& numbers, std::string& text) {
  for (const int64_t number : numbers) text += std::to_string(number) + ',';
  text += ';';
}

// Everything that tells two packed formats apart.
std::string FormatKey(const PackRequest& request) {
  std::string key = "onednn:" + std::to_string(request.id) + ':';
  key += request.variation;
  key += ':' + std::to_string(static_cast<int>(request.to.get_data_type())) + ':' +
         std::to_string(request.to.get_size()) + ':';
  AppendNumbers(request.to.get_dims(), key);
  AppendNumbers(request.to.get_padded_dims(), key);
  AppendNumbers(request.to.get_strides(), key);
  AppendNumbers(request.to.get_inner_blks(), key);
  AppendNumbers(request.to.get_inner_idxs(), key);
  return key;
}

PackedWeights::Buffer Reorder(const PackRequest& request) {
  const void* source = request.source;
  std::vector<float> expanded;
  if (request.source_type == ElementType::kFloat16) {
    const auto* halves = static_cast<const uint16_t*>(source);
    expanded.resize(request.from.get_size() / sizeof(float));
    std::transform(halves, halves + expanded.size(), expanded.begin(), HalfToFloat);
    source = expanded.data();
  }
  const std::shared_ptr<void> packed = AllocateAligned(request.to.get_size());
  const dnnl::memory from(request.from, Engine(), const_cast<void*>(source));
  const dnnl::memory to(request.to, Engine(), packed.get());
  const ConcurrencyScope one_thread(1);
  LentThreads threads;
  dnnl::stream stream = dnnl::threadpool_interop::make_stream(Engine(), &threads);
  dnnl::reorder(from, to).execute(stream, const_cast<dnnl::memory&>(from),
                                  const_cast<dnnl::memory&>(to));
  stream.wait();
  return packed;
}

}  // namespace

PackedConstant Pack(const PackRequest& request, PackedWeights* shared) {
  if (request.from == request.to && request.source_type != ElementType::kFloat16) {
    return {.data = PackedWeights::Buffer(std::shared_ptr<void>(), request.source), .bytes = 0};
  }
  PackedConstant packed{.data = nullptr, .bytes = request.to.get_size()};
  const bool share = shared != nullptr && request.id != 0 &&
                     request.to.get_format_kind() == dnnl::memory::format_kind::blocked;
  packed.data = share ? shared->GetOrPack(FormatKey(request), packed.bytes,
                                          [&request] { return Reorder(request); })
                      : Reorder(request);
  return packed;
}

}  // namespace fourfold::kernels::onednn
