// Pooling, element-wise and normalising operations, conversions between numbers.

#include "kernels/binary.h"
#include "kernels/convert.h"
#include "kernels/eltwise.h"
#include "kernels/pooling.h"
#include "kernels/quantize.h"
#include "kernels/reduce.h"
#include "kernels/resize.h"
#include "kernels/softmax.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/real_function.h"
#include "server/graph/resize_geometry.h"
#include "server/runtime/lowering.h"

namespace fourfold::runtime {
namespace {

using graph::Node;
using graph::ValueId;
using kernels::Activation;
using kernels::ElementType;
using kernels::QuantParams;

bool SameParams(const Lowering& lowering, ValueId a, ValueId b) {
  return lowering.integer_activation(a) && lowering.integer_activation(b) &&
         lowering.value(a).type == lowering.value(b).type &&
         lowering.value(a).quantization == lowering.value(b).quantization;
}

QuantParams ParamsOf(const Lowering& lowering, ValueId id) {
  return lowering.value(id).quantization->params();
}

// Neither real numbers nor integers that stand for them.
bool IsPlain(const Lowering& lowering, ValueId id) {
  return !lowering.quantized(id) && lowering.value(id).type != ElementType::kFloat32;
}

absl::Status LowerPool(Lowering& lowering, const Node& node, const graph::Pool& pool) {
  const ValueId x = node.inputs[0];
  const ValueId out = node.outputs[0];
  const bool indices = node.outputs.size() > 1 && node.outputs[1] != graph::kNoValue;
  if (indices || IsPlain(lowering, x)) return LowerPlain(lowering, node);
  const graph::Shape& image = lowering.shape(x);
  const size_t space = image.size() - 2;
  graph::Window window;
  const std::vector<int64_t> size(image.begin() + 2, image.end());
  if (pool.global) {
    window.kernel = size;
    window.strides.assign(space, 1);
    window.dilations.assign(space, 1);
    window.pads.assign(2 * space, 0);
  } else {
    ASSIGN_OR_RETURN(window, graph::ResolveWindow(pool.window, size, pool.window.kernel));
  }
  const bool average = pool.kind == graph::Pool::Kind::kAverage;
  const bool integer = average
                           ? lowering.integer_activation(x) && lowering.integer_activation(out) &&
                                 lowering.value(x).type == lowering.value(out).type
                           : pool.kind == graph::Pool::Kind::kMax && SameParams(lowering, x, out);

  kernels::PoolingSpec spec;
  using Kind = kernels::PoolingSpec::Kind;
  switch (pool.kind) {
    case graph::Pool::Kind::kMax: spec.kind = Kind::kMax; break;
    case graph::Pool::Kind::kAverage:
      spec.kind = pool.count_include_pad ? Kind::kAverageIncludePad : Kind::kAverage;
      break;
    case graph::Pool::Kind::kLp: spec.kind = Kind::kLp; break;
  }
  spec.p = pool.p;
  spec.kernel = window.kernel;
  spec.strides = window.strides;
  spec.dilations = window.dilations;
  spec.pads_begin.assign(window.pads.begin(), window.pads.begin() + static_cast<ptrdiff_t>(space));
  spec.pads_end.assign(window.pads.begin() + static_cast<ptrdiff_t>(space), window.pads.end());
  if (integer) {
    spec.src_params = ParamsOf(lowering, x);
    spec.dst_params = ParamsOf(lowering, out);
  }
  ASSIGN_OR_RETURN(const View src, integer ? lowering.Stored(x, LayoutWish::kChannelsLast)
                                           : lowering.Real(x, LayoutWish::kChannelsLast));
  const View dst = lowering.NewView(src.spec.type, lowering.shape(out),
                                    LayoutOf(LayoutWish::kChannelsLast, image.size()));
  spec.src = src.spec;
  spec.dst = dst.spec;
  RETURN_IF_ERROR(
      lowering.Add(kernels::PoolingKernels(), spec, {src}, {dst}, lowering.Info("Pool", dst)));
  return integer ? lowering.DefineStored(out, dst) : lowering.DefineReal(out, dst);
}

absl::Status LowerEltwise(Lowering& lowering, const Node& node, const graph::Eltwise& eltwise) {
  const ValueId x = node.inputs[0];
  const ValueId out = node.outputs[0];
  const std::optional<kernels::EltwiseSpec> function = graph::RealFunction(eltwise);
  if (!function || IsPlain(lowering, x)) return LowerPlain(lowering, node);
  kernels::EltwiseSpec spec = *function;
  const LayoutWish wish = lowering.Preferred(x);
  const bool table = lowering.integer_activation(x) && lowering.integer_activation(out);
  ASSIGN_OR_RETURN(const View src, table ? lowering.Stored(x, wish) : lowering.Real(x, wish));
  const View dst = lowering.NewView(table ? lowering.value(out).type : ElementType::kFloat32,
                                    src.spec.dims, src.spec.layout);
  if (table) {
    spec = kernels::MakeTable(spec, src.spec.type, ParamsOf(lowering, x), dst.spec.type,
                              ParamsOf(lowering, out));
  }
  spec.count = kernels::ElementCount(src.spec.dims);
  RETURN_IF_ERROR(
      lowering.Add(kernels::EltwiseKernels(), spec, {src}, {dst}, lowering.Info("Eltwise", dst)));
  return table ? lowering.DefineStored(out, dst) : lowering.DefineReal(out, dst);
}

// An operand with leading ones up to the result's rank. One that has as many dimensions keeps its
// layout; one that had fewer is row-major and needs no space of its own to pass as channels-last.
absl::StatusOr<View> Operand(Lowering& lowering, ValueId id, bool integer, LayoutWish wish,
                             size_t rank) {
  const size_t own_rank = lowering.shape(id).size();
  const LayoutWish own = own_rank == rank ? wish : LayoutWish::kRowMajor;
  ASSIGN_OR_RETURN(View view, integer ? lowering.Stored(id, own) : lowering.Real(id, own));
  view.spec.dims.insert(view.spec.dims.begin(), rank - own_rank, 1);
  if (own_rank < rank && LayoutsCoincide(view.spec.dims)) view.spec.layout = LayoutOf(wish, rank);
  return view;
}

// What a node does with two operands of float32, or of integers that stand for real numbers.
absl::Status LowerBinary(Lowering& lowering, const Node& node,
                         kernels::BinarySpec::Operation operation, const Activation& activation) {
  using Operation = kernels::BinarySpec::Operation;
  const ValueId a = node.inputs[0];
  const ValueId b = node.inputs[1];
  const ValueId out = node.outputs[0];
  if (operation > Operation::kPRelu || IsPlain(lowering, out) || IsPlain(lowering, b)) {
    return LowerPlain(lowering, node);
  }
  kernels::BinarySpec spec;
  spec.operation = operation;
  const bool integer = lowering.integer_activation(a) && lowering.integer_activation(b) &&
                       lowering.integer_activation(out) &&
                       activation.kind == Activation::Kind::kNone &&
                       (spec.operation == Operation::kAdd || spec.operation == Operation::kMul);
  if (integer) {
    spec.a_params = ParamsOf(lowering, a);
    spec.b_params = ParamsOf(lowering, b);
    spec.dst_params = ParamsOf(lowering, out);
  } else {
    spec.activation = activation;
  }
  const graph::Shape& dims = lowering.shape(out);
  LayoutWish wish = LayoutWish::kRowMajor;
  for (ValueId id : {a, b}) {
    // Channels-last only where no operand of lower rank has space of its own.
    if (lowering.shape(id).size() == dims.size() &&
        lowering.Preferred(id) == LayoutWish::kChannelsLast) {
      wish = LayoutWish::kChannelsLast;
    }
  }
  for (ValueId id : {a, b}) {
    const graph::Shape& own = lowering.shape(id);
    kernels::Dims wide = own;
    wide.insert(wide.begin(), dims.size() - own.size(), 1);
    if (own.size() < dims.size() && !LayoutsCoincide(wide)) wish = LayoutWish::kRowMajor;
  }
  ASSIGN_OR_RETURN(const View left, Operand(lowering, a, integer, wish, dims.size()));
  ASSIGN_OR_RETURN(const View right, Operand(lowering, b, integer, wish, dims.size()));
  const View dst = lowering.NewView(integer ? lowering.value(out).type : ElementType::kFloat32,
                                    dims, LayoutOf(wish, dims.size()));
  spec.a = left.spec;
  spec.b = right.spec;
  spec.dst = dst.spec;
  RETURN_IF_ERROR(lowering.Add(kernels::BinaryKernels(), spec, {left, right}, {dst},
                               lowering.Info("Binary", dst)));
  return integer ? lowering.DefineStored(out, dst) : lowering.DefineReal(out, dst);
}

absl::Status LowerSoftmax(Lowering& lowering, const Node& node, const graph::Softmax& softmax) {
  ASSIGN_OR_RETURN(const View src, lowering.Real(node.inputs[0], LayoutWish::kRowMajor));
  const kernels::Dims& dims = src.spec.dims;
  const auto rank = static_cast<int64_t>(dims.size());
  const auto axis = static_cast<size_t>(softmax.axis < 0 ? softmax.axis + rank : softmax.axis);
  kernels::SoftmaxSpec spec;
  spec.logarithm = softmax.logarithm;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i < axis) {
      spec.outer *= dims[i];
    } else if (i == axis || softmax.flatten) {
      spec.axis *= dims[i];
    } else {
      spec.inner *= dims[i];
    }
  }
  const View dst = lowering.NewView(ElementType::kFloat32, dims);
  RETURN_IF_ERROR(
      lowering.Add(kernels::SoftmaxKernels(), spec, {src}, {dst}, lowering.Info("Softmax", dst)));
  return lowering.DefineReal(node.outputs[0], dst);
}

// The mean over all of space, of integers into integers, is a global average pool.
bool IsIntegerGlobalMean(const Lowering& lowering, const Node& node, const graph::Reduce& reduce,
                         const std::vector<bool>& reduced) {
  if (reduce.operation != graph::Reduce::Operation::kMean || reduced.size() < 3) return false;
  for (size_t i = 0; i < reduced.size(); ++i) {
    if (reduced[i] != (i >= 2)) return false;
  }
  return lowering.integer_activation(node.inputs[0]) &&
         lowering.integer_activation(node.outputs[0]) &&
         lowering.value(node.inputs[0]).type == lowering.value(node.outputs[0]).type;
}

absl::Status LowerReduce(Lowering& lowering, const Node& node, const graph::Reduce& reduce) {
  const ValueId x = node.inputs[0];
  const ValueId out = node.outputs[0];
  if (IsPlain(lowering, x)) return LowerPlain(lowering, node);
  const graph::Shape& shape = lowering.shape(x);
  const auto rank = static_cast<int64_t>(shape.size());
  std::vector<int64_t> axes = reduce.axes;
  if (node.input(1) != graph::kNoValue) {
    const graph::Tensor* input = lowering.graph().ConstantInput(node, 1);
    if (input == nullptr) {
      return absl::UnimplementedError(
          absl::StrCat("node \"", node.name, "\": axes that depend on the data"));
    }
    axes = input->ToInt64();
  }
  std::vector<bool> reduced(shape.size(), axes.empty() && !reduce.noop_with_empty_axes);
  for (int64_t axis : axes) reduced[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = true;

  if (IsIntegerGlobalMean(lowering, node, reduce, reduced)) {
    ASSIGN_OR_RETURN(const View src, lowering.Stored(x, LayoutWish::kChannelsLast));
    kernels::PoolingSpec spec;
    spec.kind = kernels::PoolingSpec::Kind::kAverage;
    spec.src = src.spec;
    spec.dst = {src.spec.type, {shape[0], shape[1]}, src.spec.layout};
    spec.dst.dims.resize(shape.size(), 1);
    spec.kernel.assign(shape.begin() + 2, shape.end());
    spec.strides.assign(shape.size() - 2, 1);
    spec.dilations.assign(shape.size() - 2, 1);
    spec.pads_begin.assign(shape.size() - 2, 0);
    spec.pads_end.assign(shape.size() - 2, 0);
    spec.src_params = ParamsOf(lowering, x);
    spec.dst_params = ParamsOf(lowering, out);
    // One element in space: the same memory with and without the reduced dimensions.
    const View dst = lowering.NewView(src.spec.type, lowering.shape(out));
    RETURN_IF_ERROR(
        lowering.Add(kernels::PoolingKernels(), spec, {src}, {dst}, lowering.Info("Reduce", dst)));
    return lowering.DefineStored(out, dst);
  }
  ASSIGN_OR_RETURN(const View src, lowering.Real(x, lowering.Preferred(x)));
  kernels::ReduceSpec spec;
  spec.operation = static_cast<kernels::ReduceSpec::Operation>(reduce.operation);
  spec.src = src.spec;
  spec.reduced = reduced;
  const View dst = lowering.NewView(ElementType::kFloat32, lowering.shape(out));
  RETURN_IF_ERROR(
      lowering.Add(kernels::ReduceKernels(), spec, {src}, {dst}, lowering.Info("Reduce", dst)));
  return lowering.DefineReal(out, dst);
}

absl::Status LowerResize(Lowering& lowering, const Node& node, const graph::Resize& resize) {
  const ValueId x = node.inputs[0];
  const ValueId out = node.outputs[0];
  if (IsPlain(lowering, x)) return LowerPlain(lowering, node);
  const bool crops = resize.coordinates == graph::Resize::Coordinates::kTfCropAndResize;
  const bool nearest = resize.mode == graph::Resize::Mode::kNearest && !crops;
  const bool integer = nearest && SameParams(lowering, x, out);
  const LayoutWish wish = lowering.Preferred(x);
  ASSIGN_OR_RETURN(const View src, integer ? lowering.Stored(x, wish) : lowering.Real(x, wish));
  const View dst = lowering.NewView(src.spec.type, lowering.shape(out), src.spec.layout);
  const graph::Graph& graph = lowering.graph();
  const absl::StatusOr<kernels::ResizeSpec> made = graph::MakeResizeSpec(
      resize,
      graph::ReadResizeInputs(graph.ConstantInput(node, 1), graph.ConstantInput(node, 2),
                              graph.ConstantInput(node, 3)),
      src.spec, dst.spec);
  if (!made.ok()) {
    return absl::Status(made.status().code(),
                        absl::StrCat("node \"", node.name, "\": ", made.status().message()));
  }
  const kernels::ResizeSpec& spec = *made;
  RETURN_IF_ERROR(
      lowering.Add(kernels::ResizeKernels(), spec, {src}, {dst}, lowering.Info("Resize", dst)));
  return integer ? lowering.DefineStored(out, dst) : lowering.DefineReal(out, dst);
}

absl::Status LowerCast(Lowering& lowering, const Node& node) {
  const ValueId out = node.outputs[0];
  const ElementType to = lowering.value(out).type;
  const bool real = lowering.quantized(node.inputs[0]);
  ASSIGN_OR_RETURN(const View src, real ? lowering.Real(node.inputs[0], LayoutWish::kAny)
                                        : lowering.Stored(node.inputs[0], LayoutWish::kAny));
  if (lowering.quantized(out) || src.spec.type == to) return lowering.DefineReal(out, src);
  const View dst = lowering.NewView(to, src.spec.dims, src.spec.layout);
  const kernels::ConvertSpec spec{src.spec.type, to, kernels::ElementCount(src.spec.dims)};
  RETURN_IF_ERROR(
      lowering.Add(kernels::ConvertKernels(), spec, {src}, {dst}, lowering.Info("Cast", dst)));
  return lowering.DefineStored(out, dst);
}

absl::Status LowerQuantize(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0];
  const ValueId out = node.outputs[0];
  if (node.inputs.size() != 1) return LowerPlain(lowering, node);  // the scale is computed
  if (lowering.integer_activation(x) && lowering.integer_activation(out)) {
    ASSIGN_OR_RETURN(const View src, lowering.Stored(x, LayoutWish::kAny));
    ASSIGN_OR_RETURN(const View dst,
                     lowering.Requantized(src, ParamsOf(lowering, x), lowering.value(out).type,
                                          ParamsOf(lowering, out)));
    return lowering.DefineStored(out, dst);
  }
  const bool per_axis = !lowering.value(out).quantization->per_tensor();
  ASSIGN_OR_RETURN(const View src,
                   lowering.Real(x, per_axis ? LayoutWish::kRowMajor : lowering.Preferred(x)));
  return lowering.DefineReal(out, src);
}

absl::Status LowerDequantize(Lowering& lowering, const Node& node) {
  if (node.inputs.size() != 1) return LowerPlain(lowering, node);  // the scale is computed
  ASSIGN_OR_RETURN(const View real, lowering.Real(node.inputs[0], LayoutWish::kAny));
  return lowering.DefineReal(node.outputs[0], real);
}

absl::Status LowerDynamicQuantize(Lowering& lowering, const Node& node,
                                  const graph::DynamicQuantize& quantize) {
  if (!quantize.per_sample) return LowerPlain(lowering, node);
  const ValueId x = node.inputs[0];
  // Convolutions read channels-last: converting 8 bits costs less than converting 32.
  ASSIGN_OR_RETURN(const View src, lowering.Real(x, lowering.Preferred(x)));
  const kernels::Dims& dims = src.spec.dims;
  kernels::DynamicQuantizeSpec spec;
  spec.samples = dims.size() < 2 ? 1 : dims[0];
  spec.elements = kernels::ElementCount(dims) / spec.samples;
  const View dst = lowering.NewView(ElementType::kUint8, dims, src.spec.layout);
  const View params = lowering.NewView(ElementType::kUint8,
                                       {spec.samples, static_cast<int64_t>(sizeof(QuantParams))});
  RETURN_IF_ERROR(lowering.Add(kernels::DynamicQuantizeKernels(), spec, {src}, {dst, params},
                               lowering.Info("DynamicQuantize", dst)));
  RETURN_IF_ERROR(lowering.DefineStored(node.outputs[0], dst));
  return lowering.DefineStored(node.outputs[1], params);
}

}  // namespace

absl::Status LowerElementwise(Lowering& lowering, const Node& node) {
  if (const auto* pool = node.as<graph::Pool>()) return LowerPool(lowering, node, *pool);
  if (const auto* eltwise = node.as<graph::Eltwise>())
    return LowerEltwise(lowering, node, *eltwise);
  if (const auto* binary = node.as<graph::Binary>()) {
    return LowerBinary(lowering, node, graph::PlainOperation(binary->operation),
                       binary->activation);
  }
  if (node.as<graph::PRelu>() != nullptr) {
    return LowerBinary(lowering, node, kernels::BinarySpec::Operation::kPRelu, {});
  }
  if (const auto* softmax = node.as<graph::Softmax>())
    return LowerSoftmax(lowering, node, *softmax);
  if (const auto* reduce = node.as<graph::Reduce>()) return LowerReduce(lowering, node, *reduce);
  if (const auto* resize = node.as<graph::Resize>()) return LowerResize(lowering, node, *resize);
  if (node.as<graph::Cast>() != nullptr) return LowerCast(lowering, node);
  if (node.as<graph::Quantize>() != nullptr) return LowerQuantize(lowering, node);
  if (node.as<graph::Dequantize>() != nullptr) return LowerDequantize(lowering, node);
  return LowerDynamicQuantize(lowering, node, *node.as<graph::DynamicQuantize>());
}

}  // namespace fourfold::runtime
