#include "server/onnx/sort_nodes.h"

#include <functional>
#include <queue>
#include <string>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "server/onnx/names.h"
#include "server/onnx/reads.h"

namespace fourfold::onnx {

absl::StatusOr<std::vector<int>> SortNodes(const ::onnx::GraphProto& graph) {
  const int count = graph.node_size();
  std::unordered_map<std::string, int> producers;
  for (int i = 0; i < count; ++i) {
    for (const std::string& output : graph.node(i).output()) {
      if (output.empty()) continue;
      if (const auto [other, fresh] = producers.try_emplace(output, i); !fresh) {
        return absl::InvalidArgumentError(absl::StrCat("two nodes write ", Quoted(output), ": a ",
                                                       Quoted(graph.node(other->second).op_type()),
                                                       " and a ", Quoted(graph.node(i).op_type())));
      }
    }
  }

  std::vector<int> waiting(static_cast<size_t>(count), 0);  // inputs whose producer is not placed
  std::vector<std::vector<int>> consumers(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    ForEachRead(graph.node(i), [&](const std::string& input) {
      const auto producer = producers.find(input);
      if (producer == producers.end()) return;
      consumers[static_cast<size_t>(producer->second)].push_back(i);
      ++waiting[static_cast<size_t>(i)];
    });
  }

  std::priority_queue<int, std::vector<int>, std::greater<>> ready;  // lowest index first
  for (int i = 0; i < count; ++i) {
    if (waiting[static_cast<size_t>(i)] == 0) ready.push(i);
  }
  std::vector<int> order;
  while (!ready.empty()) {
    const int node = ready.top();
    ready.pop();
    order.push_back(node);
    for (int consumer : consumers[static_cast<size_t>(node)]) {
      if (--waiting[static_cast<size_t>(consumer)] == 0) ready.push(consumer);
    }
  }
  if (order.size() == static_cast<size_t>(count)) return order;
  for (int i = 0; i < count; ++i) {
    if (waiting[static_cast<size_t>(i)] == 0) continue;
    const ::onnx::NodeProto& node = graph.node(i);
    return absl::InvalidArgumentError(absl::StrCat("the nodes form a cycle at node ",
                                                   Quoted(node.name()), " (", node.op_type(), ")"));
  }
  return absl::InternalError("nodes were lost while sorting");
}

}  // namespace fourfold::onnx
