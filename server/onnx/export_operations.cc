#include <cmath>
#include <limits>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/element_type.h"
#include "server/onnx/export_activation.h"
#include "server/onnx/export_families.h"
#include "server/onnx/export_movement.h"
#include "server/onnx/export_recurrent.h"
#include "server/onnx/exporter.h"

namespace fourfold::onnx {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::Tensor;
using graph::ValueId;
using kernels::Activation;

// One operation at a time; the functions are named after what they are given.
class Operations {
 public:
  Operations(Exporter& exporter, const Node& node) : e_(exporter), node_(node) {}

  template <typename Operation>
  absl::Status operator()(const Operation& operation) {
    return ExportOf(e_, node_, operation);
  }

  template <typename Operation>
  requires requires(Exporter& exporter, const Node& node, const Operation& operation) {
    ExportMovement(exporter, node, operation);
  }
  absl::Status operator()(const Operation& operation) {
    return ExportMovement(e_, node_, operation);
  }

  absl::Status operator()(const graph::Conv& conv) {
    const std::string residual = e_.Read(node_, 3);
    Stages stages = After(conv.activation, !residual.empty());
    const Exporter::Names inputs = {e_.Read(node_, 0), e_.Read(node_, 1), e_.ReadBias(node_)};
    ::onnx::NodeProto& proto = e_.AddNode("Conv", node_.name, inputs, {stages.first});
    SetWindow(proto, conv.window);
    if (conv.groups != 1) SetInt(proto, "group", conv.groups);
    return Finish(stages, residual, conv.activation);
  }

  absl::Status operator()(const graph::MatMul& matmul) {
    const std::string residual = e_.Read(node_, 3);
    Stages stages = After(matmul.activation, !residual.empty());
    const std::string bias = e_.ReadBias(node_);
    const auto rank = [this](size_t i) {
      const ValueId id = node_.input(i);
      if (id == kNoValue) return size_t{0};
      const auto& shape = e_.graph().value(id).shape;
      return shape ? shape->size() : std::numeric_limits<size_t>::max();
    };
    const bool transposed = matmul.transpose_lhs || matmul.transpose_rhs;
    if (rank(0) == 2 && rank(1) == 2 && rank(2) <= 2 && (transposed || !bias.empty())) {
      ::onnx::NodeProto& proto = e_.AddNode(
          "Gemm", node_.name, {e_.Read(node_, 0), e_.Read(node_, 1), bias}, {stages.first});
      if (matmul.transpose_lhs) SetInt(proto, "transA", 1);
      if (matmul.transpose_rhs) SetInt(proto, "transB", 1);
      return Finish(stages, residual, matmul.activation);
    }
    ASSIGN_OR_RETURN(const std::string lhs, Transposed(0, matmul.transpose_lhs, "lhs"));
    ASSIGN_OR_RETURN(const std::string rhs, Transposed(1, matmul.transpose_rhs, "rhs"));
    const std::string product = bias.empty() ? stages.first : e_.Temporary(node_, "product");
    e_.AddNode("MatMul", node_.name, {lhs, rhs}, {product});
    if (!bias.empty()) e_.AddNode("Add", node_.name + "_bias", {product, bias}, {stages.first});
    return Finish(stages, residual, matmul.activation);
  }

  absl::Status operator()(const graph::Recurrent& recurrent) {
    return ExportRecurrent(e_, node_, recurrent);
  }

  absl::Status operator()(const graph::BatchNorm& norm) {
    SetFloat(Add("BatchNormalization", e_.ReadAll(node_)), "epsilon", norm.epsilon);
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::Eltwise& eltwise) {
    const std::string x = e_.Read(node_, 0);
    ExportEltwise(e_, node_, eltwise, x, e_.Write(node_));
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::Binary& binary) {
    using Operation = graph::Binary::Operation;
    static constexpr const char* kNames[] = {
        "Add", "Sub", "Mul",      "Div",      "Max",        "Min",       "Pow",
        "Mod", "Mod", "BitShift", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"};
    const Stages stages = After(binary.activation, false);
    ::onnx::NodeProto& proto = e_.AddNode(kNames[static_cast<size_t>(binary.operation)], node_.name,
                                          e_.ReadAll(node_), {stages.first});
    if (binary.operation == Operation::kRemainder) SetInt(proto, "fmod", 1);
    if (binary.operation == Operation::kShiftLeft) SetString(proto, "direction", "LEFT");
    if (binary.operation == Operation::kShiftRight) SetString(proto, "direction", "RIGHT");
    return Finish(stages, "", binary.activation);
  }

  absl::Status operator()(const graph::Concat& concat) {
    SetInt(Add("Concat", e_.ReadAll(node_)), "axis", concat.axis);
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::Reduce& reduce) {
    static constexpr const char* kNames[] = {"Mean",      "Sum", "Max", "Min",    "Prod",
                                             "SumSquare", "L1",  "L2",  "LogSum", "LogSumExp"};
    const std::string op_type =
        absl::StrCat("Reduce", kNames[static_cast<size_t>(reduce.operation)]);
    std::vector<int64_t> axes = reduce.axes;
    const bool by_input = node_.input(1) != kNoValue;
    const Tensor* constant = e_.graph().ConstantInput(node_, 1);
    if (constant) axes = constant->ToInt64();
    // Axes are an input from opset 13 (ReduceSum) and 18 (the others) on.
    const bool sum = reduce.operation == graph::Reduce::Operation::kSum || e_.opset() >= 18;
    if (by_input && !constant && !sum) return Inexpressible(op_type + " over computed axes");
    Exporter::Names inputs = {e_.Read(node_, 0)};
    if (axes.empty() && reduce.noop_with_empty_axes && !sum) {
      return Inexpressible(op_type + " that leaves its input alone without axes");
    }
    if (sum && by_input) {
      inputs.push_back(e_.Read(node_, 1));
    } else if (sum && !axes.empty()) {
      inputs.push_back(e_.AddInt64s(node_, "axes", axes));
    }
    ::onnx::NodeProto& proto = Add(op_type, inputs);
    if (!sum && !axes.empty()) SetInts(proto, "axes", axes);
    if (!reduce.keep_dims) SetInt(proto, "keepdims", 0);
    if (sum && reduce.noop_with_empty_axes) SetInt(proto, "noop_with_empty_axes", 1);
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::Transpose& transpose) {
    ::onnx::NodeProto& proto = Add("Transpose", e_.ReadAll(node_));
    if (!transpose.permutation.empty()) SetInts(proto, "perm", transpose.permutation);
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::Reshape& reshape) {
    ::onnx::NodeProto& proto = Add("Reshape", e_.ReadAll(node_));
    if (reshape.allow_zero) SetInt(proto, "allowzero", 1);
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::Flatten& flatten) {
    SetInt(Add("Flatten", e_.ReadAll(node_)), "axis", flatten.axis);
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::Squeeze&) { return Simple("Squeeze"); }
  absl::Status operator()(const graph::Unsqueeze&) { return Simple("Unsqueeze"); }
  absl::Status operator()(const graph::Slice&) { return Simple("Slice"); }
  absl::Status operator()(const graph::Expand&) { return Simple("Expand"); }
  absl::Status operator()(const graph::Identity&) { return Simple("Identity"); }

  absl::Status operator()(const graph::Gather& gather) {
    SetInt(Add("Gather", e_.ReadAll(node_)), "axis", gather.axis);
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::ShapeOf& shape) {
    if (shape.start == 0 && !shape.end) return Simple("Shape");
    const std::string all = e_.Temporary(node_, "all");
    e_.AddNode("Shape", node_.name, {e_.Read(node_, 0)}, {all});
    const std::string start = e_.AddInt64s(node_, "start", {shape.start});
    const std::string end =
        e_.AddInt64s(node_, "end", {shape.end.value_or(std::numeric_limits<int64_t>::max())});
    e_.AddNode("Slice", node_.name + "_slice", {all, start, end}, {e_.Write(node_)});
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::ConstantOfShape& constant) {
    ::onnx::NodeProto& proto = Add("ConstantOfShape", e_.ReadAll(node_));
    ::onnx::AttributeProto& value = *proto.add_attribute();
    value.set_name("value");
    value.set_type(::onnx::AttributeProto::TENSOR);
    // ONNX wants a vector of one element.
    FillTensor(*Tensor::Copy(constant.value->type(), {1},
                             {static_cast<const std::byte*>(constant.value->data()),
                              constant.value->bytes()}),
               *value.mutable_t());
    return absl::OkStatus();
  }

  absl::Status operator()(const graph::If& branches) { return ExportIf(e_, node_, branches); }
  absl::Status operator()(const graph::Loop& loop) { return ExportLoop(e_, node_, loop); }
  absl::Status operator()(const graph::Scan& scan) { return ExportScan(e_, node_, scan); }

  absl::Status operator()(const graph::Cast& cast) {
    SetInt(Add("Cast", e_.ReadAll(node_)), "to", OnnxElementType(cast.to));
    return absl::OkStatus();
  }

  // The ONNX forms, as they were imported.
  absl::Status operator()(const graph::Quantize& quantize) {
    SetInt(Add("QuantizeLinear", e_.ReadAll(node_)), "axis", quantize.axis);
    return absl::OkStatus();
  }
  absl::Status operator()(const graph::Dequantize& dequantize) {
    SetInt(Add("DequantizeLinear", e_.ReadAll(node_)), "axis", dequantize.axis);
    return absl::OkStatus();
  }
  absl::Status operator()(const graph::DynamicQuantize&) {
    e_.AddNode("DynamicQuantizeLinear", node_.name, e_.ReadAll(node_),
               {e_.Write(node_, 0), e_.Write(node_, 1), e_.Write(node_, 2)});
    return absl::OkStatus();
  }

 private:
  // What follows the main ONNX node of a fused one: a residual, an activation, both, or nothing.
  struct Stages {
    std::string first;   // what the main node writes
    std::string second;  // what the residual's Add writes
  };

  Stages After(const Activation& activation, bool residual) {
    const bool active = activation.kind != Activation::Kind::kNone;
    Stages stages;
    written_ = e_.Write(node_);
    stages.second = active ? e_.Temporary(node_, "inactive") : written_;
    stages.first = residual ? e_.Temporary(node_, "sum") : stages.second;
    return stages;
  }

  absl::Status Finish(const Stages& stages, const std::string& residual,
                      const Activation& activation) {
    if (!residual.empty()) {
      e_.AddNode("Add", node_.name + "_residual", {stages.first, residual}, {stages.second});
    }
    if (activation.kind != Activation::Kind::kNone) {
      ExportActivation(e_, node_, node_.name + "_activation", activation, stages.second, written_);
    }
    return absl::OkStatus();
  }

  ::onnx::NodeProto& Add(const std::string& op_type, Exporter::Names inputs) {
    return e_.AddNode(op_type, node_.name, std::move(inputs), {e_.Write(node_)});
  }

  absl::Status Simple(const std::string& op_type) {
    Add(op_type, e_.ReadAll(node_));
    return absl::OkStatus();
  }

  // An input with its last two dimensions swapped, if it has to be.
  absl::StatusOr<std::string> Transposed(size_t i, bool transpose, const std::string& name) {
    const std::string input = e_.Read(node_, i);
    if (!transpose) return input;
    const auto& shape = e_.graph().value(node_.inputs[i]).shape;
    if (!shape || shape->size() < 2) {
      return absl::InvalidArgumentError(absl::StrCat("the rank of its ", name, " is not known"));
    }
    std::vector<int64_t> permutation;
    for (size_t d = 0; d < shape->size(); ++d) permutation.push_back(static_cast<int64_t>(d));
    std::swap(permutation[shape->size() - 1], permutation[shape->size() - 2]);
    const std::string result = e_.Temporary(node_, name);
    SetInts(e_.AddNode("Transpose", absl::StrCat(node_.name, "_", name), {input}, {result}), "perm",
            permutation);
    return result;
  }

  Exporter& e_;
  const Node& node_;
  std::string written_;
};

}  // namespace

void SetWindow(::onnx::NodeProto& node, const graph::Window& window) {
  if (!window.kernel.empty()) SetInts(node, "kernel_shape", window.kernel);
  if (!window.strides.empty()) SetInts(node, "strides", window.strides);
  if (!window.dilations.empty()) SetInts(node, "dilations", window.dilations);
  switch (window.auto_pad) {
    case graph::AutoPad::kExplicit:
      if (!window.pads.empty()) SetInts(node, "pads", window.pads);
      break;
    case graph::AutoPad::kSameUpper: SetString(node, "auto_pad", "SAME_UPPER"); break;
    case graph::AutoPad::kSameLower: SetString(node, "auto_pad", "SAME_LOWER"); break;
    case graph::AutoPad::kValid: SetString(node, "auto_pad", "VALID"); break;
  }
}

absl::Status ExportOperation(Exporter& exporter, const Node& node) {
  return std::visit(Operations(exporter, node), node.operation);
}

}  // namespace fourfold::onnx
