#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"
#include "server/onnx/shared_attributes.h"

namespace fourfold::onnx {
namespace {

using graph::kNoValue;
using graph::Shape;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;
using graph::Window;

absl::Status CheckAtLeast(const std::vector<int64_t>& numbers, int64_t least, const char* name) {
  for (int64_t number : numbers) {
    if (number < least) {
      return absl::InvalidArgumentError(absl::StrCat("attribute \"", name, "\" holds ", number,
                                                     ", at least ", least, " is allowed"));
    }
  }
  return absl::OkStatus();
}

bool IsFloat(const TensorPtr& tensor) {
  return tensor && tensor->type() == graph::DataType::kFloat32;
}

TensorPtr Scaled(const Tensor& tensor, float factor) {
  std::vector<float> elements = tensor.ToFloat();
  for (float& element : elements) element *= factor;
  return Tensor::Of(tensor.type(), tensor.shape(), elements);
}

// input(i) times `factor`: a constant where it is one, else behind a multiplication.
ValueId ScaledInput(NodeBuilder& node, int i, float factor, const std::string& name) {
  if (factor == 1.0f) return node.input(i);
  if (TensorPtr constant = node.Constant(i); IsFloat(constant)) {
    return node.NewConstant(name, Scaled(*constant, factor));
  }
  const ValueId product = node.NewValue(name);
  node.Emit(graph::Binary{.operation = graph::Binary::Operation::kMul, .activation = {}},
            {node.input(i), node.NewScalar(name + "_factor", factor)}, {product});
  return product;
}

// Whether a Gemm's C is a row that is added to every row of the product, whose width is `columns`
// where that is known.
bool IsRow(const std::optional<Shape>& shape, int64_t columns) {
  if (!shape || shape->empty() || shape->size() > 2) return false;
  if (shape->size() == 2 && shape->front() != 1) return false;
  return columns > 0 ? shape->back() == columns : shape->back() > 1;
}

absl::Status ReadNorm(Attributes& attributes, graph::Pool& pool) {
  pool.p = attributes.Int("p", 2);
  if (pool.p >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("attribute \"p\" is ", pool.p));
}

}  // namespace

absl::StatusOr<Window> ReadWindow(Attributes& attributes) {
  Window window;
  window.kernel = attributes.Ints("kernel_shape");
  window.strides = attributes.Ints("strides");
  window.dilations = attributes.Ints("dilations");
  window.pads = attributes.Ints("pads");
  RETURN_IF_ERROR(CheckAtLeast(window.kernel, 1, "kernel_shape"));
  RETURN_IF_ERROR(CheckAtLeast(window.strides, 1, "strides"));
  RETURN_IF_ERROR(CheckAtLeast(window.dilations, 1, "dilations"));
  for (int64_t pad : window.pads) {
    if (pad < 0) return absl::UnimplementedError("negative pads");
  }
  size_t rank = window.kernel.size();
  for (size_t size : {window.strides.size(), window.dilations.size(), window.pads.size() / 2}) {
    if (rank == 0) rank = size;
    if (size != 0 && size != rank) {
      return absl::InvalidArgumentError(
          "kernel_shape, strides, dilations and pads are for different numbers of dimensions");
    }
  }
  if (window.pads.size() % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"pads\" holds ", window.pads.size(),
                                                   " numbers, an even count is wanted"));
  }
  const std::string auto_pad = attributes.String("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER") {
    window.auto_pad = graph::AutoPad::kSameUpper;
  } else if (auto_pad == "SAME_LOWER") {
    window.auto_pad = graph::AutoPad::kSameLower;
  } else if (auto_pad == "VALID") {
    window.auto_pad = graph::AutoPad::kValid;
  } else if (auto_pad != "NOTSET" && !auto_pad.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"auto_pad\" is ", Quoted(auto_pad)));
  }
  return window;
}

absl::StatusOr<graph::Conv> ReadConv(NodeBuilder& node) {
  graph::Conv conv;
  ASSIGN_OR_RETURN(conv.window, ReadWindow(node.attributes()));
  conv.groups = node.attributes().Int("group", 1);
  if (conv.groups < 1) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"group\" is ", conv.groups));
  }
  return conv;
}

absl::Status BuildConv(NodeBuilder& node) {
  ASSIGN_OR_RETURN(const graph::Conv conv, ReadConv(node));
  node.Emit(conv, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildMatMul(NodeBuilder& node) {
  node.Emit(graph::MatMul{}, node.inputs());
  return absl::OkStatus();
}

// alpha * A' * B' + beta * C. The factors go into constants where B and C are.
absl::Status BuildGemm(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  const float alpha = attributes.Float("alpha", 1.0f);
  const float beta = attributes.Float("beta", 1.0f);
  graph::MatMul matmul;
  matmul.transpose_lhs = attributes.Int("transA", 0) != 0;
  matmul.transpose_rhs = attributes.Int("transB", 0) != 0;

  for (int i : {0, 1}) {
    node.CheckShapeLater(
        i, [](const Shape& shape) { return shape.size() == 2 ? "" : "a matrix is wanted"; });
  }
  const bool constant_rhs = IsFloat(node.Constant(1));
  const ValueId lhs = node.input(0);
  const ValueId rhs = constant_rhs ? ScaledInput(node, 1, alpha, "weights") : node.input(1);
  const bool scale_product = alpha != 1.0f && !constant_rhs;
  if (!node.has_input(2) || beta == 0.0f) {
    if (!scale_product) {
      node.Emit(matmul, {lhs, rhs});
      return absl::OkStatus();
    }
    const ValueId product = node.NewValue("product");
    node.Emit(matmul, {lhs, rhs}, {product});
    node.Emit(graph::Binary{.operation = graph::Binary::Operation::kMul, .activation = {}},
              {product, node.NewScalar("alpha", alpha)});
    return absl::OkStatus();
  }

  ValueId bias = ScaledInput(node, 2, beta, "bias");
  const std::optional<Shape> rhs_shape = node.KnownShape(rhs);
  const int64_t columns = rhs_shape && rhs_shape->size() == 2
                              ? (*rhs_shape)[matmul.transpose_rhs ? 0 : 1]
                              : graph::kUnknownDim;
  if (const auto shape = node.KnownShape(bias); !scale_product && IsRow(shape, columns)) {
    const TensorPtr constant = node.Constant(2);
    if (shape->size() == 2 && constant) {
      const Tensor row = IsFloat(constant) ? *Scaled(*constant, beta) : *constant;
      bias = node.NewConstant(
          "bias", Tensor::Copy(row.type(), {row.count()},
                               {static_cast<const std::byte*>(row.data()), row.bytes()}));
    }
    node.Emit(matmul, {lhs, rhs, bias});
    return absl::OkStatus();
  }
  ValueId product = node.NewValue("product");
  node.Emit(matmul, {lhs, rhs}, {product});
  if (scale_product) {
    const ValueId scaled = node.NewValue("scaled");
    node.Emit(graph::Binary{.operation = graph::Binary::Operation::kMul, .activation = {}},
              {product, node.NewScalar("alpha", alpha)}, {scaled});
    product = scaled;
  }
  node.Emit(graph::Binary{}, {product, bias});
  return absl::OkStatus();
}

absl::StatusOr<graph::Pool> ReadPool(NodeBuilder& node, graph::Pool::Kind kind) {
  Attributes& attributes = node.attributes();
  attributes.Require("kernel_shape");
  graph::Pool pool;
  pool.kind = kind;
  ASSIGN_OR_RETURN(pool.window, ReadWindow(attributes));
  pool.ceil_mode = attributes.Int("ceil_mode", 0) != 0;
  switch (kind) {
    case graph::Pool::Kind::kMax:
      pool.column_major = attributes.Int("storage_order", 0) != 0;
      break;
    case graph::Pool::Kind::kAverage:
      pool.count_include_pad = attributes.Int("count_include_pad", 0) != 0;
      break;
    case graph::Pool::Kind::kLp: RETURN_IF_ERROR(ReadNorm(attributes, pool)); break;
  }
  return pool;
}

absl::Status BuildPool(NodeBuilder& node, graph::Pool::Kind kind) {
  ASSIGN_OR_RETURN(const graph::Pool pool, ReadPool(node, kind));
  std::vector<ValueId> outputs = {node.output(0)};
  if (node.reads_output(1)) outputs.push_back(node.output(1));
  node.Emit(pool, {node.input(0)}, outputs);
  return absl::OkStatus();
}

absl::Status BuildGlobalPool(NodeBuilder& node, graph::Pool::Kind kind) {
  graph::Pool pool;
  pool.kind = kind;
  pool.global = true;
  if (kind == graph::Pool::Kind::kLp) RETURN_IF_ERROR(ReadNorm(node.attributes(), pool));
  node.Emit(pool, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildDropout(NodeBuilder& node) {
  node.attributes().Ignore("ratio");
  node.attributes().Ignore("seed");
  if (node.has_input(2)) {
    const TensorPtr training = node.Constant(2);
    if (!training || training->count() != 1 || training->type() != graph::DataType::kBool ||
        training->as<uint8_t>()[0] != 0) {
      return absl::UnimplementedError("training_mode true");
    }
  }
  node.Emit(graph::Identity{}, {node.input(0)}, {node.output(0)});
  if (node.output_count() > 1) {  // the mask: everything is kept
    const ValueId shape = node.NewValue("mask_shape");
    node.Emit(graph::ShapeOf{}, {node.input(0)}, {shape});
    const TensorPtr kept =
        node.opset() < 10
            ? graph::Tensor::Of(graph::DataType::kFloat32, {1}, std::vector<float>{1.0f})
            : graph::Tensor::Of(graph::DataType::kBool, {1}, std::vector<uint8_t>{1});
    node.Emit(graph::ConstantOfShape{.value = kept}, {shape}, {node.output(1)});
  }
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
