#!/usr/bin/env python3
"""A load generator we did not write: Triton's perf_analyzer, unchanged. Its tables are printed. Run
it with python_env.sh and FOURFOLD_REQUIREMENTS=tests/integration/requirements-perf_analyzer.txt."""

import csv
import os
import pathlib
import subprocess
import sys
import sysconfig
import unittest

import fourfold_testbed as testbed

PROGRAM = pathlib.Path(sys.prefix) / "bin/perf_analyzer"
CUDA = pathlib.Path(sysconfig.get_path("purelib")) / "nvidia/cuda_runtime/lib"
ENVIRONMENT = dict(os.environ, LD_LIBRARY_PATH=str(CUDA))  # it links it and does not call it
HEADER = ["Inferences/Second", "Client Send", "Network+Server Send/Recv", "Server Queue",
          "Server Compute Input", "Server Compute Infer", "Server Compute Output", "Client Recv",
          "p50 latency", "p90 latency", "p95 latency", "p99 latency"]


def why_not():
    """Why the program does not run on this machine; None if it does."""
    if not PROGRAM.exists():
        return f"the wheel of tritonclient for this machine ({os.uname().machine}) has no perf_analyzer"
    tried = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False,
                           env=ENVIRONMENT)
    if tried.returncode == 0:
        print(tried.stdout.strip())
        return None
    linked = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=False,
                            env=ENVIRONMENT)
    missing = [line.strip() for line in (linked.stdout + linked.stderr).splitlines()
               if "not found" in line]
    return (f"perf_analyzer does not start here: {tried.stderr.strip()}; ldd: {'; '.join(missing)} "
            "(libb64.so.0d is in Debian's libb64-0d, see deploy/build/packages.sh --tests)")


class PerfAnalyzerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server()
        cls.addClassCleanup(cls.server.kill)
        cls.server.start()
        cls.server.upload_digits()

    def analyze(self, *flags, expect=0):
        arguments = ["-i", "grpc", "-u", self.server.grpc, *flags]
        print("$ perf_analyzer", *arguments, flush=True)
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=180, env=ENVIRONMENT)
        print(done.stdout, done.stderr, flush=True)
        self.assertEqual(done.returncode, expect, f"{done.stdout}\n{done.stderr}")
        return done

    def rows(self, *flags, first="Concurrency"):
        """The rows of its report, checked: {first column: row}. Windows of 100 requests, any three
        of which count as stable: the figures are this machine's business."""
        report = self.server.folder / f"{self.id()}.csv"
        self.analyze("--measurement-mode", "count_windows", "--measurement-request-count", "100",
                     "-s", "1000", "-f", str(report), *flags)
        with open(report, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(list(rows[0])[:13], [first, *HEADER])
        for row in rows:
            for column in ("Inferences/Second", "Server Queue", "Server Compute Infer",
                           "p50 latency", "p99 latency"):
                self.assertGreater(float(row[column]), 0, column)
        return {row[first]: row for row in rows}

    def test_concurrency(self):
        self.assertEqual(set(self.rows("-m", "digits", "--concurrency-range", "1:4")),
                         {"1", "2", "3", "4"})

    def test_batches_of_a_variant(self):
        rows = self.rows("-m", "digits@int8", "-b", "4", "--concurrency-range", "2")
        self.assertEqual(set(rows), {"2"})

    def test_asynchronous_calls(self):
        self.rows("-m", "digits@hybrid", "--async", "--concurrency-range", "8")

    def test_a_stream(self):
        self.rows("-m", "digits@int8", "--streaming", "--concurrency-range", "1:8:7")

    def test_a_rate(self):
        rows = self.rows("-m", "digits@int8", "--request-rate-range", "50:100:50",
                         first="Request Rate")
        self.assertEqual(set(rows), {"50", "100"})

    def test_a_rate_over_a_stream(self):
        self.rows("-m", "digits@int8", "--request-rate-range", "100", "--streaming",
                  "--request-distribution", "poisson", first="Request Rate")

    def test_windows_of_time_and_the_servers_metrics(self):
        self.analyze("-m", "digits@fp32", "-p", "1000", "-s", "1000", "--collect-metrics",
                     "--metrics-url", self.server.metrics_url)

    def test_a_variant_as_a_parameter(self):
        self.rows("-m", "digits", "--request-parameter", "variant:fp16:string")

    def test_shared_memory_is_refused_with_words(self):
        done = self.analyze("-m", "digits", "--shared-memory", "system", expect=99)
        self.assertIn("SystemSharedMemory", done.stdout + done.stderr)
        self.assertIn("is not implemented by this server", done.stdout + done.stderr)


if __name__ == "__main__":
    if reason := why_not():
        testbed.skip(reason)
    unittest.main(verbosity=2)
