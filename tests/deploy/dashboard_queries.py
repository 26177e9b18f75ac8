#!/usr/bin/env python3
"""Every query of the dashboard and every rule against a real server: starts fourfold-server,
uploads, calls each variant, provokes errors, rejections and a failed job, lets Prometheus scrape it
with deploy/prometheus, and asks Prometheus what Grafana would ask. No answer may be empty. Run it
with python_env.sh and the requirements of tests/integration."""

import json
import math
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import grafana

sys.path.insert(0, str(grafana.ROOT / "tests/integration"))
# pylint: disable=wrong-import-position
import grpc  # noqa: E402

import fourfold_testbed as testbed  # noqa: E402
from fourfold_testbed import VARIANTS  # noqa: E402
from grpc_stubs import inference, inference_grpc  # noqa: E402

LOAD_SECONDS = 12
# Scraped each second, where deploy/prometheus has 15; Grafana's interval is four scrapes at least.
SCRAPE_SECONDS = 1
VALUES = {"datasource": "prometheus", "job": "fourfold", "model": "digits", "version": "1",
          "variant": ".*", "instance": ".*", "__rate_interval": "10s"}
# Nothing to show, and rightly, where no CPU quota is set.
EMPTY_WITHOUT_QUOTA = {"server:fourfold_cpu_throttled:ratio_rate5m"}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Prometheus:
    """A running Prometheus with deploy/prometheus' configuration and rules; the target is replaced,
    and it scrapes and evaluates each second."""

    def __init__(self, target):
        self.folder = testbed.scratch_folder()
        self.address = f"127.0.0.1:{free_port()}"
        source = grafana.ROOT / "deploy/prometheus"
        shutil.copytree(source / "rules", self.folder / "rules")
        text = (source / "prometheus.yaml").read_text()
        for old, new, count in (("fourfold:8002", target, 1), ("localhost:9090", self.address, 1),
                                ("_interval: 15s", f"_interval: {SCRAPE_SECONDS}s", 2)):
            if text.count(old) != count:
                raise AssertionError(f"prometheus.yaml: {old} is there {text.count(old)} times")
            text = text.replace(old, new)
        (self.folder / "prometheus.yaml").write_text(text)
        self.now = None  # when queries are evaluated
        self.log = self.folder / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.folder / 'prometheus.yaml'}",
                 f"--storage.tsdb.path={self.folder / 'data'}",
                 f"--web.listen-address={self.address}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def get(self, path, **parameters):
        """The answer's "data"; AssertionError with Prometheus' words if it refuses."""
        url = f"http://{self.address}{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode(errors='replace')}") from None

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(self.log.read_text(errors="replace")[-3000:])
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def has_scraped(self):
        found = self.get("/api/v1/query", query='fourfold_jobs_ended_total{outcome="failed"}')
        return bool(found["result"])

    def values(self, expression, instant):
        """The numbers of each series that the expression gives: at self.now, or in the minute
        before."""
        now = self.now
        if instant:
            found = self.get("/api/v1/query", query=expression, time=now)["result"]
            series = [[each["value"]] for each in found]
        else:
            found = self.get("/api/v1/query_range", query=expression, start=now - 60, end=now,
                             step=SCRAPE_SECONDS)["result"]
            series = [each["values"] for each in found]
        return [[float(value) for _, value in each] for each in series]


class Load:
    """Calls all variants, and now and then does what must be refused, until stopped."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.stub = inference_grpc.GRPCInferenceServiceStub(self.channel)
        name, samples, _ = testbed.digits_samples(64)
        self.name = name
        self.bytes = b"".join(testbed.array.array("f", each.values).tobytes() for each in samples)
        self.counts = {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def request(self, model, samples, shape=(1, 8, 8)):
        request = inference.ModelInferRequest(model_name=model)
        tensor = request.inputs.add(name=self.name, datatype="FP32")
        tensor.shape.extend([samples, *shape])
        request.raw_input_contents.append(self.bytes[:samples * 8 * 8 * 4])
        return request

    def start(self, request, **options):
        return self.stub.ModelInfer.future(request, **options)

    def finish(self, call):
        status = (call.exception().code() if call.exception() else grpc.StatusCode.OK).name
        self.counts[status] = self.counts.get(status, 0) + 1

    def work(self):
        while not self.stopping.is_set():
            # A burst over a short queue: some are computed together, some are rejected.
            calls = [self.start(self.request(f"digits@{variant}", samples), timeout=30)
                     for variant in VARIANTS for samples in (1, 8, 64) for _ in range(4)]
            calls += [
                self.start(self.request("digits", 1, shape=(1, 8, 7)), timeout=30),  # wrong shape
                self.start(self.request("no-such-model", 1), timeout=30),
                self.start(self.request("digits", 64), timeout=0.0002),
            ]
            for call in calls:
                self.finish(call)
            time.sleep(0.02)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.channel.close()


class DashboardQueriesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server("--queue_limit=8", "--threads=1")
        cls.server.start()
        cls.addClassCleanup(cls.server.kill)
        cls.prometheus = Prometheus(cls.server.addresses["metrics"])
        cls.addClassCleanup(cls.prometheus.stop)
        testbed.wait_until(cls.prometheus.ready, "Prometheus is ready")
        # An increase is seen only if the counter was read before it.
        testbed.wait_until(cls.prometheus.has_scraped, "Prometheus has read /metrics once")
        cls.server.upload_digits()
        folder = testbed.scratch_folder()
        (folder / "odd.onnx").write_bytes(testbed.onnx_chain(["Relu", "NoSuchOperator"]))
        failed = cls.server.cli("upload", folder / "odd.onnx", "--name=odd", "--variants=fp32",
                                "--wait", expect=testbed.FAILED)
        if "NoSuchOperator" not in failed.stderr:
            raise AssertionError(f"the job failed otherwise than meant: {failed.stderr}")
        load = Load(cls.server.grpc)
        load.thread.start()
        time.sleep(LOAD_SECONDS)
        load.stop()
        cls.counts = load.counts
        time.sleep(2 * SCRAPE_SECONDS)  # the last answers are scraped and in the rules
        cls.prometheus.now = time.time()
        print(f"\nanswers: {cls.counts}")

    def test_the_load_met_what_the_panels_are_about(self):
        for status in ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED"):
            self.assertGreater(self.counts.get(status, 0), 0, self.counts)

    def test_the_target_is_scraped(self):
        targets = self.prometheus.get("/api/v1/targets")["activeTargets"]
        health = {each["labels"]["job"]: (each["health"], each["lastError"]) for each in targets}
        self.assertEqual(health["fourfold"], ("up", ""))

    def test_every_query_of_the_dashboard_has_an_answer(self):
        empty = []
        for query in grafana.queries(grafana.load()):
            expression = grafana.substitute(query.expr, VALUES)
            series = self.prometheus.values(expression, query.instant)
            finite = [[value for value in each if math.isfinite(value)] for each in series]
            last = " ".join(f"{each[-1]:.4g}" for each in finite[:4] if each)
            panel = grafana.substitute(query.panel, VALUES)
            print(f"{len(series):3} series  {panel} {query.ref}: {last}")
            if not any(finite):
                empty.append(f"{panel} {query.ref}: {expression}")
        self.assertEqual(empty, [])

    def test_every_variable_of_the_dashboard_has_values(self):
        for name, variable in grafana.variables(grafana.load()).items():
            if variable["type"] != "query":
                continue
            inner = grafana.substitute(variable["definition"], VALUES)
            self.assertTrue(inner.startswith("label_values(") and inner.endswith(")"), name)
            selector, _, label = inner[len("label_values("):-1].rpartition(", ")
            found = self.prometheus.get(f"/api/v1/label/{label}/values", **{"match[]": selector})
            print(f"${name}: {found}")
            self.assertTrue(found, name)

    def test_the_side_by_side_table_has_a_row_for_each_variant(self):
        (table,) = [panel for panel in grafana.panels(grafana.load())
                    if "side by side" in panel["title"]]
        for target in table["targets"]:
            expression = grafana.substitute(target["expr"], VALUES)
            self.assertEqual(len(self.prometheus.values(expression, True)), len(VARIANTS),
                             expression)

    def test_every_rule_is_evaluated_and_every_recorded_series_is_there(self):
        quota = self.prometheus.values("fourfold_cpu_periods_total > 0", True)
        for group in self.prometheus.get("/api/v1/rules")["groups"]:
            for rule in group["rules"]:
                self.assertEqual((rule["name"], rule["health"], rule.get("lastError", "")),
                                 (rule["name"], "ok", ""))
                if rule["type"] != "recording":
                    continue
                found = self.prometheus.values(rule["name"], True)
                print(f"{len(found):3} series  {rule['name']}")
                if quota or rule["name"] not in EMPTY_WITHOUT_QUOTA:
                    self.assertTrue(found, rule["name"])

    def test_the_failed_upload_raises_its_alert_and_the_server_is_not_down(self):
        alerts = {each["labels"]["alertname"]: each["state"]
                  for each in self.prometheus.get("/api/v1/alerts")["alerts"]}
        print(f"alerts: {alerts}")
        self.assertEqual(alerts.get("FourfoldJobFailed"), "firing")
        self.assertNotIn("FourfoldDown", alerts)
        self.assertNotIn("FourfoldAbsent", alerts)


if __name__ == "__main__":
    if not shutil.which("prometheus"):
        testbed.skip("prometheus (Debian: prometheus) is not installed")
    unittest.main(verbosity=2)
