#pragma once

#include "absl/strings/str_cat.h"
#include "server/onnx/exporter.h"

namespace fourfold::onnx {

// The operations that export_operations.cc leaves to files of their own: one overload each.

inline absl::Status Inexpressible(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("no opset has ", what));
}

void SetWindow(::onnx::NodeProto& node, const graph::Window& window);

template <typename Op>
absl::Status ExportOf(Exporter&, const graph::Node& node, const Op&) {
  return Inexpressible(graph::OperationName(node.operation));
}

// export_arithmetic.cc
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::ArgReduce& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Compare& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::CumSum& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Det& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Dft& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Einsum& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::EyeLike& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Hardmax& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::MelWeights& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::NegativeLogLikelihood& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::PRelu& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Range& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Softmax& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Stft& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Where& op);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::WindowFunction& op);

// export_image.cc
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::ConvTranspose& conv);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::GridSample& sample);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::LocalResponseNorm& norm);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::LpNormalization& norm);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::MaxRoiPool& pool);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::MaxUnpool& unpool);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::NonMaxSuppression& select);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Normalization& norm);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Pool& pool);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::Resize& resize);
absl::Status ExportOf(Exporter& e, const graph::Node& node, const graph::RoiAlign& align);

}  // namespace fourfold::onnx
