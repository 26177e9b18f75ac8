#!/usr/bin/env python3
"""Compares our answers to TensorFlow Lite files with those of LiteRT, its runtime, on the same bytes of
input. Run it with ../integration/python_env.sh and FOURFOLD_REQUIREMENTS=requirements-tflite.txt.

    tflite.py [--samples=N] [--layer-samples=N] [MODEL...]

MODEL is a part of a name; without it, all. LiteRT has three engines of its own: `default` (XNNPACK, what
its users get), `builtin` (its optimised kernels) and `reference` (plain loops). They round differently,
and so do we (server/tflite/import.h). One table says how far we are from one of them, the reference for
float files and the default for others, and how far the other two are from it ("its own"):

    difference   float outputs: the largest difference, relative to the sample's largest output
    within 1     8-bit outputs: share of the elements that are equal or one step apart
    equal        8-bit outputs: share of the elements that are equal
    same class   share of the samples with the same largest element; where 8-bit outputs have several
                 largest elements, each of them counts
    top-1        where samples have labels: ours and LiteRT's
    layers       8-bit files: each operator by itself on the reference engine's inputs of it; share of
                 equal elements, and the largest difference from the reference engine in steps

Bounds. Each operator of an 8-bit file gives the reference's integers or their neighbours. Float files
differ by at most 1e-5, 8-bit files have 99% of their elements within a step and the same class in 99.5%
of the samples; or, where a net is so deep, or its Softmax so steep, that LiteRT's own engines are
further apart from each other than that, we are no further away than they are.
Dynamic-range files: within 0.05 of the default engine, and the same class in 98%: each layer rounds its
floats to 8 bits anew. (The reference quantizes them symmetrically, we and the default engine do not.)
Exit code 0, 1, or 77 (skipped) where the data is not beside the checkout.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import sys
import tempfile

import flatbuffers
import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

import models
from models import testbed

FLOAT_MAX = 1e-5
WITHIN_ONE_MIN = 0.99
SAME_CLASS_MIN = 0.995
DYNAMIC_MAX, DYNAMIC_SAME_CLASS_MIN = 0.05, 0.98
LAYER_STEPS_MAX = 1

ENGINES = {"default": litert.OpResolverType.AUTO,
           "builtin": litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
           "reference": litert.OpResolverType.BUILTIN_REF}


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    samples: str  # a file of samples/, "pictures SIDE CROP", or "noise"
    labels: str = ""  # of pictures
    scale: float = 1.0  # of arrays
    mean: float = 0.0  # of pictures: (pixel - mean) / std
    std: float = 1.0
    dynamic: bool = False


CASES = [
    Case("mobilenet_v1_0_25_128", "pictures 146 128", "labels_1001.csv", mean=127.5, std=127.5),
    Case("pretrainedResnet", "cifar10_resnet8"),
    Case("vww_96_float", "pictures 96 96", std=255.0),
    Case("ad01_fp32", "noise"),
    Case("mnist_lstm", "mnist_lstm"),
    Case("tum_MNIST_model", "mnist_cnn_cntk", scale=1 / 255),
    Case("kws_ref_model_float32", "kws_dscnn", dynamic=True),
    Case("pretrainedResnet_quant", "cifar10_resnet8"),
    Case("vww_96_int8", "pictures 96 96", std=255.0),
    Case("ad01_int8", "noise"),
    Case("kws_ref_model", "kws_dscnn"),
    Case("mobilenet_v1_0.25_128_quant", "pictures 146 128", "labels_1001.csv", mean=127.5,
         std=127.5),
]


def picture(path, side, crop, case):
    """[crop, crop, 3]: the shorter side scaled to `side`, the square in the middle."""
    image = Image.open(path).convert("RGB")
    factor = side / min(image.size)
    image = image.resize([max(crop, round(n * factor)) for n in image.size], Image.BILINEAR)
    left, top = ((n - crop) // 2 for n in image.size)
    pixels = np.asarray(image.crop((left, top, left + crop, top + crop)), np.float32)
    return (pixels - case.mean) / case.std


def real_inputs(case, shape, count):
    """(samples as real numbers [n, *shape[1:]], labels or None)."""
    if case.samples == "noise":
        generator = np.random.default_rng(20261121)
        return generator.normal(-50, 15, (count, *shape[1:])).astype(np.float32), None
    if case.samples.startswith("pictures"):
        side, crop = map(int, case.samples.split()[1:])
        labels = models.DATA / "imagenet" / (case.labels or "labels.csv")
        with labels.open(newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: row["file"])[:count]
        data = np.stack([picture(models.DATA / "imagenet/eval" / row["file"], side, crop, case)
                         for row in rows])
        return data, np.array([int(row["class"]) for row in rows]) if case.labels else None
    with np.load(models.DATA / "samples" / f"{case.samples}.eval.npz") as arrays:
        data = next(arrays[k] for k in arrays.files if k != "labels")[:count] * case.scale
        labels = arrays["labels"][:count]
    if data.ndim == 4:
        data = data.transpose(0, 2, 3, 1)
    return data.reshape(-1, *shape[1:]).astype(np.float32), labels


def stored(real, detail):
    """Real numbers as the tensor stores them."""
    scale, zero_point = detail["quantization"]
    if detail["dtype"] == np.float32:
        return real
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(real / scale) + zero_point, limits.min, limits.max).astype(
        detail["dtype"])


def interpreter_of(engine, **model):
    made = litert.Interpreter(num_threads=1, experimental_op_resolver_type=ENGINES[engine],
                              experimental_preserve_all_tensors=engine == "reference", **model)
    made.allocate_tensors()
    return made


def litert_outputs(interpreter, samples):
    """LiteRT's answers to one sample after another, each from a state of zeros."""
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    results = []
    for sample in samples:
        interpreter.reset_all_variables()
        interpreter.set_tensor(source, sample[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(target)[0].copy())
    return np.stack(results)


def our_outputs(path, samples, like):
    """Our answers in the form of LiteRT's. `samples`: the bytes of one sample after another."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "in"), pathlib.Path(folder, "out")
        source.write_bytes(samples)
        done = testbed.run(testbed.program("run_model"), path, source, target, timeout=600)
        if done.returncode:
            raise AssertionError(done.stderr.strip()[-2000:])
        described = json.loads(done.stdout)["outputs"][0]
        if described["type"] != like.dtype.name:
            raise AssertionError(f"our output is {described['type']}, LiteRT's {like.dtype.name}")
        return np.frombuffer(target.read_bytes(), like.dtype).reshape(like.shape)


def same_class(ours, theirs):
    """Share of samples where our largest element is one of their largest."""
    best = theirs == theirs.max(axis=1, keepdims=True)
    return float(best[np.arange(len(ours)), ours.argmax(axis=1)].mean())


def relative(ours, theirs):
    scale = np.abs(theirs).max(axis=1)
    return float((np.abs(ours - theirs).max(axis=1) / scale).max())


def single_operators(path):
    """(bytes of a model, tensors of its inputs, tensor of its output) for each operator of the file."""
    original = path.read_bytes()
    count = len(schema.ModelT.InitFromPackedBuf(original, 0).subgraphs[0].operators)
    for i in range(count):
        model = schema.ModelT.InitFromPackedBuf(original, 0)
        graph = model.subgraphs[0]
        operator = graph.operators[i]
        graph.operators = [operator]
        graph.inputs = [t for t in dict.fromkeys(operator.inputs)
                        if t >= 0 and model.buffers[graph.tensors[t].buffer].data is None]
        graph.outputs = operator.outputs
        model.signatureDefs = None
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        yield bytes(builder.Output()), graph.inputs, operator.outputs[0]


def check_layers(path, interpreter, samples):
    """(share of equal elements, largest difference in steps) over all operators, each fed with what the
    reference engine fed it with."""
    source = interpreter.get_input_details()[0]["index"]
    operators = list(single_operators(path))
    fed, wanted = [[] for _ in operators], [[] for _ in operators]
    for sample in samples:
        interpreter.set_tensor(source, sample[None])
        interpreter.invoke()
        for i, (_, inputs, output) in enumerate(operators):
            fed[i] += [interpreter.get_tensor(t).tobytes() for t in inputs]
            wanted[i].append(interpreter.get_tensor(output).copy())
    equal = elements = most = 0
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder, "operator.tflite")
        for (content, _, _), inputs, outputs in zip(operators, fed, wanted):
            model.write_bytes(content)
            theirs = np.stack(outputs)
            steps = np.abs(our_outputs(model, b"".join(inputs), theirs).astype(int) - theirs)
            equal, elements = equal + int((steps == 0).sum()), elements + steps.size
            most = max(most, int(steps.max()))
    return equal / elements, most


def compare(ours, theirs):
    """How far two engines' answers are apart: the columns of the table."""
    ours, theirs = (x.reshape(len(x), -1) for x in (ours, theirs))
    result = {"same class": same_class(ours, theirs)}
    if theirs.dtype == np.float32:
        return {**result, "difference": relative(ours, theirs)}
    steps = np.abs(ours.astype(int) - theirs)
    return {**result, "within 1": float((steps <= 1).mean()), "equal": float((steps == 0).mean())}


def furthest(comparisons):
    """The worst of each figure."""
    return {key: (max if key == "difference" else min)(c[key] for c in comparisons)
            for key in comparisons[0]}


def check(case, arguments):
    """A row of the table, and what is out of bounds."""
    path = models.DATA / "models/tflite" / f"{case.name}.tflite"
    interpreters = {engine: interpreter_of(engine, model_path=str(path)) for engine in ENGINES}
    detail = interpreters["default"].get_input_details()[0]
    real, labels = real_inputs(case, detail["shape"], arguments.samples)
    samples = np.ascontiguousarray(stored(real, detail))
    theirs = {engine: litert_outputs(i, samples) for engine, i in interpreters.items()}
    is_float = detail["dtype"] == np.float32 and not case.dynamic
    oracle = theirs.pop("reference" if is_float else "default")
    ours = our_outputs(path, samples.tobytes(), oracle)

    row = {"model": case.name, "samples": len(samples)}
    got = row["got"] = compare(ours, oracle)
    own = row["own"] = furthest([compare(other, oracle) for other in theirs.values()])
    problems = []

    def expect(holds, words):
        if not holds:
            problems.append(f"{case.name}: {words}")

    if case.dynamic:
        expect(got["difference"] <= DYNAMIC_MAX, f"difference {got['difference']:.2g}")
        expect(got["same class"] >= DYNAMIC_SAME_CLASS_MIN, f"same class {got['same class']:.4f}")
    elif is_float:
        expect(got["difference"] <= max(FLOAT_MAX, own["difference"]),
               f"difference {got['difference']:.2g}, LiteRT's own {own['difference']:.2g}")
    else:
        for key, bound in (("within 1", WITHIN_ONE_MIN), ("same class", SAME_CLASS_MIN)):
            expect(got[key] >= min(bound, own[key]), f"{key} {got[key]:.4f}, own {own[key]:.4f}")
        row["layers"] = check_layers(path, interpreters["reference"],
                                     samples[:arguments.layer_samples])
        expect(row["layers"][1] <= LAYER_STEPS_MAX, f"a layer {row['layers'][1]} steps off")
    if labels is not None:
        row["top-1"] = tuple(float((x.reshape(len(x), -1).argmax(axis=1) == labels).mean())
                             for x in (ours, oracle))
    return row, problems


HEAD = ["model", "samples", "difference", "its own", "within 1", "its own", "equal", "its own",
        "same class", "its own", "top-1", "LiteRT", "layers equal", "most"]


def cells(row):
    def pair(key, form):
        return [format(row[which][key], form) if key in row[which] else "-"
                for which in ("got", "own")]
    top1 = [format(x, ".4f") for x in row.get("top-1", ())] or ["-", "-"]
    layers = [format(row["layers"][0], ".4f"), str(row["layers"][1])] if "layers" in row else ["-", "-"]
    return [row["model"], str(row["samples"]), *pair("difference", ".1e"), *pair("within 1", ".4f"),
            *pair("equal", ".4f"), *pair("same class", ".4f"), *top1, *layers]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--layer-samples", type=int, default=10)
    arguments = parser.parse_args()
    if not (models.DATA / "models/tflite").is_dir():
        testbed.skip("no models/tflite in the data beside the checkout (FOURFOLD_SHARED_DATA)")
    rows = [HEAD]
    problems = []
    for case in CASES:
        if arguments.models and not any(part in case.name for part in arguments.models):
            continue
        try:
            row, found = check(case, arguments)
            rows.append(cells(row))
            problems += found
        except AssertionError as error:
            problems.append(f"{case.name}: {error}")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
