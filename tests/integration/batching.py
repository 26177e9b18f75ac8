#!/usr/bin/env python3
"""Dynamic batching from outside: throughput of many callers with it and without it, answers that do
not depend on their neighbours, overload. Run it with python_env.sh; figures are printed.

    batching.py [WIDTH [LAYERS]]     of the model of fully connected layers, 2048 and 3 by default
"""

import array
import concurrent.futures
import json
import random
import subprocess
import sys
import threading
import time
import unittest

import grpc

import fourfold_testbed as testbed
from grpc_stubs import inference, inference_grpc

CALLERS = 32
SMALL = 256, 2         # width, layers: where only the answers count
WIDTH, LAYERS = 2048, 3  # where time does: 48 MiB of weights
SPEED_UP_MIN = 1.5  # of 32 callers, batches over single requests


def sample(width, seed):
    generator = random.Random(seed)
    return array.array("f", (generator.uniform(-1, 1) for _ in range(width)))


def upload_mlp(server, width, layers):
    model = server.folder / "mlp.onnx"
    model.write_bytes(testbed.onnx_mlp(width, layers))
    values = array.array("f")
    for seed in range(32):
        values.extend(sample(width, seed))
    testbed.write_npz(server.folder / "samples.npz",
                      {"x": testbed.Array("<f4", (32, width), values)})
    server.cli("upload", model, "--name=mlp", f"--calibration={server.folder / 'samples.npz'}",
               "--wait", timeout=300)


class Caller:
    def __init__(self, server, width):
        self.width = width
        self.channel = grpc.insecure_channel(server.grpc)
        self.stub = inference_grpc.GRPCInferenceServiceStub(self.channel)

    def infer(self, model, values, timeout=60):
        request = inference.ModelInferRequest(model_name=model)
        tensor = request.inputs.add(name="x", datatype="FP32")
        tensor.shape.extend((len(values) // self.width, self.width))
        request.raw_input_contents.append(values.tobytes())
        return self.stub.ModelInfer(request, timeout=timeout).raw_output_contents[0]

    def statistics(self, model):
        answer = self.stub.ModelStatistics(inference.ModelStatisticsRequest(name=model), timeout=10)
        return answer.model_stats[0]


def batch_sizes(before, after):
    """{samples: executions} between two ModelStatistics."""
    counts = {b.batch_size: b.compute_infer.count for b in after.batch_stats}
    for b in before.batch_stats:
        counts[b.batch_size] -= b.compute_infer.count
    return {size: count for size, count in counts.items() if count}


def resident_bytes(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def load(server, model, seconds, concurrency=CALLERS):
    done = subprocess.run(
        [testbed.program("fourfold-loadtest"), f"--address={server.grpc}", f"--model={model}",
         f"--concurrency={concurrency}", f"--duration={seconds}", "--warmup=2", "--format=json"],
        capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"fourfold-loadtest ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


class BatchingTest(unittest.TestCase):
    def start(self, *flags, store=None):
        server = testbed.Server(*flags, store=store)
        self.addCleanup(server.kill)
        return server.start()

    def test_answers_do_not_depend_on_their_neighbours(self):
        server = self.start("--batch_delay_ms=20", "--max_batch=16")
        upload_mlp(server, *SMALL)
        caller = Caller(server, SMALL[0])
        samples = [sample(SMALL[0], 1000 + i) for i in range(CALLERS)]
        for model in ("mlp@int8", "mlp@hybrid", "mlp@fp32"):
            alone = [caller.infer(model, values) for values in samples]
            before = caller.statistics(model)
            with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
                # Plans for batches are made in the background when first wanted.
                give_up = time.monotonic() + 60
                while time.monotonic() < give_up:
                    together = list(pool.map(lambda values: caller.infer(model, values), samples))
                    if not model.endswith("fp32"):
                        self.assertEqual(together, alone, model)
                    sizes = batch_sizes(before, caller.statistics(model))
                    if max(sizes) >= 8:
                        break
            print(f"{model}: executions by batch size {sizes}")
            self.assertGreaterEqual(max(sizes), 8, "requests did not come together")
            self.assertLessEqual(max(sizes), 16)
            stack = array.array("f")
            for values in samples:
                stack.extend(values)
            if not model.endswith("fp32"):
                self.assertEqual(caller.infer(model, stack), b"".join(alone),
                                 f"{model}: a batch that the client made")

    def test_many_callers_get_more_answers_from_batches(self):
        first = self.start("--max_batch=1")
        upload_mlp(first, WIDTH, LAYERS)
        store = first.store
        single = load(first, "mlp@fp32", 5)
        first.terminate()
        batched = self.start("--max_batch=32", store=store)
        together = load(batched, "mlp@fp32", 5)
        ratio = together["throughput_per_s"] / single["throughput_per_s"]
        print(f"{CALLERS} callers, {LAYERS} layers of {WIDTH} x {WIDTH} float32: one by one "
              f"{single['throughput_per_s']:.0f}/s, p99 {single['latency']['p99_ms']:.1f} ms; "
              f"batches {together['throughput_per_s']:.0f}/s, "
              f"p99 {together['latency']['p99_ms']:.1f} ms; {ratio:.2f} times as many")
        self.assertGreaterEqual(ratio, SPEED_UP_MIN)

    def test_overload_is_refused_and_memory_stays(self):
        server = self.start("--queue_limit=8", "--max_batch=4")
        upload_mlp(server, *SMALL)
        callers = [Caller(server, SMALL[0]) for _ in range(4)]
        stop = threading.Event()
        counts = {"answered": 0, "refused": 0}
        lock = threading.Lock()

        def flood(number):
            values = sample(SMALL[0], number)
            while not stop.is_set():
                try:
                    callers[number % len(callers)].infer("mlp@fp32", values)
                    outcome = "answered"
                except grpc.RpcError as error:
                    if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                        raise
                    assert "--queue_limit" in error.details(), error.details()
                    outcome = "refused"
                with lock:
                    counts[outcome] += 1

        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            futures = [pool.submit(flood, n) for n in range(64)]
            time.sleep(3)
            early = resident_bytes(server.process)
            time.sleep(6)
            late = resident_bytes(server.process)
            stop.set()
            for future in futures:
                future.result(timeout=60)
        print(f"64 callers, queue of 8: {counts}, memory {early >> 20} MiB after 3 s, "
              f"{late >> 20} MiB after 9 s")
        self.assertGreater(counts["answered"], 0)
        self.assertGreater(counts["refused"], 0)
        self.assertLess(late - early, 16 << 20, "memory grew under overload")
        self.assertTrue(callers[0].infer("mlp@fp32", sample(SMALL[0], 1)))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        WIDTH = int(sys.argv.pop(1))
        if len(sys.argv) > 1 and sys.argv[1].isdigit():
            LAYERS = int(sys.argv.pop(1))
    unittest.main(verbosity=2)
