#include "server/runtime/lowering.h"

#include <algorithm>

#include "kernels/convert.h"
#include "kernels/copy.h"
#include "kernels/eltwise.h"
#include "kernels/quantize.h"
#include "server/base/status_macros.h"

namespace fourfold::runtime {

using graph::Quantization;
using graph::ValueId;
using kernels::ElementType;
using kernels::Layout;

bool LayoutsCoincide(const kernels::Dims& dims) {
  if (dims.size() < 3) return true;
  const bool one_channel = dims[1] == 1;
  const bool no_space = std::all_of(dims.begin() + 2, dims.end(), [](int64_t d) { return d == 1; });
  return one_channel || no_space;
}

Layout LayoutOf(LayoutWish wish, size_t rank) {
  return wish == LayoutWish::kChannelsLast && rank >= 3 ? Layout::kChannelsLast : Layout::kRowMajor;
}

Lowering::Lowering(const graph::Graph& graph, const PlanOptions& options)
    : graph_(graph), options_(options), impl_(std::make_unique<Plan::Impl>()) {}

bool Lowering::integer_activation(ValueId id) const {
  if (id == graph::kNoValue) return false;
  const graph::Value& v = value(id);
  return v.constant == nullptr && v.quantization.has_value() && v.quantization->per_tensor() &&
         (v.type == ElementType::kUint8 || v.type == ElementType::kInt8);
}

absl::Status Lowering::Run() {
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const graph::Value& input = value(graph_.inputs[i]);
    const kernels::TensorSpec spec{input.type, *input.shape, Layout::kRowMajor};
    impl_->inputs.push_back({input.name, input.type, *input.shape});
    Storage storage;
    storage.kind = Storage::Kind::kInput;
    storage.bytes = kernels::ByteSize(spec);
    storage.index = i;
    impl_->storages.push_back(storage);
    views_[graph_.inputs[i]].stored.push_back({static_cast<int>(impl_->storages.size()) - 1, spec});
  }
  for (const graph::Node& node : graph_.nodes) {
    node_ = &node;
    RETURN_IF_ERROR(LowerNode(node));
  }
  node_ = nullptr;
  for (size_t i = 0; i < graph_.outputs.size(); ++i) RETURN_IF_ERROR(BringOut(i));
  for (ValueId id : options_.observed) {
    const auto found = views_.find(id);
    if (found == views_.end()) continue;
    const View view = found->second.stored.front();
    Storage& observed = storage(view);
    if (observed.kind == Storage::Kind::kArena) {
      observed.last_step = static_cast<int>(impl_->steps.size());
    }
    impl_->observed.emplace_back(id, view);
  }
  return absl::OkStatus();
}

std::unique_ptr<Plan::Impl> Lowering::Take() { return std::move(impl_); }

absl::Status Lowering::LowerNode(const graph::Node& node) {
  for (ValueId id : node.outputs) {
    if (id == graph::kNoValue) continue;
    if (!value(id).shape.has_value() || !graph::IsStatic(shape(id))) {
      return absl::InvalidArgumentError(
          absl::StrCat("node \"", node.name, "\" (", graph::OperationName(node.operation),
                       "): the shape of its output ", value(id).name,
                       " depends on the data, which is not supported"));
    }
  }
  const bool empty = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    return id == graph::kNoValue || graph::ElementCount(shape(id)) == 0;
  });
  if (empty) {  // nothing to compute
    for (ValueId id : node.outputs) {
      if (id == graph::kNoValue) continue;
      RETURN_IF_ERROR(DefineStored(id, NewView(value(id).type, shape(id))));
    }
    return absl::OkStatus();
  }
  if (IsQuantizedMatMul(*this, node)) return LowerQuantizedMatMul(*this, node);
  if (node.as<graph::Conv>() || node.as<graph::MatMul>()) return LowerAccumulation(*this, node);
  if (node.as<graph::Pool>() || node.as<graph::Eltwise>() || node.as<graph::Binary>() ||
      node.as<graph::Softmax>() || node.as<graph::Reduce>() || node.as<graph::Quantize>() ||
      node.as<graph::Dequantize>() || node.as<graph::DynamicQuantize>() || node.as<graph::Cast>() ||
      node.as<graph::Resize>() || node.as<graph::PRelu>()) {
    return LowerElementwise(*this, node);
  }
  if (node.as<graph::Reshape>() || node.as<graph::Flatten>() || node.as<graph::Squeeze>() ||
      node.as<graph::Unsqueeze>() || node.as<graph::Identity>() || node.as<graph::Transpose>() ||
      node.as<graph::Concat>() || node.as<graph::Slice>() || node.as<graph::Gather>() ||
      node.as<graph::Expand>() || node.as<graph::Pad>() || node.as<graph::DepthToSpace>() ||
      node.as<graph::SpaceToDepth>() || node.as<graph::Tile>()) {
    return LowerMovement(*this, node);
  }
  if (node.as<graph::Recurrent>()) return LowerRecurrent(*this, node);
  return LowerPlain(*this, node);
}

// ---- Views

View Lowering::NewView(ElementType type, const kernels::Dims& dims, Layout layout) {
  View view;
  view.spec = {type, dims, layout};
  Storage storage;
  storage.bytes = kernels::ByteSize(view.spec);
  storage.first_step = static_cast<int>(impl_->steps.size());
  storage.last_step = storage.first_step;
  impl_->storages.push_back(storage);
  view.storage = static_cast<int>(impl_->storages.size()) - 1;
  return view;
}

View Lowering::ConstantView(std::shared_ptr<const void> data, const kernels::TensorSpec& spec) {
  Storage storage;
  storage.kind = Storage::Kind::kConstant;
  storage.bytes = kernels::ByteSize(spec);
  storage.constant = data.get();
  impl_->storages.push_back(storage);
  KeepAlive(std::move(data));
  return {static_cast<int>(impl_->storages.size()) - 1, spec};
}

absl::StatusOr<View> Lowering::InLayout(std::vector<View>& views, LayoutWish wish) {
  if (wish == LayoutWish::kAny) return views.front();
  const View first = views.front();
  const Layout layout = LayoutOf(wish, first.spec.dims.size());
  for (const View& view : views) {
    if (view.spec.layout == layout) return view;
  }
  View view;
  if (LayoutsCoincide(first.spec.dims)) {
    view = first;
    view.spec.layout = layout;
  } else {
    view = NewView(first.spec.type, first.spec.dims, layout);
    RETURN_IF_ERROR(AddCopy(first, view, first.spec.dims,
                            kernels::Strides(first.spec.dims, first.spec.layout),
                            kernels::Strides(first.spec.dims, layout), 0, 0, "Reorder"));
  }
  views.push_back(view);
  return view;
}

absl::StatusOr<View> Lowering::Stored(ValueId id, LayoutWish wish) {
  Views& views = views_[id];
  if (views.stored.empty()) {
    const graph::Value& v = value(id);
    if (v.constant == nullptr) {
      return absl::InternalError(absl::StrCat("value ", v.name, " is used before it is computed"));
    }
    views.stored.push_back(ConstantView(std::shared_ptr<const void>(v.constant, v.constant->data()),
                                        {v.type, v.constant->shape(), Layout::kRowMajor}));
  }
  return InLayout(views.stored, wish);
}

absl::StatusOr<View> Lowering::Real(ValueId id, LayoutWish wish) {
  const graph::Value& v = value(id);
  if (!v.quantization.has_value() && v.type == ElementType::kFloat32) return Stored(id, wish);
  if (views_[id].real.empty()) {
    ASSIGN_OR_RETURN(const View stored, Stored(id, LayoutWish::kAny));
    View real = NewView(ElementType::kFloat32, stored.spec.dims, stored.spec.layout);
    if (v.quantization.has_value()) {
      RETURN_IF_ERROR(AddDequantize(stored, *v.quantization, real));
    } else {
      kernels::ConvertSpec spec{v.type, ElementType::kFloat32,
                                kernels::ElementCount(stored.spec.dims)};
      RETURN_IF_ERROR(
          Add(kernels::ConvertKernels(), spec, {stored}, {real}, Info("Convert", real)));
    }
    views_[id].real.push_back(real);
  }
  return InLayout(views_[id].real, wish);
}

LayoutWish Lowering::Preferred(ValueId id) const {
  const auto found = views_.find(id);
  if (found == views_.end()) return LayoutWish::kRowMajor;
  for (const std::vector<View>* views : {&found->second.stored, &found->second.real}) {
    for (const View& view : *views) {
      if (view.spec.layout == Layout::kChannelsLast) return LayoutWish::kChannelsLast;
    }
  }
  return LayoutWish::kRowMajor;
}

absl::Status Lowering::DefineStored(ValueId id, View view) {
  views_[id].stored.push_back(std::move(view));
  return absl::OkStatus();
}

absl::Status Lowering::DefineReal(ValueId id, View view) {
  const graph::Value& v = value(id);
  if (!v.quantization.has_value()) return DefineStored(id, std::move(view));
  const View stored = NewView(v.type, view.spec.dims, view.spec.layout);
  RETURN_IF_ERROR(AddQuantize(view, *v.quantization, stored));
  return DefineStored(id, stored);
}

absl::Status Lowering::BringOut(size_t index) {
  const ValueId id = graph_.outputs[index];
  const graph::Value& v = value(id);
  ASSIGN_OR_RETURN(View view, Stored(id, LayoutWish::kRowMajor));
  impl_->outputs.push_back({v.name, v.type, view.spec.dims});
  Storage& source = storage(view);
  if (source.kind == Storage::Kind::kArena) {
    source.kind = Storage::Kind::kOutput;  // computed in place
    source.index = index;
    return absl::OkStatus();
  }
  View out = NewView(view.spec.type, view.spec.dims);
  Storage& target = storage(out);
  target.kind = Storage::Kind::kOutput;
  target.index = index;
  const std::vector<int64_t> strides = kernels::Strides(view.spec.dims, Layout::kRowMajor);
  return AddCopy(view, out, view.spec.dims, strides, strides, 0, 0, "Copy");
}

// ---- Steps

StepInfo Lowering::Info(std::string operation, const View& output) const {
  StepInfo info;
  info.node = node_ == nullptr ? "" : node_->name;
  info.operation = std::move(operation);
  info.output =
      absl::StrCat(graph::ShapeText(output.spec.dims), " ", graph::TypeText(output.spec.type));
  return info;
}

kernels::PrepareContext Lowering::context() const {
  kernels::PrepareContext context;
  context.features = options_.features;
  context.threads = options_.threads;
  context.packed = options_.packed;
  return context;
}

void Lowering::AddPrepared(kernels::PreparedPtr kernel, const std::vector<View>& inputs,
                           const std::vector<View>& outputs, StepInfo info) {
  const int index = static_cast<int>(impl_->steps.size());
  Step step;
  const auto touch = [&](const View& view) {
    if (view.storage < 0) return -1;
    Storage& touched = storage(view);
    touched.first_step = std::min(touched.first_step, index);
    touched.last_step = std::max(touched.last_step, index);
    return view.storage;
  };
  for (const View& view : inputs) step.inputs.push_back(touch(view));
  for (const View& view : outputs) step.outputs.push_back(touch(view));
  if (const size_t bytes = kernel->scratch_bytes(); bytes > 0) {
    Storage scratch;
    scratch.bytes = bytes;
    scratch.first_step = scratch.last_step = index;
    impl_->storages.push_back(scratch);
    step.scratch = static_cast<int>(impl_->storages.size()) - 1;
  }
  info.implementation = std::string(kernel->implementation());
  if (kernel->float16_arithmetic()) info.arithmetic = "float16";
  step.kernel = std::move(kernel);
  impl_->steps.push_back(std::move(step));
  impl_->infos.push_back(std::move(info));
}

absl::Status Lowering::AddCopy(const View& src, const View& dst, const kernels::Dims& dims,
                               std::vector<int64_t> src_strides, std::vector<int64_t> dst_strides,
                               int64_t src_offset, int64_t dst_offset, std::string operation) {
  kernels::CopySpec spec;
  spec.element_bytes = kernels::ElementSize(dst.spec.type);
  spec.dims = dims;
  spec.src_strides = std::move(src_strides);
  spec.dst_strides = std::move(dst_strides);
  spec.src_offset = src_offset;
  spec.dst_offset = dst_offset;
  return Add(kernels::CopyKernels(), spec, {src}, {dst}, Info(std::move(operation), dst));
}

namespace {

// The outer x channels x inner split of a per-tensor or per-axis quantization.
absl::StatusOr<kernels::QuantizeSpec> SplitByAxis(const View& view,
                                                  const Quantization& quantization) {
  kernels::QuantizeSpec spec;
  for (size_t i = 0; i < quantization.scale.size(); ++i) {
    spec.params.push_back({quantization.scale[i], quantization.zero_point[i]});
  }
  const kernels::Dims& dims = view.spec.dims;
  if (quantization.per_tensor()) {
    spec.inner = kernels::ElementCount(dims);
    return spec;
  }
  if (view.spec.layout != Layout::kRowMajor) {
    return absl::InternalError("a quantization per axis is read in row-major order only");
  }
  const auto axis = static_cast<size_t>(quantization.axis);
  spec.channels = dims[axis];
  for (size_t i = 0; i < axis; ++i) spec.outer *= dims[i];
  for (size_t i = axis + 1; i < dims.size(); ++i) spec.inner *= dims[i];
  return spec;
}

}  // namespace

absl::Status Lowering::AddQuantize(const View& src, const Quantization& quantization,
                                   const View& dst) {
  ASSIGN_OR_RETURN(kernels::QuantizeSpec spec, SplitByAxis(src, quantization));
  spec.src_type = ElementType::kFloat32;
  spec.dst_type = dst.spec.type;
  return Add(kernels::QuantizeKernels(), spec, {src}, {dst}, Info("Quantize", dst));
}

absl::Status Lowering::AddDequantize(const View& src, const Quantization& quantization,
                                     const View& dst) {
  ASSIGN_OR_RETURN(kernels::QuantizeSpec spec, SplitByAxis(src, quantization));
  spec.src_type = src.spec.type;
  spec.dst_type = ElementType::kFloat32;
  return Add(kernels::DequantizeKernels(), spec, {src}, {dst}, Info("Dequantize", dst));
}

absl::StatusOr<View> Lowering::Requantized(const View& src, kernels::QuantParams from,
                                           ElementType type, kernels::QuantParams to) {
  if (from == to && src.spec.type == type) return src;
  const View dst = NewView(type, src.spec.dims, src.spec.layout);
  kernels::EltwiseSpec identity;  // kActivation, kNone
  kernels::EltwiseSpec table = kernels::MakeTable(identity, src.spec.type, from, type, to);
  table.count = kernels::ElementCount(src.spec.dims);
  RETURN_IF_ERROR(Add(kernels::EltwiseKernels(), table, {src}, {dst}, Info("Requantize", dst)));
  return dst;
}

}  // namespace fourfold::runtime
