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

}  // namespace

void ExportEltwise(Exporter& exporter, const graph::Node& node, const Eltwise& eltwise,
                   const std::string& x, const std::string& y) {
  const auto simple = [&](const char* op_type) -> ::onnx::NodeProto& {
    return exporter.AddNode(op_type, node.name, {x}, {y});
  };
  switch (eltwise.function) {
    case Eltwise::Function::kActivation:
      ExportActivation(exporter, node, node.name, eltwise.activation, x, y);
      break;
    case Eltwise::Function::kAbs: simple("Abs"); break;
    case Eltwise::Function::kCeil: simple("Ceil"); break;
    case Eltwise::Function::kErf: simple("Erf"); break;
    case Eltwise::Function::kExp: simple("Exp"); break;
    case Eltwise::Function::kFloor: simple("Floor"); break;
    case Eltwise::Function::kGelu: ExportGelu(exporter, node, x, y); break;
    case Eltwise::Function::kHardSigmoid: {
      ::onnx::NodeProto& proto = simple("HardSigmoid");
      SetFloat(proto, "alpha", eltwise.activation.alpha);
      SetFloat(proto, "beta", eltwise.activation.beta);
      break;
    }
    case Eltwise::Function::kLog: simple("Log"); break;
    case Eltwise::Function::kMish: ExportMish(exporter, node, x, y); break;
    case Eltwise::Function::kNeg: simple("Neg"); break;
    case Eltwise::Function::kReciprocal: simple("Reciprocal"); break;
    case Eltwise::Function::kRound: simple("Round"); break;
    case Eltwise::Function::kSign: simple("Sign"); break;
    case Eltwise::Function::kSoftplus: simple("Softplus"); break;
    case Eltwise::Function::kSoftsign: simple("Softsign"); break;
    case Eltwise::Function::kSqrt: simple("Sqrt"); break;
  }
}

}  // namespace fourfold::onnx
