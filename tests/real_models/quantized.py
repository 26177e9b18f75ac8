#!/usr/bin/env python3
"""Models that somebody else quantized, served as they are: our answers against ONNX Runtime's on the
same file and the same samples, and our int8 against the float32 function that it approximates.
Run it with ../integration/python_env.sh and requirements-quantized.txt.

    quantized.py [--samples=N] [--seconds=S] [MODEL...]

Of each file in models/quantized: answers with the same class (top-1, at least 99.9% of the samples),
elements equal in the last quantized tensor that a product made, which both runtimes are given as a
further output (at least 99%), the share of multiply-accumulates that ran in int8 (at least 95%), and the
speed-up over the dequantized fp32 variant, timed in turn in one loop (above 1). The file of float16 is
held to its classes alone, the one without classes to its signal-to-noise ratio (30 dB).
Exit code 0, 1, or 77 (skipped) where the data is not beside the checkout.
"""

import argparse
import csv
import dataclasses
import json
import subprocess
import sys
import traceback
import typing

import grpc
import numpy as np
import onnx
import onnxruntime
from PIL import Image

import models
from models import testbed

import grpc_stubs  # noqa: E402  # beside the testbed, on whose path models put it

INT8_MACS_MIN = 0.95
SQNR_MIN_DB = 30.0
DATATYPES = {np.dtype(np.float32): "FP32", np.dtype(np.uint8): "UINT8", np.dtype(np.int8): "INT8"}
DTYPES = {name: dtype for dtype, name in DATATYPES.items()}


def from_npz(name, key, arrange):
    def read(count):
        with np.load(models.DATA / "samples" / f"{name}.eval.npz") as arrays:
            return arrange(arrays[key][:count]).astype(np.float32), arrays["labels"][:count]
    return read


def from_pictures(resize, crop, mean, std, labels, arrange=lambda x: x):
    """Evaluation pictures in order of file names: short side resized, the middle cropped."""
    def read(count):
        with (models.DATA / "imagenet" / labels).open(newline="") as file:
            classes = {row["file"]: int(row["class"]) for row in csv.DictReader(file)}
        names = sorted(classes)[:count]
        samples = []
        for name in names:
            picture = Image.open(models.DATA / "imagenet/eval" / name).convert("RGB")
            factor = resize / min(picture.size)
            picture = picture.resize([max(crop, round(side * factor)) for side in picture.size],
                                     Image.Resampling.BILINEAR)
            left, top = [(side - crop) // 2 for side in picture.size]
            pixels = np.asarray(picture.crop((left, top, left + crop, top + crop)), np.float32)
            samples.append((pixels - mean) / std)
        return arrange(np.stack(samples)), np.array([classes[name] for name in names])
    return read


def from_noise(shape, mean, deviation):
    def read(count):
        generator = np.random.default_rng(20261121)
        return generator.normal(mean, deviation, (count, *shape)).astype(np.float32), None
    return read


@dataclasses.dataclass(frozen=True)
class Case:
    file: str
    short: str
    samples: typing.Callable
    int8: bool = True  # else float16
    classes: bool = True  # its largest output is an answer
    labelled: bool = True  # the samples' labels are its classes
    # Bounds that are known to be missed, with what is reached instead; README.md says why.
    same_class_min: float = 0.999
    equal_min: float = 0.99
    speedup_min: float = 1.0

    @property
    def path(self):
        return models.DATA / "models/quantized" / f"{self.file}.onnx"


def mnist(x):
    return (x / 255 - 0.1307) / 0.3081


CASES = [
    Case("cifar10_resnet8_qdq_int8", "resnet8",
         from_npz("cifar10_resnet8", "input_1", lambda x: x.transpose(0, 2, 3, 1)),
         equal_min=0.975),
    Case("kws_dscnn_qdq_int8", "kws_dscnn",
         from_npz("kws_dscnn", "input", lambda x: x.reshape(len(x), -1))),
    Case("vww_mobilenetv1_qdq_int8", "vww",
         from_pictures(96, 96, 0, 255, "labels.csv", lambda x: x.transpose(0, 3, 1, 2)),
         labelled=False),
    Case("toycar_autoencoder_qdq_int8", "toycar", from_noise((640,), -50, 15), classes=False),
    Case("imagenet_mobilenet_v1_0.25_128_QAT_qdq_uint8", "mobilenet_v1_qat",
         from_pictures(146, 128, 127.5, 127.5, "labels_1001.csv"), speedup_min=0.7),
    Case("imagenet_mobilenet_v2_1.0_224_QAT_qdq_uint8", "mobilenet_v2_qat",
         from_pictures(256, 224, 127.5, 127.5, "labels_1001.csv")),
    Case("imagenet_mobilenet_v2_1.0_224_PTQ_qdq_int8_perchannel", "mobilenet_v2_ptq",
         from_pictures(256, 224, 127.5, 127.5, "labels_1001.csv"), same_class_min=0.985),
    Case("mnist_tiny_int8", "mnist_int8", from_npz("mnist_cnn_cntk", "Input3", mnist),
         speedup_min=0.6),
    Case("mnist_tiny_fp16", "mnist_fp16", from_npz("mnist_cnn_cntk", "Input3", mnist), int8=False),
]


def with_quantized_output(model):
    """The model with the last quantized tensor that a product made as a further output, and its name."""
    producers = {name: node for node in model.graph.node for name in node.output}
    name = model.graph.output[0].name
    while True:
        node = producers[name]
        made = node.op_type.startswith("Q")  # QuantizeLinear, QLinearConv, QGemm
        if made and producers[node.input[0]].op_type != "Softmax":
            break
        name = node.input[0]
    constants = {c.name: c.data_type for c in model.graph.initializer}
    zero_points = [constants[i] for i in node.input
                   if constants.get(i) in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)]
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    exposed.graph.output.append(onnx.helper.make_tensor_value_info(name, zero_points[-1], None))
    return exposed, name


def reference_answers(content, samples):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return name, [session.run(None, {name: x[np.newaxis]}) for x in samples]


def our_answers(server, model, name, samples, outputs):
    channel = grpc.insecure_channel(server.grpc)
    stub = grpc_stubs.inference_grpc.GRPCInferenceServiceStub(channel)
    answers = []
    for x in samples:
        request = grpc_stubs.inference.ModelInferRequest(model_name=model)
        tensor = request.inputs.add(name=name, datatype="FP32")
        tensor.shape.extend((1, *x.shape))
        request.raw_input_contents.append(np.ascontiguousarray(x).tobytes())
        response = stub.ModelInfer(request, timeout=60)
        by_name = {output.name: np.frombuffer(raw, DTYPES[output.datatype]).reshape(output.shape)
                   for output, raw in zip(response.outputs, response.raw_output_contents)}
        answers.append([by_name[output] for output in outputs])
    channel.close()
    return answers


def bench(folder, variant, seconds):
    """(speed-up over fp32.onnx, share of multiply-accumulates in int8), both files in one run."""
    done = subprocess.run(
        [testbed.program("fourfold-bench"), folder / "fp32.onnx", folder / f"{variant}.onnx",
         f"--seconds={seconds}", "--format=json"], check=True, capture_output=True, text=True,
        timeout=600)
    measured = json.loads(done.stdout)["models"][1]
    return measured["speedup"], measured["int8_macs"]


def sqnr(answers, references):
    signal = sum(float(np.sum(np.square(r.astype(np.float64)))) for r in references)
    noise = sum(float(np.sum(np.square(a.astype(np.float64) - r))) for a, r in zip(answers, references))
    return 10 * np.log10(signal / noise) if noise else float("inf")


def check(server, case, count, seconds):
    """Prints the case's row; the bounds that it misses."""
    model = onnx.load(case.path)
    samples, labels = case.samples(count)
    exposed, quantized = with_quantized_output(model) if case.int8 else (model, None)
    content = exposed.SerializeToString()
    outputs = [o.name for o in exposed.graph.output]
    name, references = reference_answers(content, samples)

    folder = testbed.scratch_folder()
    (folder / "model.onnx").write_bytes(content)
    variant = "int8" if case.int8 else "fp32"
    server.cli("upload", folder / "model.onnx", f"--name={case.short}", "--wait",
               f"--variants={variant}", timeout=1200)
    answers = our_answers(server, f"{case.short}@{variant}", name, samples, outputs)
    subprocess.run([testbed.program("fourfold-quantize"), case.path, f"--out={folder}",
                    f"--variants={variant}", "--measure_seconds=0.05"], check=True,
                   stdout=subprocess.DEVNULL, timeout=1200)

    offences, row = [], [f"{case.short:17}", f"{len(samples):4}"]
    ours, theirs = [a[0] for a in answers], [r[0] for r in references]
    if case.classes:
        same = float(np.mean([np.argmax(a) == np.argmax(r) for a, r in zip(ours, theirs)]))
        row.append(f"{100 * same:7.2f}%")
        if same < case.same_class_min:
            offences.append(f"{100 * same:.2f}% of the classes are ONNX Runtime's")
        top1 = [float(np.mean([np.argmax(a) == label for a, label in zip(x, labels)]))
                if case.labelled else float("nan") for x in (ours, theirs)]
        row += [f"{100 * x:7.2f}" if case.labelled else "      -" for x in top1]
    else:
        decibels = sqnr(ours, theirs)
        row += [f"{decibels:6.1f}dB", "      -", "      -"]
        if decibels < SQNR_MIN_DB:
            offences.append(f"{decibels:.1f} dB from ONNX Runtime's outputs")
    if case.int8:
        at = outputs.index(quantized)
        equal = float(np.mean([np.mean(a[at] == r[at]) for a, r in zip(answers, references)]))
        worst = max(int(np.max(np.abs(a[at].astype(int) - r[at]))) for a, r in zip(answers, references))
        speedup, int8_macs = bench(folder, variant, seconds)
        row += [f"{100 * equal:8.3f}%", f"{worst:5}", f"{100 * int8_macs:8.1f}%", f"{speedup:8.2f}"]
        if equal < case.equal_min:
            offences.append(f"{100 * equal:.2f}% of the quantized elements are ONNX Runtime's")
        if int8_macs < INT8_MACS_MIN:
            offences.append(f"{100 * int8_macs:.1f}% of the multiply-accumulates ran in int8")
        if speedup <= case.speedup_min:
            offences.append(f"int8 is {speedup:.2f} times as fast as the dequantized fp32")
    print(" ".join(row))
    return [f"{case.short}: {offence}" for offence in offences]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--samples", type=int, default=10000, help="of each model, at most")
    parser.add_argument("--seconds", type=float, default=2.0, help="that each file is timed")
    arguments = parser.parse_args()
    models.require_data()
    chosen = [c for c in CASES if not arguments.models or
              any(word in c.file or word in c.short for word in arguments.models)]
    print("model          samples   same class  ours  theirs  equal int8 worst int8 MACs  speed-up")
    offences = []
    with testbed.Server() as server:
        for case in chosen:
            try:
                offences += check(server, case, arguments.samples, arguments.seconds)
            except Exception as error:  # pylint: disable=broad-except  # the others still count
                traceback.print_exc()
                offences.append(f"{case.short}: {type(error).__name__}: {error}")
    for line in offences:
        print(f"FAILED {line}")
    print(f"{len(chosen)} quantized files against ONNX Runtime {onnxruntime.__version__}, "
          f"{len(offences)} bounds missed")
    return 1 if offences or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
