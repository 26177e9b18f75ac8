#!/usr/bin/env python3
"""/metrics: well-formed, and latency, size and accuracy of each variant."""

import re
import shutil
import subprocess
import unittest
import urllib.error
import urllib.request

import fourfold_testbed as testbed
from fourfold_testbed import DIGITS, FAILED, VARIANTS

SERIES = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """[(name, {label: value}, number)] of the text format's sample lines."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SERIES.match(line).groups()
            found.append((name, dict(LABEL.findall(labels or "")), float(value)))
    return found


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server()
        cls.server.start()
        cls.addClassCleanup(cls.server.kill)
        cls.server.upload_digits()
        cls.calls = {"fp32": 1, "fp16": 2, "hybrid": 3, "int8": 4}
        for variant, count in cls.calls.items():
            for _ in range(count):
                cls.server.cli("infer", f"digits@{variant}", f"--input={DIGITS / 'sample.npy'}")
        with urllib.request.urlopen(cls.server.metrics_url, timeout=10) as answer:
            cls.content_type = answer.headers["Content-Type"]
            cls.text = answer.read().decode()
        cls.series = parse(cls.text)
        cls.rows = {row["variant"]: row
                    for row in cls.server.cli_json("compare", "digits")["variants"]}

    def of(self, variant, name_pattern):
        return [(name, labels, value) for name, labels, value in self.series
                if re.search(name_pattern, name) and labels.get("variant") == variant and
                labels.get("model") == "digits"]

    def test_the_page_is_prometheus_text(self):
        self.assertTrue(self.content_type.startswith("text/plain"), self.content_type)

    def test_promtool_accepts_the_page(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool (Debian: prometheus) is not installed")
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text, text=True,
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr.strip()), (0, ""), done.stdout)

    def test_every_call_is_counted_under_its_variant(self):
        for variant, count in self.calls.items():
            requests = self.of(variant, r"requests_total$")
            self.assertTrue(requests, f"no request counter of {variant}")
            self.assertEqual(sum(value for *_, value in requests), count, variant)

    def test_each_variant_has_a_latency_histogram_of_its_calls(self):
        for variant, count in self.calls.items():
            self.assertTrue(self.of(variant, r"(latency|duration)\w*_bucket$"), variant)
            counts = [value for *_, value in self.of(variant, r"(latency|duration)\w*_count$")]
            self.assertIn(count, counts, variant)

    def test_each_variant_has_its_sizes(self):
        for variant in VARIANTS:
            for kind in ("file_bytes", "weight_bytes", "resident_bytes"):
                values = [value for *_, value in self.of(variant, kind.replace("_", r"\w*_"))]
                self.assertIn(self.rows[variant]["size"][kind], values, f"{variant} {kind}")

    def test_each_variant_has_its_accuracy_speed_up_and_size_ratio(self):
        for variant in VARIANTS:
            row = self.rows[variant]
            for pattern, value in (
                    (r"accuracy|top1", row["accuracy"]["labelled"]["top1"]),
                    (r"speedup|speed_up", row["versus_fp32"]["speedup"]),
                    (r"size_ratio", row["versus_fp32"]["size_ratio"])):
                values = [v for *_, v in self.of(variant, pattern)]
                self.assertTrue(any(abs(v - value) <= 1e-4 * max(1, abs(value)) for v in values),
                                f"{variant} {pattern}: wanted {value}, got {values}")

    def test_a_failed_call_is_counted_and_invents_no_label(self):
        before = {labels.get("model") for _, labels, _ in self.series}
        self.server.cli("infer", "no-such-model", f"--input={DIGITS / 'sample.npy'}", expect=FAILED)
        with urllib.request.urlopen(self.server.metrics_url, timeout=10) as answer:
            after = {labels.get("model") for _, labels, _ in parse(answer.read().decode())}
        self.assertNotIn("no-such-model", after - before)

    def test_another_path_is_not_found(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(self.server.metrics_url + "/nothing", timeout=10)
        self.assertEqual(caught.exception.code, 404)


if __name__ == "__main__":
    unittest.main(verbosity=2)
