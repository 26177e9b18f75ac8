#!/usr/bin/env python3
"""The product for 64-bit ARM against the one for this machine: the same files, the same calls.

    product.py [--samples=N]

Variants are made once by this machine's server. A copy of its store is then served by the arm64
server under qemu-user, once per CPU, and this machine's client calls both:

    int8     the bytes of all outputs are equal. Behind the last quantized tensor some models have a
             float operation, Softmax: there, all elements are equal within 1e-5 of themselves. One
             step in one logit would move all other classes by that step, some percent, times its
             probability, so that the integers must be equal for that, too
    fp32     equal within 1e-4 of the largest output of the sample
    fp16     within 1e-3 likewise; within 5e-2 on CPUs whose float16 arithmetic is used: it rounds
             each layer's sums and results to 11 bits, 27 times on end in MobileNet, and a Softmax
             moves a probability by as much of itself as its logit has moved
    hybrid   rounds activations to 8 bits again in every layer, so that the last bit of a float sum
             may become a step: what both differ by is less than half of what hybrid and fp32 do

For the digits model the arm64 server also takes an upload, runs its own quantizer, and answers with
four variants as accurate as this machine's. Exit code 0, 1, or 77 (skipped); models of
../shared/data are left out, and named, where that is not beside the checkout.
"""

import argparse
import array
import dataclasses
import math
import pathlib
import random
import shutil
import sys
import time

import emulated_server
from emulated_server import EmulatedServer, testbed

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "real_models"))
import models  # noqa: E402

# From none of the later instructions to all that qemu knows: ARMv8.0, dot product and half precision,
# 8-bit matrix multiplication.
CPUS = ["cortex-a53", "neoverse-n1", "max"]
FLOAT_BOUNDS = {"fp32": 1e-4, "fp16": 1e-3}
FLOAT16_CPUS, FLOAT16_BOUND = ["neoverse-n1", "max"], 5e-2
SOFTMAX_RELATIVE = 1e-5
HYBRID_NOISE_SHARE_MAX = 0.5
UPLOAD_EVALUATION = 100  # samples of the upload that is quantized under emulation


@dataclasses.dataclass
class Subject:
    """One model: its upload, its calls, this machine's answers."""

    name: str
    upload: list  # arguments
    input: str  # tensor name
    samples: list  # arrays with a batch axis of 1
    softmax: bool = False  # at its end, in float
    cpus: tuple = ("cortex-a53", "max")
    answers: dict = dataclasses.field(default_factory=dict)  # variant -> per sample {output: Array}


def digits_upload(folder):
    return [folder / "digits.onnx", f"--calibration={folder / 'calibration.npz'}",
            f"--eval={folder / 'heldout.npz'}"]


def digits(count):
    name, samples, _ = testbed.digits_samples(count)
    return Subject("digits", digits_upload(testbed.DIGITS), name, samples, cpus=tuple(CPUS))


def from_arrays(file, count, softmax):
    """A model whose samples are in an .npz file."""
    path = models.DATA / "samples" / file
    arrays = testbed.read_npz(f"{path}.eval.npz")
    (name, data), = ((n, a) for n, a in arrays.items() if n != "labels")
    size = math.prod(data.shape[1:])
    samples = [testbed.Array(data.dtype, (1, *data.shape[1:]), data.values[i * size:(i + 1) * size])
               for i in range(count)]
    return Subject(file, [models.DATA / "models/fp32" / f"{file}.onnx",
                          f"--calibration={path}.calibration.npz"], name, samples, softmax)


def mobilenet(count):
    """Its samples are pictures; the calls are with smooth random fields in their range."""
    model = next(m for m in models.MODELS if m.short == "mobilenet_v1")
    generator, size = random.Random(20261121), 128
    samples = []
    for _ in range(count):
        layers = [(cells, [generator.uniform(-1, 1) / cells ** 0.5 for _ in range(cells * cells * 3)])
                  for cells in (3, 7, 19, 53)]
        field = [sum(values[(y * cells // size * cells + x * cells // size) * 3 + c]
                     for cells, values in layers)
                 for y in range(size) for x in range(size) for c in range(3)]
        low, high = min(field), max(field)
        samples.append(testbed.floats((1, size, size, 3),
                                      [(v - low) / (high - low) * 2 - 1 for v in field]))
    return Subject("mobilenet_v1", [model.path, f"--calibration={models.DATA / 'imagenet/calibration'}",
                                    *model.options], "t87", samples, softmax=True)


def subjects(count):
    found = [digits(count)]
    if (models.DATA / "models/fp32").is_dir():
        found += [from_arrays("mnist_cnn_cntk", count, softmax=False),
                  from_arrays("cifar10_resnet20", count, softmax=False),
                  from_arrays("cifar10_resnet8", count, softmax=True),
                  from_arrays("kws_dscnn", count, softmax=True), mobilenet(count)]
    else:
        print("SKIPPED: mnist_cnn_cntk, cifar10_resnet20, cifar10_resnet8, kws_dscnn, mobilenet_v1: "
              "no ../shared/data beside the checkout; FOURFOLD_SHARED_DATA names another place")
    return found


def call(server, subject, variant):
    return [server.infer(f"{subject.name}@{variant}", {subject.input: sample})
            for sample in subject.samples]


def bits(value):
    return array.array(value.values.typecode, value.values).tobytes()


def noise(answers, references):
    """Root mean square difference over all outputs of all samples."""
    squares = [(x - y) ** 2 for a, r in zip(answers, references) for key in r
               for x, y in zip(a[key].values, r[key].values)]
    return math.sqrt(sum(squares) / len(squares))


def int8_difference(softmax, answers, references):
    if not softmax:
        unequal = sum(any(bits(a[key]) != bits(r[key]) for key in r)
                      for a, r in zip(answers, references))
        return f"{unequal} of {len(answers)} answers differ in bytes" if unequal else ""
    apart = max(abs(x - y) / y if y else abs(x - y) for a, r in zip(answers, references) for key in r
                for x, y in zip(a[key].values, r[key].values))
    return f"probabilities differ by {apart:.3g} of themselves" if apart > SOFTMAX_RELATIVE else ""


def difference(cpu, subject, variant, answers):
    """What is wrong with answers of `variant` against this machine's; empty if nothing is."""
    references = subject.answers[variant]
    if variant == "int8":
        return int8_difference(subject.softmax, answers, references)
    if variant == "hybrid":
        both, own = noise(answers, references), noise(references, subject.answers["fp32"])
        if both > HYBRID_NOISE_SHARE_MAX * own:
            return f"differs by {both:.3g}, and hybrid from fp32 by {own:.3g} only"
        return ""
    bound = FLOAT_BOUNDS[variant]
    if variant == "fp16" and cpu in FLOAT16_CPUS:
        bound = FLOAT16_BOUND
    for number, (a, r) in enumerate(zip(answers, references)):
        for key in r:
            largest = max(map(abs, r[key].values))
            apart = max(abs(x - y) for x, y in zip(a[key].values, r[key].values))
            if not apart <= bound * largest:
                return f"sample {number}, {key}: {apart:.3g} apart, the largest output is {largest:.3g}"
    return ""


def compare_on(cpu, store, chosen):
    """One arm64 server on a copy of the store; the lines of failures."""
    failures = []
    copy = testbed.scratch_folder() / "models"
    shutil.copytree(store, copy)
    started = time.monotonic()
    with EmulatedServer(cpu, store=copy) as server:
        print(f"{cpu}: the emulated server is ready after {time.monotonic() - started:.1f} s", flush=True)
        for subject in (s for s in chosen if cpu in s.cpus):
            for variant in testbed.VARIANTS:
                started = time.monotonic()
                wrong = difference(cpu, subject, variant, call(server, subject, variant))
                print(f"{cpu}: {subject.name}@{variant}: {wrong or 'as here'}, "
                      f"{len(subject.samples)} samples, {time.monotonic() - started:.1f} s", flush=True)
                if wrong:
                    failures.append(f"{cpu}: {subject.name}@{variant}: {wrong}")
    return failures


def upload_on(cpu, upload, calls, comparison):
    """An upload to an arm64 server, quantized there; the lines of failures. `calls` is what is called
    then, `comparison` this machine's after the same upload."""
    failures = []
    started = time.monotonic()
    with EmulatedServer(cpu) as server:
        server.cli("upload", *upload, "--name", calls.name, "--wait", timeout=1800)
        rows = {row["variant"]: row for row in server.cli_json("compare", calls.name)["variants"]}
        for here in comparison["variants"]:
            variant = here["variant"]
            if variant not in rows:
                failures.append(f"{cpu}: the upload made no {variant}")
                continue
            there = rows[variant]
            ours, theirs = (row["accuracy"]["labelled"]["top1"] for row in (here, there))
            if abs(ours - theirs) > 1.5 / UPLOAD_EVALUATION:  # one sample more or less
                failures.append(f"{cpu}: top-1 of {variant} is {theirs}, here {ours}")
            for answer in call(server, calls, variant):
                if not all(math.isfinite(x) for a in answer.values() for x in a.values):
                    failures.append(f"{cpu}: an answer of {variant} is not finite")
            print(f"{cpu}: uploaded {calls.name}@{variant}: top-1 {theirs:.4f}, here {ours:.4f}, "
                  f"kernels {there['executed']['kernels']}", flush=True)
        code = server.terminate()
        if code != 0:
            failures.append(f"{cpu}: the server ended with {code}")
    print(f"{cpu}: upload, quantization and calls took {time.monotonic() - started:.1f} s", flush=True)
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=16, help="of each model and variant")
    count = parser.parse_args().samples
    emulated_server.require_emulation()

    chosen = subjects(count)
    failures = []
    with testbed.Server() as here:
        for subject in chosen:
            here.cli("upload", *subject.upload, "--name", subject.name, "--wait", timeout=900)
            subject.answers = {v: call(here, subject, v) for v in testbed.VARIANTS}
            print(f"here: {subject.name}: four variants made and called", flush=True)
        store = testbed.scratch_folder() / "models"
        shutil.copytree(here.store, store)
        upload = digits_upload(testbed.few_digits(evaluation=UPLOAD_EVALUATION))
        here.cli("upload", *upload, "--name", "few", "--wait", timeout=900)
        comparison = here.cli_json("compare", "few")
        here.terminate()
    for cpu in CPUS:
        failures += compare_on(cpu, store, chosen)
        failures += upload_on(cpu, upload, chosen[0], comparison)
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
