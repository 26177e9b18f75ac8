#include "server/onnx/export.h"

#include <limits>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "onnx/onnx.pb.h"
#include "server/base/status_macros.h"
#include "server/graph/contents.h"
#include "server/onnx/exporter.h"
#include "server/onnx/external_writer.h"
#include "server/onnx/opset_of.h"

namespace fourfold::onnx {
namespace {

// Of what the nodes of the graph and of the graphs inside of them read; each constant once.
size_t ConstantBytes(const graph::Graph& graph, std::set<const graph::Tensor*>& counted) {
  size_t bytes = 0;
  for (const graph::Node& node : graph.nodes) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const graph::Tensor* constant = graph.ConstantInput(node, i);
      if (constant != nullptr && counted.insert(constant).second) bytes += constant->bytes();
    }
    for (const auto& body : graph::Bodies(node.operation)) bytes += ConstantBytes(*body, counted);
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> Export(const graph::Graph& graph, const ExportOptions& options) {
  const int64_t version = OpsetOf(graph);
  const int64_t ir_version = version <= 14 ? 7 : version <= 18 ? 8 : version <= 20 ? 9 : 10;
  ::onnx::ModelProto model;
  model.set_ir_version(ir_version);
  model.set_producer_name("fourfold");
  ::onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(version);
  for (const auto& [key, value] : graph.metadata) {
    ::onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  std::optional<ExternalWriter> external;
  std::set<const graph::Tensor*> counted;
  if (options.append_data && ConstantBytes(graph, counted) > options.constant_bytes_max) {
    external.emplace(options);
  }
  RETURN_IF_ERROR(
      Exporter(graph, *model.mutable_graph(), version, external ? &*external : nullptr).Run());

  const size_t bytes = model.ByteSizeLong();
  if (bytes > size_t{std::numeric_limits<int32_t>::max()}) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the model has ", bytes, " bytes, an ONNX file holds less than 2 GiB"));
  }
  std::string file;
  if (!model.SerializeToString(&file)) return absl::InternalError("the model did not serialize");
  return file;
}

}  // namespace fourfold::onnx
