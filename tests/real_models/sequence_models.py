#!/usr/bin/env python3
"""Accuracy, arithmetic and speed of the variants of sequence models: an LSTM of the data beside the
checkout, and a transformer encoder (two opsets) and a GRU that tests/data/sequences/train.py trains.
Run it with ../integration/python_env.sh.

    sequence_models.py [MODEL...]

fp32: equal to ONNX Runtime within 1e-4 of the largest output of a sample, at several batch sizes (and
sequence lengths). Each variant: at most so many points of accuracy lost. int8 and hybrid: at least 95%
of the multiply-accumulates in 8 bits. Speed is printed. Exit code 0 or 1; a model whose data is missing
is skipped loudly, and the exit code is 77 where that is all of them.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import models
from models import testbed

INT8_MACS_MIN = 0.95
SEQUENCES = testbed.ROOT / "tests/data/sequences"


@dataclasses.dataclass(frozen=True)
class Sequence:
    name: str
    path: pathlib.Path
    samples: pathlib.Path  # .calibration.npz and .eval.npz behind it
    shapes: tuple  # of the input, for the comparison with ONNX Runtime
    losses: dict  # points of accuracy by variant


def sequences(folder):
    made = {"fp16": 0.3, "hybrid": 1.2, "int8": 1.7}  # 180 pictures: one is 0.56 points
    yield Sequence("mnist_lstm", models.DATA / "models/fp32/mnist_lstm.onnx",
                   models.DATA / "samples/mnist_lstm", ((1, 28, 28),),
                   {"fp16": 0.1, "hybrid": 0.4, "int8": 0.4})
    for opset in (13, 17):
        yield Sequence(f"encoder_{opset}", folder / f"encoder_{opset}.onnx", folder / "encoder",
                       ((1, 16), (3, 16)), made)
    yield Sequence("gru", folder / "gru.onnx", folder / "gru", ((1, 8, 8), (4, 8, 8), (2, 13, 8)), made)


def compare_with_onnx_runtime(model, folder):
    """Case folders with ONNX Runtime's answers, run by fourfold-conformance."""
    content = model.path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (entry,), (output,) = session.get_inputs(), session.get_outputs()
    with np.load(f"{model.samples}.eval.npz") as arrays:
        data = arrays[entry.name]
    for number, shape in enumerate(model.shapes):
        if entry.type == "tensor(float)":
            count = int(np.prod(shape))
            value = np.resize(data[number:].ravel(), count).reshape(shape).astype(np.float32)
        else:
            value = data[number:number + shape[0]].reshape(shape)
        (answer,) = session.run(None, {entry.name: value})
        case = folder / f"test_{model.name}_{number}"
        sets = case / "test_data_set_0"
        sets.mkdir(parents=True)
        (case / "model.onnx").write_bytes(content)
        (sets / "input_0.pb").write_bytes(
            numpy_helper.from_array(value, entry.name).SerializeToString())
        (sets / "output_0.pb").write_bytes(
            numpy_helper.from_array(answer, output.name).SerializeToString())
    done = subprocess.run([testbed.program("fourfold-conformance"), str(folder), "--pass_min=1.0"],
                          check=False, capture_output=True, text=True)
    return [] if done.returncode == 0 else [f"{model.name}: not ONNX Runtime's answers: {done.stdout}"]


def lacks_operator(model):
    """Whether the model is refused for an operator that is not supported yet, and which."""
    done = subprocess.run([testbed.program("fourfold-quantize"), str(model.path), "--variants=fp32",
                           f"--out={testbed.scratch_folder() / 'out'}",
                           f"--calibration={model.samples}.calibration.npz"],
                          check=False, capture_output=True, text=True)
    return done.stderr.strip() if "not supported: LayerNormalization" in done.stderr else ""


def check(model):
    folder = testbed.scratch_folder()
    offences = compare_with_onnx_runtime(model, folder / "cases")
    subprocess.run([testbed.program("fourfold-quantize"), str(model.path), f"--out={folder / 'out'}",
                    f"--calibration={model.samples}.calibration.npz",
                    f"--eval={model.samples}.eval.npz"],
                   check=True, stdout=subprocess.DEVNULL)
    report = json.loads((folder / "out/report.json").read_text())
    by_name = {v["variant"]: v for v in report["variants"]}
    fp32 = by_name["fp32"]
    for name, variant in by_name.items():
        top1 = 100 * variant["accuracy"]["labelled"]["top1"]
        loss = 100 * fp32["accuracy"]["labelled"]["top1"] - top1
        macs = variant["executed"]["int8_macs"]
        print(f"{model.name:11} {name:7} top-1 {top1:6.2f}%  int8 {100 * macs:5.1f}%  "
              f"{1000 * variant['latency']['p50_ms']:7.1f} us  "
              f"{variant['versus_fp32']['speedup']:5.2f}x  "
              f"{variant['size']['file_bytes'] / 1024:7.1f} KiB", flush=True)
        if loss > model.losses.get(name, 0):
            offences.append(f"{model.name} {name}: loses {loss:.2f} points, "
                            f"wanted at most {model.losses[name]}")
        if name in ("int8", "hybrid") and macs < INT8_MACS_MIN:
            offences.append(f"{model.name} {name}: {macs:.3f} of the multiply-accumulates in 8 bits, "
                            f"wanted {INT8_MACS_MIN}")
        onnx.checker.check_model(str(folder / "out" / f"{name}.onnx"))
    return offences


def main():
    folder = testbed.scratch_folder()
    subprocess.run([sys.executable, str(SEQUENCES / "train.py"), str(folder)], check=True)
    offences, ran = [], 0
    for model in sequences(folder):
        if sys.argv[1:] and model.name not in sys.argv[1:]:
            continue
        if not model.path.exists():
            print(f"SKIPPED: {model.name}, the real models are not beside the checkout")
            continue
        if missing := lacks_operator(model):
            print(f"SKIPPED: {model.name}: {missing}")
            continue
        offences += check(model)
        ran += 1
    for line in offences:
        print(f"FAILED {line}")
    if ran == 0:
        return 77
    print(f"{ran} models, {len(offences)} bounds missed")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
