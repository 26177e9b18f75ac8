#!/usr/bin/env python3
"""Every ONNX model of the shared data in four variants, as one table. Run it with
../integration/python_env.sh.

    every_model.py [--samples=N] [--json=FILE] [MODEL...]

Of each file in models/fp32, models/quantized and models/unlabelled: how far our fp32 is from ONNX
Runtime's answer (relative to the largest element of the output; of a file that comes quantized the
reference is our dequantized fp32.onnx run in ONNX Runtime), then for each variant the top-1 where there
are labels, else the signal-to-noise ratio against fp32; the share of multiply-accumulates that int8 ran
in int8; the speed-ups. Models without data of their own get invented samples of their kind.
A model fails if a variant is missing, if fp32 is off by more than 1e-4, or if a signal-to-noise ratio
is below the least one of its variant. Exit code 0, 1, or 77 (skipped) without data.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
import traceback
import typing

import numpy as np
import onnxruntime

import models
from models import testbed

RELATIVE_MAX = 1e-4
SQNR_MIN = {"fp16": 40.0, "hybrid": 12.0, "int8": 8.0}
COMPARED = 4  # samples whose fp32 outputs are compared
SECONDS = 0.3  # of timing each variant
PICTURE = (3, 7, 19, 53)  # cells of the noise that stands in for pictures


def field(generator, *shape):
    """Smooth noise from -1 to 1: coarse noise, enlarged and added up over scales."""
    height, width = shape[-2:]
    total = np.zeros(shape)
    for cells in PICTURE:
        coarse = generator.uniform(-1, 1, (*shape[:-2], cells, cells)) / np.sqrt(cells)
        total += coarse[..., np.arange(height) * cells // height, :][
            ..., np.arange(width) * cells // width]
    low, high = total.min(), total.max()
    return (total - low) / (high - low) * 2 - 1


def audio(generator, count):
    """Harmonics over noise, about as loud as speech."""
    time = np.arange(count) / 16000
    pitch = generator.uniform(90, 250)
    voice = sum(np.sin(2 * np.pi * pitch * k * time + generator.uniform(0, 6)) / k
                for k in range(1, 12))
    return 0.1 * voice * (1 + np.sin(2 * np.pi * 3 * time)) + generator.normal(0, 0.005, count)


@dataclasses.dataclass(frozen=True)
class Case:
    path: str  # under models/, without .onnx
    samples: typing.Callable = None  # (generator) -> arrays of one sample by input; else as models.py
    count: int = 48
    labelled: str = ""  # samples/NAME.*.npz are its own
    quantized: bool = False  # by somebody else


def faces(g):
    return {"input": field(g, 1, 3, 240, 320)}


def silero(g):
    return {"input": audio(g, 512)[None], "state": g.normal(0, 0.1, (2, 1, 128)), "sr": 16000}


CASES = [
    *[Case(f"fp32/{m.name}") for m in models.MODELS],
    Case("fp32/mnist_lstm", labelled="mnist_lstm"),
    Case("fp32/vww_mobilenetv1_0.25_96", lambda g: {"input_1": (field(g, 1, 3, 96, 96) + 1) / 2}),
    Case("fp32/toycar_autoencoder_mlp", lambda g: {"input_1": g.normal(-50, 15, (1, 640))}),
    Case("unlabelled/version-RFB-320", faces, 24),
    Case("unlabelled/version-RFB-320_simplified", faces, 24),
    Case("unlabelled/version-slim-320_simplified", faces, 24),
    Case("unlabelled/dtln_model_1", lambda g: {
        "input_2": np.abs(np.fft.rfft(audio(g, 512)))[None, None],
        "input_3": g.normal(0, 0.2, (1, 2, 128, 2))}),
    Case("unlabelled/dtln_model_2", lambda g: {
        "input_4": audio(g, 512)[None, None], "input_5": g.normal(0, 0.2, (1, 2, 128, 2))}),
    Case("unlabelled/dnsmos_sig_bak_ovr", lambda g: {"input_1": audio(g, 144160)[None]}, 3),
    Case("unlabelled/silero_vad_16k_op15", silero),
    *[Case(f"quantized/{name}", quantized=True) for name in (
        "cifar10_resnet8_qdq_int8", "kws_dscnn_qdq_int8", "vww_mobilenetv1_qdq_int8",
        "toycar_autoencoder_qdq_int8", "imagenet_mobilenet_v1_0.25_128_QAT_qdq_uint8",
        "imagenet_mobilenet_v2_1.0_224_QAT_qdq_uint8",
        "imagenet_mobilenet_v2_1.0_224_PTQ_qdq_int8_perchannel", "mnist_tiny_int8",
        "mnist_tiny_fp16")],
]


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(float16)": np.float16}


def typed(arrays, runtime):
    """The arrays of a sample in the model's types, in its order of inputs."""
    return {i.name: np.asarray(arrays[i.name], DTYPES[i.type]) for i in runtime.get_inputs()}


class Samples:
    """Flags for the quantizer, and a few samples as arrays."""

    def __init__(self, case, path, folder, count):
        runtime = session(path)
        known = next((m for m in models.MODELS if case.path == f"fp32/{m.name}"), None)
        own = case.labelled or (known.name if known and not known.pictures else "")
        if case.quantized:
            self._of_quantized(case, runtime, folder, count)
        elif own:
            stem = models.DATA / "samples" / own
            self.flags = [f"--calibration={stem}.calibration.npz", f"--eval={stem}.eval.npz"]
            self._read(f"{stem}.eval.npz", runtime)
        elif known:
            self.flags = models.sample_arguments(known, folder, full=False)
            info = runtime.get_inputs()[0]
            shape = [1 if not isinstance(d, int) else d for d in info.shape]
            generator = np.random.default_rng(7)
            nhwc = "--layout=nhwc" in known.options
            scale = 1.0 if nhwc else 110.0
            planes = [field(generator, 3, shape[1 if nhwc else 2], shape[2 if nhwc else 3]) * scale
                      for _ in range(COMPARED)]
            self.few = [{info.name: (p.transpose(1, 2, 0) if nhwc else p)[None].astype(np.float32)}
                        for p in planes]
        else:
            generator = np.random.default_rng(20261121)
            made = [typed(case.samples(generator), runtime)
                    for _ in range(min(count, case.count))]
            np.savez(folder / "samples.npz", **{k: np.stack([m[k] for m in made]) for k in made[0]})
            self.flags = [f"--calibration={folder / 'samples.npz'}"]
            self.few = made[:COMPARED]

    def _read(self, path, runtime):
        with np.load(path) as arrays:
            self.few = []
            for i in range(COMPARED):
                sample = {}
                for info in runtime.get_inputs():
                    shape = [1 if not isinstance(d, int) else d for d in info.shape]
                    sample[info.name] = np.asarray(arrays[info.name][i],
                                                   DTYPES[info.type]).reshape(shape)
                self.few.append(sample)

    def _of_quantized(self, case, runtime, folder, count):
        import quantized  # pylint: disable=import-outside-toplevel
        found = next(c for c in quantized.CASES if f"quantized/{c.file}" == case.path)
        data, labels = found.samples(count)
        info = runtime.get_inputs()[0]
        arrays = {info.name: data.astype(np.float32)}
        if labels is not None and found.labelled:
            arrays["labels"] = labels
        np.savez(folder / "samples.npz", **arrays)
        self.flags = [f"--eval={folder / 'samples.npz'}"]
        if not found.int8:  # of float16: it is not quantized
            np.savez(folder / "calibration.npz", **{info.name: data.astype(np.float32)})
            self.flags.append(f"--calibration={folder / 'calibration.npz'}")
        shape = [1 if not isinstance(d, int) else d for d in info.shape]
        self.few = [{info.name: x.reshape(shape).astype(np.float32)} for x in data[:COMPARED]]


def ours(path, samples, folder):
    """Our outputs of the samples, as one flat array per sample and output."""
    (folder / "in.bin").write_bytes(b"".join(a.tobytes() for s in samples for a in s.values()))
    shapes = ",".join("x".join(map(str, a.shape)) for a in samples[0].values())
    done = testbed.run(testbed.program("run_model"), path, folder / "in.bin", folder / "out.bin", "", shapes,
                       timeout=600)
    if done.returncode:
        raise AssertionError(done.stderr.strip()[-2000:])
    return (folder / "out.bin").read_bytes(), json.loads(done.stdout)["outputs"]


def largest_difference(path, reference, samples, folder):
    """Of our answers to ONNX Runtime's on `reference`, relative to each output's largest element."""
    answers, described = ours(path, samples, folder)
    runtime, at, worst = session(reference), 0, 0.0
    for sample in samples:
        for output, info in zip(runtime.run(None, sample), described):
            mine = np.frombuffer(answers, output.dtype, output.size, at).reshape(output.shape)
            at += mine.nbytes
            if output.size == 0 or not np.issubdtype(output.dtype, np.floating):
                continue
            scale = max(float(np.abs(output).max()), 1e-30)
            worst = max(worst, float(np.abs(mine.astype(np.float64) - output).max()) / scale)
            if info["type"] not in ("float32", "float16"):
                raise AssertionError(f"output {info['name']} is {info['type']}")
    return worst


class Outcome:
    def __init__(self, case):
        self.case = case
        self.name = case.path
        self.problems = []
        self.relative = float("nan")
        self.variants = {}

    def run(self, count):
        folder = testbed.scratch_folder()
        path = models.DATA / "models" / f"{self.case.path}.onnx"
        samples = Samples(self.case, path, folder, count)
        done = testbed.run(testbed.program("fourfold-quantize"), path, f"--out={folder / 'out'}",
                           f"--measure_seconds={SECONDS}", "--format=json", *samples.flags,
                           timeout=1500)
        if done.returncode:
            raise AssertionError(done.stderr.strip()[-2000:])
        self.variants = {v["variant"]: v for v in json.loads(done.stdout)["variants"]}
        fp32 = folder / "out" / "fp32.onnx"
        self.relative = largest_difference(fp32, fp32 if self.case.quantized else path, samples.few,
                                           folder)
        self.check()

    def check(self):
        if not self.relative <= RELATIVE_MAX:
            self.problems.append(f"fp32 is {self.relative:.1e} off ONNX Runtime, "
                                 f"{RELATIVE_MAX:.0e} allowed")
        for variant in testbed.VARIANTS:
            if variant not in self.variants:
                self.problems.append(f"has no {variant}")
                continue
            least = SQNR_MIN.get(variant)
            accuracy = self.variants[variant]["accuracy"]
            if least is None or "labelled" in accuracy or "fidelity" not in accuracy:
                continue
            if accuracy["fidelity"]["sqnr_db"] < least:
                self.problems.append(f"{variant}: {accuracy['fidelity']['sqnr_db']:.1f} dB, "
                                     f"at least {least} wanted")

    def cells(self):
        row = [self.name, f"{self.relative:.1e}"]
        for variant in testbed.VARIANTS:
            accuracy = self.variants.get(variant, {}).get("accuracy", {})
            if "labelled" in accuracy:
                row.append(f"{100 * accuracy['labelled']['top1']:.2f}%")
            elif "fidelity" in accuracy:
                row.append("-" if variant == "fp32" else f"{accuracy['fidelity']['sqnr_db']:.1f} dB")
            else:
                row.append("?")
        int8 = self.variants.get("int8", {})
        row.append(f"{100 * int8['executed']['int8_macs']:.1f}%" if int8 else "?")
        for variant in testbed.VARIANTS[1:]:
            part = self.variants.get(variant)
            row.append(f"{part['versus_fp32']['speedup']:.2f}" if part else "?")
        return row


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                        for i, (cell, w) in enumerate(zip(row, widths))))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=100,
                        help="of models without labelled samples, at most")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("models", nargs="*")
    arguments = parser.parse_args()
    models.require_data()
    cases = [c for c in CASES
             if not arguments.models or any(m in c.path for m in arguments.models)]
    if not cases:
        sys.exit(f"no model is named like {' '.join(arguments.models)}")
    outcomes = []
    for case in cases:
        outcome = Outcome(case)
        try:
            outcome.run(arguments.samples)
        except Exception as error:  # pylint: disable=broad-except  # one model hides no other
            traceback.print_exc()
            outcome.problems.append(str(error).splitlines()[-1] if str(error) else repr(error))
        outcomes.append(outcome)
        print(f"{case.path}: {'; '.join(outcome.problems) or 'good'}", flush=True)
    print()
    table([["model", "fp32 - ORT", "fp32", "fp16", "hybrid", "int8", "int8 MACs", "speed-up fp16",
            "hybrid", "int8"], *[o.cells() for o in outcomes]])
    failed = [o for o in outcomes if o.problems]
    for outcome in failed:
        for problem in outcome.problems:
            print(f"FAILED {outcome.name}: {problem}")
    if arguments.json:
        arguments.json.write_text(json.dumps(
            {o.name: {"relative": o.relative, "variants": o.variants} for o in outcomes}, indent=1))
    print(f"\n{len(outcomes)} models, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
