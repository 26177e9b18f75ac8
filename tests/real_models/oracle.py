#!/usr/bin/env python3
"""Compares our answers with ONNX Runtime's: fp32 against the original model, and each downloaded
variant file run by both. Run it with ../integration/python_env.sh.

    oracle.py [--samples=N] [MODEL...]

fp32: equal within 1e-4 of the largest output of the sample.
fp16: equal within 1e-3 likewise, and the same class.
hybrid: activations are rounded to 8 bits again in every layer, so that a difference in the last bit of
a float may become a step, and spread. What the two runtimes differ by (root mean square) must be less
than half of what 8 bits cost in the first place, ONNX Runtime's hybrid.onnx against its fp32; or, in
nets so deep that rounding spreads further, at most twice what ONNX Runtime's own answers move by when
its inputs are scaled by 1 + 1e-6.
int8: in units of the quantization step of the output, at least 99% of the elements equal and none
further than one step. Behind the last quantized tensor a model may have float operations (Softmax);
there, an element's step is the largest change of the output when one of that tensor's leading
elements moves by one step.
Exit code 0, 1, or 77 (skipped) where the data is not beside the checkout.
"""

import argparse
import pathlib
import sys
import traceback

import numpy as np
import onnx
import onnxruntime

import models
from models import testbed

# Relative to the sample's largest absolute output. A float16 weight is off by at most 2^-11 of itself,
# but in both runtimes alike: what remains in both is the order of float sums.
BOUNDS = {"fp32": 1e-4, "fp16": 1e-3}
HYBRID_NOISE_SHARE_MAX = 0.5
HYBRID_OWN_NOISE_MAX = 2.0
EQUAL_SHARE_MIN = 0.99


def session(model):
    """ONNX Runtime on a file's bytes or a model, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def inputs_of(model, count):
    """`count` evaluation samples [1, ...] each. Pictures stand in as smooth random fields in the
    range of the model's preprocessing, so that no picture reader is part of the comparison."""
    info = session(model.path.read_bytes()).get_inputs()[0]
    shape = [1 if not isinstance(d, int) else d for d in info.shape]
    if not model.pictures:
        with np.load(models.DATA / "samples" / f"{model.name}.eval.npz") as arrays:
            data = arrays[info.name][:count]
        return info.name, [np.ascontiguousarray(x.reshape(shape), np.float32) for x in data]
    generator = np.random.default_rng(20261121)
    low, high = (-1.0, 1.0) if "--layout=nhwc" in model.options else (-110.0, 140.0)
    samples = []
    for _ in range(count):
        # Coarse noise, enlarged and added up over scales: the spectrum of a picture, roughly.
        size = shape[1] if "--layout=nhwc" in model.options else shape[2]
        field = np.zeros((size, size, 3))
        for cells in (3, 7, 19, 53):
            coarse = generator.uniform(-1, 1, (cells, cells, 3)) / np.sqrt(cells)
            index = np.arange(size) * cells // size
            field += coarse[index][:, index]
        field = (field - field.min()) / (field.max() - field.min()) * (high - low) + low
        field = field if "--layout=nhwc" in model.options else field.transpose(2, 0, 1)
        samples.append(np.ascontiguousarray(field.reshape(shape), np.float32))
    return info.name, samples


def ours(server, model, variant, name, samples):
    """Our server's answers, one call per sample."""
    folder = testbed.scratch_folder()
    answers = []
    for number, sample in enumerate(samples):
        np.save(folder / "in.npy", sample)
        out = folder / f"{number}.npz"
        server.cli("infer", f"{model.short}@{variant}", f"--input={name}={folder / 'in.npy'}",
                   f"--output={out}")
        with np.load(out) as arrays:
            answers.append({key: arrays[key] for key in arrays.files})
    return answers


def noise(answers, references):
    """Root mean square difference of all outputs of all samples."""
    return float(np.sqrt(np.mean([np.mean(np.square(a[k].astype(np.float64) - r[k]))
                                  for a, r in zip(answers, references) for k in r])))


class QuantizedTail:
    """The last DequantizeLinear before an output, and what a step of it is in the output."""

    def __init__(self, content, output):
        proto = onnx.load_from_string(content)
        producers = {name: node for node in proto.graph.node for name in node.output}
        constants = {c.name: onnx.numpy_helper.to_array(c) for c in proto.graph.initializer}
        for node in proto.graph.node:
            if node.op_type == "Constant":
                constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        name = output
        while producers[name].op_type != "DequantizeLinear":
            data = [i for i in producers[name].input if i in producers and i not in constants and
                    producers[i].op_type != "Constant"]
            if not data:
                raise AssertionError(f"no quantized tensor in front of output {output}")
            name = data[0]
        self.scale = float(np.max(constants[producers[name].input[1]]))
        self.direct = name == output
        if self.direct:
            return
        head = onnx.ModelProto()
        head.CopyFrom(proto)
        head.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
        self.head, self.name = session(head), name
        tail_nodes, wanted = [], {output}
        for node in reversed(proto.graph.node):
            if set(node.output) & wanted and name not in node.output:
                tail_nodes.insert(0, node)
                wanted |= set(node.input) - {name}
        used = {i for node in tail_nodes for i in node.input}
        graph = onnx.helper.make_graph(
            tail_nodes, "tail", [onnx.helper.make_tensor_value_info(name, 1, None)],
            [onnx.helper.make_tensor_value_info(output, 1, None)],
            [c for c in proto.graph.initializer if c.name in used])
        tail = onnx.helper.make_model(graph, opset_imports=proto.opset_import)
        tail.ir_version = proto.ir_version
        self.tail = session(tail)

    def step(self, feed):
        """How far each output element moves at most when one leading element moves by one step."""
        if self.direct:
            return self.scale
        (value,) = self.head.run([self.name], feed)
        (base,) = self.tail.run(None, {self.name: value})
        largest = np.zeros_like(base)
        for index in np.argsort(value.ravel())[::-1][:5]:
            for sign in (1, -1):
                moved = value.copy()
                moved.ravel()[index] += sign * self.scale
                largest = np.maximum(largest, np.abs(self.tail.run(None, {self.name: moved})[0] - base))
        return largest


def compare_float(variant, answers, references):
    """(worst relative difference, share of equal classes)."""
    worst, same = 0.0, 0
    for answer, reference in zip(answers, references):
        same += all(np.argmax(answer[k]) == np.argmax(reference[k]) for k in reference)
        for key, value in reference.items():
            if answer[key].shape != value.shape:
                raise AssertionError(f"{variant} {key}: shape {answer[key].shape}, ONNX Runtime's "
                                     f"{value.shape}")
            scale = max(float(np.max(np.abs(value))), 1e-6)
            worst = max(worst, float(np.max(np.abs(answer[key] - value))) / scale)
    return worst, same / len(answers)


def compare_int8(content, name, samples, answers, references):
    """(share of equal elements, largest difference in steps)."""
    tails = {key: QuantizedTail(content, key) for key in references[0]}
    equal = total = 0
    worst = 0.0
    for sample, answer, reference in zip(samples, answers, references):
        for key, value in reference.items():
            step = np.broadcast_to(tails[key].step({name: sample}), value.shape)
            difference = np.abs(answer[key].astype(np.float64) - value)
            # Float arithmetic behind the last step, and dequantization itself, round in float32.
            rounding = 1e-4 * np.abs(value) + 1e-7
            steps = np.where(difference <= rounding, 0.0, difference / np.maximum(step, 1e-12))
            equal += int(np.sum(steps < 0.01))
            total += value.size
            worst = max(worst, float(np.max(steps)))
    return equal / total, worst


def check(server, model, count):
    """Prints the figures of one model; the bounds that it misses."""
    folder = testbed.scratch_folder()
    server.cli("upload", model.path, f"--name={model.short}", "--wait",
               *models.sample_arguments(model, folder, full=False), timeout=1200)
    name, samples = inputs_of(model, count)
    offences, figures = [], []
    for variant in testbed.VARIANTS:
        path = pathlib.Path(folder) / f"{variant}.onnx"
        server.cli("download", f"{model.short}@{variant}", f"--output={path}")
        content = model.path.read_bytes() if variant == "fp32" else path.read_bytes()
        reference = session(content)
        keys = [o.name for o in reference.get_outputs()]
        references = [dict(zip(keys, reference.run(None, {name: x}))) for x in samples]
        answers = ours(server, model, variant, name, samples)
        if variant == "fp32":
            exact = references
        if variant == "hybrid":
            difference, cost = noise(answers, references), noise(references, exact)
            nudged = [dict(zip(keys, reference.run(None, {name: x * np.float32(1 + 1e-6)})))
                      for x in samples]
            own = noise(nudged, references)
            figures.append(f"hybrid {difference:.1e} (cost {cost:.1e}, own {own:.1e})")
            if difference > max(HYBRID_NOISE_SHARE_MAX * cost, HYBRID_OWN_NOISE_MAX * own):
                offences.append(f"{model.short} hybrid: differs by {difference:.2e} (root mean square); "
                                f"quantization costs {cost:.2e}, wanted less than half of that or "
                                f"twice ONNX Runtime's own {own:.2e}")
        elif variant == "int8":
            share, steps = compare_int8(content, name, samples, answers, references)
            figures.append(f"int8 {100 * share:.2f}% equal, worst {steps:.2f} steps")
            if share < EQUAL_SHARE_MIN or steps > 1.01:
                offences.append(f"{model.short} int8: {100 * share:.2f}% of the elements are equal "
                                f"(wanted 99), worst difference {steps:.2f} steps (wanted 1)")
        else:
            worst, same = compare_float(variant, answers, references)
            figures.append(f"{variant} {worst:.1e}")
            if worst > BOUNDS[variant] or same < 1:
                offences.append(f"{model.short} {variant}: relative difference {worst:.2e}, "
                                f"wanted {BOUNDS[variant]:.0e}; {100 * same:.0f}% same class")
    server.cli("delete", model.short)
    print(f"{model.short:14} {count} samples: {', '.join(figures)}", flush=True)
    return offences


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=16, metavar="N", help="samples a model")
    parser.add_argument("models", nargs="*", metavar="MODEL")
    arguments = parser.parse_args()
    chosen = models.chosen(arguments.models)
    models.require_data()
    offences = []
    with testbed.Server() as server:
        for model in chosen:
            try:
                offences += check(server, model, arguments.samples)
            except Exception as error:  # pylint: disable=broad-except  # the others still count
                traceback.print_exc()
                offences.append(f"{model.short}: {type(error).__name__}: {error}")
    for line in offences:
        print(f"FAILED {line}")
    print(f"{len(chosen)} models against ONNX Runtime {onnxruntime.__version__}, "
          f"{len(offences)} bounds missed")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
