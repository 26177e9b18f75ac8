#pragma once

#include "absl/status/status.h"
#include "server/onnx/exporter.h"

namespace fourfold::onnx {

// Operations that select, rearrange and repeat elements, for ExportOperation.

absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::Col2Im& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::Compress& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node,
                            const graph::DepthToSpace& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node,
                            const graph::GatherElements& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::GatherNd& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::NonZero& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::OneHot& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::Pad& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node,
                            const graph::ReverseSequence& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node,
                            const graph::ScatterElements& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node,
                            const graph::ScatterNd& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::SizeOf& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node,
                            const graph::SpaceToDepth& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::Tile& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::TopK& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::Trilu& op);
absl::Status ExportMovement(Exporter& exporter, const graph::Node& node, const graph::Unique& op);

}  // namespace fourfold::onnx
