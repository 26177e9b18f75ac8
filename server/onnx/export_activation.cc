#include "server/onnx/export_activation.h"

#include <cmath>
#include <numbers>

namespace fourfold::onnx {

using graph::Eltwise;
using kernels::Activation;

void ExportActivation(Exporter& exporter, const graph::Node& node, const std::string& name,
                      const Activation& activation, const std::string& x, const std::string& y) {
  const auto gated = [&](const std::string& gate_type) -> ::onnx::NodeProto& {  // y = x * gate(x)
    const std::string gate = exporter.Temporary(node, "gate");
    ::onnx::NodeProto& proto = exporter.AddNode(gate_type, name + "_gate", {x}, {gate});
    exporter.AddNode("Mul", name, {x, gate}, {y});
    return proto;
  };
  switch (activation.kind) {
    case Activation::Kind::kNone: exporter.AddNode("Identity", name, {x}, {y}); break;
    case Activation::Kind::kRelu: exporter.AddNode("Relu", name, {x}, {y}); break;
    case Activation::Kind::kClip: {
      const std::string low = exporter.AddScalar(node, "min", activation.alpha);
      const std::string high = exporter.AddScalar(node, "max", activation.beta);
      exporter.AddNode("Clip", name, {x, low, high}, {y});
      break;
    }
    case Activation::Kind::kLeakyRelu:
      SetFloat(exporter.AddNode("LeakyRelu", name, {x}, {y}), "alpha", activation.alpha);
      break;
    case Activation::Kind::kSigmoid: exporter.AddNode("Sigmoid", name, {x}, {y}); break;
    case Activation::Kind::kTanh: exporter.AddNode("Tanh", name, {x}, {y}); break;
    case Activation::Kind::kHardSwish: {
      ::onnx::NodeProto& gate = gated("HardSigmoid");
      SetFloat(gate, "alpha", 1.0f / 6.0f);
      SetFloat(gate, "beta", 0.5f);
      break;
    }
    case Activation::Kind::kSwish: gated("Sigmoid"); break;
    case Activation::Kind::kElu:
      SetFloat(exporter.AddNode("Elu", name, {x}, {y}), "alpha", activation.alpha);
      break;
  }
}

namespace {

// y = x * tanh(softplus(x))
void ExportMish(Exporter& e, const graph::Node& node, const std::string& x, const std::string& y) {
  const std::string softplus = e.Temporary(node, "softplus"), tanh = e.Temporary(node, "tanh");
  e.AddNode("Softplus", node.name + "_softplus", {x}, {softplus});
  e.AddNode("Tanh", node.name + "_tanh", {softplus}, {tanh});
  e.AddNode("Mul", node.name, {x, tanh}, {y});
}

// y = x * (1 + erf(x / sqrt(2))) / 2
void ExportGelu(Exporter& e, const graph::Node& node, const std::string& x, const std::string& y) {
  const std::string scaled = e.Temporary(node, "scaled"), erf = e.Temporary(node, "erf"),
                    shifted = e.Temporary(node, "shifted"), twice = e.Temporary(node, "twice");
  const std::string root = e.AddScalar(node, "inverse_root", 1.0f / std::numbers::sqrt2_v<float>);
  e.AddNode("Mul", node.name + "_scale", {x, root}, {scaled});
  e.AddNode("Erf", node.name + "_erf", {scaled}, {erf});
  e.AddNode("Add", node.name + "_shift", {erf, e.AddScalar(node, "one", 1.0f)}, {shifted});
  e.AddNode("Mul", node.name + "_twice", {x, shifted}, {twice});
  e.AddNode("Mul", node.name, {twice, e.AddScalar(node, "half", 0.5f)}, {y});
}

// y = x * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
void ExportGeluTanh(Exporter& e, const graph::Node& node, const std::string& x,
                    const std::string& y) {
  const auto temporary = [&](const char* name) { return e.Temporary(node, name); };
  const std::string cube = temporary("cube"), scaled = temporary("scaled"), sum = temporary("sum"),
                    argument = temporary("argument"), tanh = temporary("tanh"),
                    shifted = temporary("shifted"), twice = temporary("twice");
  e.AddNode("Pow", node.name + "_cube", {x, e.AddScalar(node, "three", 3.0f)}, {cube});
  e.AddNode("Mul", node.name + "_scale", {cube, e.AddScalar(node, "weight", 0.044715f)}, {scaled});
  e.AddNode("Add", node.name + "_sum", {x, scaled}, {sum});
  e.AddNode("Mul", node.name + "_argument", {sum, e.AddScalar(node, "root", 0.79788456f)},
            {argument});
  e.AddNode("Tanh", node.name + "_tanh", {argument}, {tanh});
  e.AddNode("Add", node.name + "_shift", {tanh, e.AddScalar(node, "one", 1.0f)}, {shifted});
  e.AddNode("Mul", node.name + "_twice", {x, shifted}, {twice});
  e.AddNode("Mul", node.name, {twice, e.AddScalar(node, "half", 0.5f)}, {y});
}

}  // namespace

void ExportEltwise(Exporter& exporter, const graph::Node& node, const Eltwise& eltwise,
                   const std::string& x, const std::string& y) {
  const auto simple = [&](const char* op_type) -> ::onnx::NodeProto& {
    return exporter.AddNode(op_type, node.name, {x}, {y});
  };
  const float alpha = eltwise.activation.alpha, beta = eltwise.activation.beta;
  switch (eltwise.function) {
    case Eltwise::Function::kActivation:
      ExportActivation(exporter, node, node.name, eltwise.activation, x, y);
      break;
    case Eltwise::Function::kAbs: simple("Abs"); break;
    case Eltwise::Function::kAcos: simple("Acos"); break;
    case Eltwise::Function::kAcosh: simple("Acosh"); break;
    case Eltwise::Function::kAsin: simple("Asin"); break;
    case Eltwise::Function::kAsinh: simple("Asinh"); break;
    case Eltwise::Function::kAtan: simple("Atan"); break;
    case Eltwise::Function::kAtanh: simple("Atanh"); break;
    case Eltwise::Function::kBitwiseNot: simple("BitwiseNot"); break;
    case Eltwise::Function::kCeil: simple("Ceil"); break;
    case Eltwise::Function::kCelu: SetFloat(simple("Celu"), "alpha", alpha); break;
    case Eltwise::Function::kCos: simple("Cos"); break;
    case Eltwise::Function::kCosh: simple("Cosh"); break;
    case Eltwise::Function::kErf: simple("Erf"); break;
    case Eltwise::Function::kExp: simple("Exp"); break;
    case Eltwise::Function::kFloor: simple("Floor"); break;
    case Eltwise::Function::kGelu: ExportGelu(exporter, node, x, y); break;
    case Eltwise::Function::kHardSigmoid: {
      ::onnx::NodeProto& proto = simple("HardSigmoid");
      SetFloat(proto, "alpha", alpha);
      SetFloat(proto, "beta", beta);
      break;
    }
    case Eltwise::Function::kGeluTanh: ExportGeluTanh(exporter, node, x, y); break;
    case Eltwise::Function::kIsInf: {
      ::onnx::NodeProto& proto = simple("IsInf");
      SetInt(proto, "detect_negative", alpha != 0.0f);
      SetInt(proto, "detect_positive", beta != 0.0f);
      break;
    }
    case Eltwise::Function::kIsNan: simple("IsNaN"); break;
    case Eltwise::Function::kLog: simple("Log"); break;
    case Eltwise::Function::kMish: ExportMish(exporter, node, x, y); break;
    case Eltwise::Function::kNeg: simple("Neg"); break;
    case Eltwise::Function::kNot: simple("Not"); break;
    case Eltwise::Function::kReciprocal: simple("Reciprocal"); break;
    case Eltwise::Function::kRound: simple("Round"); break;
    case Eltwise::Function::kSelu: {
      ::onnx::NodeProto& proto = simple("Selu");
      SetFloat(proto, "alpha", alpha);
      SetFloat(proto, "gamma", beta);
      break;
    }
    case Eltwise::Function::kShrink: {
      ::onnx::NodeProto& proto = simple("Shrink");
      SetFloat(proto, "bias", alpha);
      SetFloat(proto, "lambd", beta);
      break;
    }
    case Eltwise::Function::kSign: simple("Sign"); break;
    case Eltwise::Function::kSin: simple("Sin"); break;
    case Eltwise::Function::kSinh: simple("Sinh"); break;
    case Eltwise::Function::kSoftplus: simple("Softplus"); break;
    case Eltwise::Function::kSoftsign: simple("Softsign"); break;
    case Eltwise::Function::kSqrt: simple("Sqrt"); break;
    case Eltwise::Function::kTan: simple("Tan"); break;
    case Eltwise::Function::kThresholdedRelu:
      SetFloat(simple("ThresholdedRelu"), "alpha", alpha);
      break;
  }
}

}  // namespace fourfold::onnx
