#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/graph/einsum.h"
#include "server/passes/passes.h"

namespace fourfold::passes {

using graph::Graph;
using graph::kUnknownDim;
using graph::Node;
using graph::Shape;
using graph::ValueId;

namespace {

using Labels = std::vector<int>;

bool Has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

bool HasRepeats(Labels labels) {
  std::sort(labels.begin(), labels.end());
  return std::adjacent_find(labels.begin(), labels.end()) != labels.end();
}

// An operand on its way: a value whose dimensions carry these labels.
struct Operand {
  ValueId value;
  Labels labels;
  Shape shape;  // may have unknown dimensions
};

// The nodes that take the place of one Einsum.
class Rewrite {
 public:
  Rewrite(Graph& graph, const Node& einsum) : graph_(graph), einsum_(einsum) {}

  // Sums over the labels for which `away` holds.
  template <typename Predicate>
  void Sum(Operand& operand, const Predicate& away) {
    std::vector<int64_t> axes;
    Operand rest{operand.value, {}, {}};
    for (size_t d = 0; d < operand.labels.size(); ++d) {
      if (away(operand.labels[d])) {
        axes.push_back(static_cast<int64_t>(d));
      } else {
        rest.labels.push_back(operand.labels[d]);
        rest.shape.push_back(operand.shape[d]);
      }
    }
    if (axes.empty()) return;
    graph::Reduce sum;
    sum.operation = graph::Reduce::Operation::kSum;
    sum.axes = axes;
    sum.keep_dims = false;
    rest.value = Add("sum", sum, {operand.value}, rest.shape);
    operand = std::move(rest);
  }

  // Brings the dimensions into the order of `labels`, which are the same.
  void Order(Operand& operand, const Labels& labels) {
    std::vector<int64_t> permutation;
    Shape shape;
    for (int label : labels) {
      const auto at = std::find(operand.labels.begin(), operand.labels.end(), label);
      permutation.push_back(at - operand.labels.begin());
      shape.push_back(operand.shape[static_cast<size_t>(permutation.back())]);
    }
    if (std::is_sorted(permutation.begin(), permutation.end())) return;
    operand.value = Add("transpose", graph::Transpose{permutation}, {operand.value}, shape);
    operand.labels = labels;
    operand.shape = std::move(shape);
  }

  // Gives the operand another shape of as many elements; at most one dimension is unknown.
  void Reshape(Operand& operand, const Shape& shape) {
    if (shape == operand.shape) return;
    const ValueId dims = graph_.AddConstant(
        Name("shape"),
        graph::Tensor::Of(graph::DataType::kInt64, {static_cast<int64_t>(shape.size())}, shape));
    operand.value = Add("reshape", graph::Reshape{}, {operand.value, dims}, shape);
    operand.shape = shape;
  }

  ValueId Add(const char* suffix, graph::Operation operation, std::vector<ValueId> inputs,
              const Shape& shape) {
    graph::Value value;
    value.name = Name(suffix);
    value.type = graph_.value(einsum_.inputs[0]).type;
    value.shape = shape;
    const ValueId result = graph_.AddValue(std::move(value));
    nodes_.push_back({Name(suffix), std::move(operation), std::move(inputs), {result}});
    return result;
  }

  // The nodes, the last of which writes what the Einsum wrote.
  std::vector<Node> Finish(const Operand& result) {
    if (nodes_.empty() || nodes_.back().outputs[0] != result.value) {
      Add("result", graph::Identity{}, {result.value}, result.shape);
    }
    nodes_.back().outputs = einsum_.outputs;
    nodes_.back().name = einsum_.name;
    return std::move(nodes_);
  }

 private:
  std::string Name(const char* suffix) {
    return absl::StrCat(einsum_.name, "_", suffix, "_", ++count_);
  }

  Graph& graph_;
  const Node& einsum_;
  std::vector<Node> nodes_;
  int count_ = 0;
};

// The product of some dimensions; kUnknownDim if one is.
int64_t Product(const std::map<int, int64_t>& dims, const Labels& labels) {
  int64_t product = 1;
  for (int label : labels) {
    if (dims.at(label) == kUnknownDim) return kUnknownDim;
    product *= dims.at(label);
  }
  return product;
}

int Unknown(const Shape& shape) {
  return static_cast<int>(std::count(shape.begin(), shape.end(), kUnknownDim));
}

Labels Joined(const Labels& a, const Labels& b, const Labels& c) {
  Labels all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), c.begin(), c.end());
  return all;
}

// How the labels of two operands take part in a matrix product.
struct Roles {
  Labels batch;  // in both and in the result
  Labels lhs;    // in the first and in the result
  Labels rhs;
  Labels inner;  // in both, summed
};

Shape Dims(const std::map<int, int64_t>& dims, const Labels& labels) {
  Shape shape;
  for (int label : labels) shape.push_back(dims.at(label));
  return shape;
}

// [batch..., rows, columns] of an operand whose dimensions are batch, rows and columns in order;
// nothing where too many dimensions are unknown for a Reshape to say it.
std::optional<Shape> MatrixShape(const std::map<int, int64_t>& dims, const Labels& batch,
                                 const Labels& rows, const Labels& columns) {
  Shape shape = Dims(dims, batch);
  shape.push_back(Product(dims, rows));
  shape.push_back(Product(dims, columns));
  const bool same = rows.size() == 1 && columns.size() == 1;
  if (!same && Unknown(shape) > 1) return std::nullopt;
  return shape;
}

std::optional<std::vector<Node>> RewriteProduct(Graph& graph, const Node& node, Operand lhs,
                                                Operand rhs, const Labels& result) {
  Rewrite rewrite(graph, node);
  const Labels own = lhs.labels, other = rhs.labels;
  rewrite.Sum(lhs, [&](int label) { return !Has(other, label) && !Has(result, label); });
  rewrite.Sum(rhs, [&](int label) { return !Has(own, label) && !Has(result, label); });
  std::map<int, int64_t> dims;
  for (const Operand* operand : {&lhs, &rhs}) {
    for (size_t d = 0; d < operand->labels.size(); ++d) {
      const auto [dim, fresh] = dims.emplace(operand->labels[d], operand->shape[d]);
      // A dimension of 1 that is repeated, or one that may be, is left to Einsum itself.
      if (!fresh && dim->second != operand->shape[d]) return std::nullopt;
    }
  }
  Roles roles;
  for (int label : result) {
    const bool left = Has(lhs.labels, label), right = Has(rhs.labels, label);
    (left && right ? roles.batch : left ? roles.lhs : roles.rhs).push_back(label);
  }
  for (int label : lhs.labels) {
    if (!Has(result, label)) roles.inner.push_back(label);
  }
  // A product can take its operands transposed.
  const auto flipped = [&](const Operand& operand, const Labels& rows, const Labels& columns) {
    return operand.labels == Joined(roles.batch, columns, rows) && !rows.empty() &&
           !columns.empty();
  };
  graph::MatMul matmul;
  matmul.transpose_lhs = flipped(lhs, roles.lhs, roles.inner);
  matmul.transpose_rhs = flipped(rhs, roles.inner, roles.rhs);
  Labels lhs_rows = roles.lhs, lhs_columns = roles.inner;
  Labels rhs_rows = roles.inner, rhs_columns = roles.rhs;
  if (matmul.transpose_lhs) std::swap(lhs_rows, lhs_columns);
  if (matmul.transpose_rhs) std::swap(rhs_rows, rhs_columns);
  const auto left = MatrixShape(dims, roles.batch, lhs_rows, lhs_columns);
  const auto right = MatrixShape(dims, roles.batch, rhs_rows, rhs_columns);
  const Labels product = Joined(roles.batch, roles.lhs, roles.rhs);
  const Shape full = Dims(dims, product);
  const bool whole = roles.lhs.size() == 1 && roles.rhs.size() == 1;
  if (!left || !right || (!whole && Unknown(full) > 1)) return std::nullopt;
  rewrite.Order(lhs, Joined(roles.batch, lhs_rows, lhs_columns));
  rewrite.Order(rhs, Joined(roles.batch, rhs_rows, rhs_columns));
  rewrite.Reshape(lhs, *left);
  rewrite.Reshape(rhs, *right);
  Shape matrices = Dims(dims, roles.batch);
  matrices.push_back(Product(dims, roles.lhs));
  matrices.push_back(Product(dims, roles.rhs));
  Operand sum{rewrite.Add("product", matmul, {lhs.value, rhs.value}, matrices), product, matrices};
  rewrite.Reshape(sum, full);
  rewrite.Order(sum, result);
  return rewrite.Finish(sum);
}

// The nodes that compute the same; nothing where Einsum has to stay.
std::optional<std::vector<Node>> RewriteEinsum(Graph& graph, const Node& node) {
  const auto* einsum = node.as<graph::Einsum>();
  if (einsum == nullptr || node.inputs.size() > 2) return std::nullopt;
  std::vector<size_t> ranks;
  std::vector<Operand> operands;
  for (ValueId id : node.inputs) {
    const graph::Value& value = graph.value(id);
    if (!value.shape || value.type != graph::DataType::kFloat32 || value.quantization) {
      return std::nullopt;
    }
    // To Reshape, 0 means something else.
    if (std::count(value.shape->begin(), value.shape->end(), 0) != 0) return std::nullopt;
    ranks.push_back(value.shape->size());
    operands.push_back({id, {}, *value.shape});
  }
  const auto labels = graph::ParseEinsum(einsum->equation, ranks);
  if (!labels.ok()) return std::nullopt;
  for (size_t i = 0; i < operands.size(); ++i) {
    operands[i].labels = labels->operands[i];
    if (HasRepeats(operands[i].labels)) return std::nullopt;
  }
  if (operands.size() == 2) {
    return RewriteProduct(graph, node, operands[0], operands[1], labels->result);
  }
  Rewrite rewrite(graph, node);
  rewrite.Sum(operands[0], [&](int label) { return !Has(labels->result, label); });
  rewrite.Order(operands[0], labels->result);
  return rewrite.Finish(operands[0]);
}

}  // namespace

absl::Status LowerEinsum(Graph& graph) {
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    std::optional<std::vector<Node>> rewritten = RewriteEinsum(graph, node);
    if (!rewritten) {
      nodes.push_back(std::move(node));
      continue;
    }
    std::move(rewritten->begin(), rewritten->end(), std::back_inserter(nodes));
  }
  graph.nodes = std::move(nodes);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
