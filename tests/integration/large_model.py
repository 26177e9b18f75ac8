#!/usr/bin/env python3
"""A model of 2.4 GB: more than a protobuf message holds, than a signed 32-bit number counts, and than anybody
wants in memory twice. Uploaded by the client, made into variants, served, compared with NumPy.

Wants 9 GB of disk in the temporary folder and 8 GB of free memory; is skipped where they are not there.
"""

import json
import math
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import numpy

import external_models as models
import fourfold_testbed as testbed

WIDTH, LAYERS = 8192, 9
MODEL_BYTES = WIDTH * WIDTH * 4 * LAYERS
GIB = 1 << 30
DISK_WANTED, MEMORY_WANTED = 9 * GIB, 8 * GIB
MIB = 1 << 20


def status_of(pid):
    """Name, and the figures of /proc/PID/status in bytes; None when the process has gone."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    figures = {key: int(fields[key].split()[0]) * 1024
               for key in ("VmHWM", "RssAnon", "RssFile") if key in fields}
    return (fields["Name"].strip(), figures) if len(figures) == 3 else None


class Peaks:
    """The largest figures seen of a process and of its children, while it is watched."""

    def __init__(self, pid):
        self.pid = pid
        self.largest = {}  # name -> figure -> bytes
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.done.set()
        self.thread.join()

    def watch(self):
        while not self.done.wait(0.02):
            pids = [self.pid]
            for children in pathlib.Path(f"/proc/{self.pid}/task").glob("*/children"):
                try:
                    pids += [int(child) for child in children.read_text().split()]
                except OSError:
                    pass
            for pid in pids:
                seen = status_of(pid)
                if seen is None:
                    continue
                name, figures = seen
                largest = self.largest.setdefault(name, {})
                for key, value in figures.items():
                    largest[key] = max(largest.get(key, 0), value)

    def of(self, name):
        """Process names are cut to 15 characters."""
        return self.largest[name[:15]]


def skip_unless_there_is_room():
    free_disk = shutil.disk_usage(tempfile.gettempdir()).free
    if free_disk < DISK_WANTED:
        testbed.skip(f"{free_disk / GIB:.1f} GB of disk are free in {tempfile.gettempdir()}, "
                     f"{DISK_WANTED / GIB:.0f} GB are wanted")
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    if available < MEMORY_WANTED:
        testbed.skip(f"{available / GIB:.1f} GB of memory are free, {MEMORY_WANTED / GIB:.0f} GB are wanted")


def expected(weights, x):
    """The model in NumPy, float32, layer by layer from the disk."""
    layers = numpy.memmap(weights, dtype="<f4", mode="r", shape=(LAYERS, WIDTH, WIDTH))
    for layer in range(LAYERS):
        x = x @ layers[layer]
        if layer < LAYERS - 1:
            x = numpy.maximum(x, 0)
    return x


def sqnr_db(reference, got):
    noise = float(numpy.sum((reference - got) ** 2))
    return 10 * math.log10(float(numpy.sum(reference ** 2)) / max(noise, 1e-30))


class LargeModelTest(unittest.TestCase):
    def test_model_of_more_than_2_gb_is_uploaded_converted_served_and_kept(self):
        self.assertGreater(MODEL_BYTES, 1 << 31)
        folder = testbed.scratch_folder()
        started = time.monotonic()
        path = models.write_mlp(folder, WIDTH, LAYERS)
        self.say(f"written: {(folder / 'weights.bin').stat().st_size} bytes", started)
        server = testbed.Server()
        self.addCleanup(server.kill)
        server.start()
        idle = status_of(server.process.pid)[1]

        started = time.monotonic()
        with Peaks(server.process.pid) as server_peaks:
            client = subprocess.Popen(
                [testbed.program("fourfold"), "upload", str(path), "--name=large", "--variants=fp32,hybrid",
                 f"--address={server.grpc}", "--format=json"], stdout=subprocess.PIPE, text=True)
            with Peaks(client.pid) as client_peaks:
                out, _ = client.communicate(timeout=1200)
            self.assertEqual(client.returncode, 0)
            self.say(f"uploaded: client {self.megabytes(client_peaks.of('fourfold'))}, "
                     f"server {self.megabytes(server_peaks.of('fourfold-server'))}", started)
            # Messages of 1 MiB and what gRPC keeps of them; the model would be 2,400 MB.
            self.assertLess(client_peaks.of("fourfold")["VmHWM"], 100 * MIB)
            self.assertLess(server_peaks.of("fourfold-server")["VmHWM"], idle["VmHWM"] + 200 * MIB)

            while (job := server.cli_json("jobs", timeout=300)["jobs"][0])["state"] in ("queued", "running"):
                time.sleep(1)
            self.assertEqual(job["state"], "done", job)
            self.assertEqual(job["job_id"], json.loads(out)["job_id"])
        quantizer = server_peaks.of("fourfold-quantize")
        self.say(f"made: quantizer {self.megabytes(quantizer)}", started)
        # What only the quantizer holds: the packed weights of fp32 and hybrid, and hybrid's integers
        # in a file's form or two, but not a copy of the model beside its mapping.
        self.assertLess(quantizer["RssAnon"], 1.9 * MODEL_BYTES)

        self.check_files(server)
        x = ((numpy.arange(WIDTH) * 37) % 101 - 50).astype("<f4").reshape(1, WIDTH) / 50
        want = expected(folder / "weights.bin", x)
        before = self.check_answers(server, x, want)
        self.say(f"serving: server {self.megabytes(status_of(server.process.pid)[1])}", started)

        started = time.monotonic()
        server.kill()
        server.start(timeout=600)
        self.say(f"started again: server {self.megabytes(status_of(server.process.pid)[1])}", started)
        self.assertEqual(self.check_answers(server, x, want), before)
        server.cli("delete", "large", timeout=300)
        self.assertEqual(server.files(), [])

    def check_files(self, server):
        self.assertGreater((server.store / "large/1/fp32.onnx.data").stat().st_size, 1 << 31)
        self.assertFalse((server.store / "large/1/hybrid.onnx.data").exists())  # 600 MB
        sizes = {v["variant"]: v["size"]["file_bytes"]
                 for v in server.cli_json("compare", "large")["variants"]}
        self.assertEqual(sizes["fp32"], sum((server.store / "large/1" / name).stat().st_size
                                            for name in ("fp32.onnx", "fp32.onnx.data")))
        self.assertLess(sizes["hybrid"], 0.26 * sizes["fp32"])

    def check_answers(self, server, x, want):
        question = {"x": testbed.floats(x.shape, x.ravel())}
        answers = {variant: server.infer(f"large@{variant}", question)["y"].values
                   for variant in ("fp32", "hybrid")}
        got = {variant: sqnr_db(want, numpy.array(values, dtype="<f4").reshape(want.shape))
               for variant, values in answers.items()}
        print(f"SQNR against NumPy: {got}", flush=True)
        # float32 sums of 8192 products in another order; 8 bits of activations and of weights, nine times.
        self.assertGreater(got["fp32"], 100)
        self.assertGreater(got["hybrid"], 20)
        return answers

    @staticmethod
    def megabytes(figures):
        return ", ".join(f"{key} {value / 1e6:.0f} MB" for key, value in figures.items())

    @staticmethod
    def say(text, started):
        print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    skip_unless_there_is_room()
    unittest.main()
