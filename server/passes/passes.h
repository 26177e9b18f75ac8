#pragma once

#include "absl/status/statusor.h"
#include "server/graph/graph.h"

namespace fourfold::passes {

// Each pass rewrites a valid graph into a valid graph that computes the same real function. They
// live in a file each; a pass that does not apply leaves the graph as it is.

// Q/DQ nodes with constant parameters become Value::quantization; DynamicQuantizeLinear +
// DequantizeLinear in front of a Conv or MatMul become its dynamic parameters; Cast of a float16
// constant vanishes (Conv and MatMul take float16 weights).
absl::Status AbsorbQuantization(graph::Graph& graph);

// Computes float16 and bfloat16 values as float32, with Casts where the caller feeds or reads them;
// float64 goes through float32 in operations that have no other kernels. An answer is then at least
// as exact as one rounded after each node.
absl::Status WidenFloats(graph::Graph& graph);

// Q/DQ nodes that are left (parameters that are computed, per slice of an activation, other types
// than 8 bits) become arithmetic on float32.
absl::Status ExpandQuantization(graph::Graph& graph);

// Identity nodes vanish.
absl::Status RemoveIdentity(graph::Graph& graph);

// A Transpose in front of an operation that works element by element or along dimensions (Eltwise,
// Binary with its like or a constant, Concat, Pad, Slice, Reduce, Quantize, Dequantize) moves
// behind it, and on to the next, until it meets its opposite or something that needs its order.
// Models that came from channels-last files have one on either side of each convolution.
absl::Status SinkTransposes(graph::Graph& graph);

// A Transpose behind a Transpose becomes one; one that moves nothing vanishes.
absl::Status CancelTransposes(graph::Graph& graph);

// An Einsum of one or two float operands becomes sums, transposes and a matrix product, unless it
// takes a diagonal, repeats a dimension of 1, or too many of its dimensions are unknown.
absl::Status LowerEinsum(graph::Graph& graph);

// Nodes with constant inputs become constants.
absl::Status FoldConstants(graph::Graph& graph);

// BatchNorm behind a Conv (or MatMul) with constant weights goes into weights and bias; any other
// becomes a multiplication and an addition, or, with computed parameters, arithmetic. Constant
// multiplications and additions per channel behind a Conv, and an addition behind a MatMul, go into
// weights and bias likewise (float weights only).
absl::Status FoldBatchNorm(graph::Graph& graph);

// A ConvTranspose with constant weights becomes a Conv that computes the phases of its output as
// channels, an interleaving of them, and a crop where the sizes ask for one; activations and
// BatchNorms behind it come before the interleaving, so that they go into the Conv. It stays as it
// is where sizes that this depends on are not known, or zeros would outweigh the weights.
absl::Status ExpandConvTranspose(graph::Graph& graph);

// Layer normalization that is written out (means, difference, square, root, division, and a
// constant scale and bias behind it) becomes one Normalization; Gelu written with Erf or Tanh one
// Eltwise.
absl::Status FuseNormalization(graph::Graph& graph);

absl::Status FuseActivations(graph::Graph& graph);  // into Conv, MatMul and Binary
absl::Status FuseResiduals(graph::Graph& graph);  // Add of a value and a Conv or MatMul, float only

// A Conv with windows that lie wholly in its padding (some converters pad 1x1 kernels) becomes a
// Pad and a Conv without padding: fast convolution kernels do not take such windows.
absl::Status SplitPadding(graph::Graph& graph);

// What recurrent layers leave behind: dimensions added and taken away again, states nobody reads.
absl::Status SimplifyRecurrent(graph::Graph& graph);

// The graph for batches of any size instead of one sample: exporters often fix a first dimension of
// 1 that means nothing. Not part of Optimize, since shapes alone do not tell whether samples stay
// apart: compare answers before using it. FAILED_PRECONDITION says what is in the way.
absl::StatusOr<graph::Graph> FreeBatch(const graph::Graph& graph);

// All of the above but FreeBatch in their order, dead nodes removed, shapes inferred, result
// validated.
struct OptimizeOptions {
  // Off for a graph that is to be quantized to int8: there an addition stays an operation of its
  // own, with a quantization of each operand, so that results are the same as other runtimes'.
  bool fuse_residuals = true;
};
absl::Status Optimize(graph::Graph& graph, const OptimizeOptions& options = {});

}  // namespace fourfold::passes
