#!/usr/bin/env python3
"""Prometheus' own checks of deploy/prometheus: configuration, rules, and the rules' unit tests."""

import re
import shutil
import subprocess
import sys
import unittest

import grafana

FOLDER = grafana.ROOT / "deploy/prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yaml"))
TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
ALERT = re.compile(r"(?m)^ *- alert: (\w+)\n((?:(?!^ *- alert:).*\n?)*)")


def alerts():
    """{name: the text of its rule}."""
    return dict(ALERT.findall((FOLDER / "rules/alerts.yaml").read_text()))


class PrometheusRulesTest(unittest.TestCase):
    def promtool(self, *arguments):
        done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True,
                              check=False, cwd=FOLDER)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout.strip())

    def test_the_configuration_is_valid(self):
        self.promtool("check", "config", "prometheus.yaml")

    def test_the_rules_are_valid(self):
        self.promtool("check", "rules", *RULES)

    def test_the_rules_do_what_their_tests_say(self):
        self.assertTrue(TESTS)
        self.promtool("test", "rules", *TESTS)

    def test_every_alert_has_a_test_and_says_what_to_do(self):
        tests = (FOLDER / "tests/alerts.yaml").read_text()
        self.assertGreaterEqual(len(alerts()), 10)
        for name, rule in alerts().items():
            self.assertTrue(name in tests, name)
            self.assertRegex(rule, r"severity: (critical|warning)")
            for annotation in ("summary", "description", "runbook"):
                self.assertRegex(rule, rf'(?m)^ +{annotation}: ".{{10,}}"$', name)

    def test_every_recorded_series_has_a_test(self):
        tests = "".join(path.read_text() for path in TESTS)
        recorded = set(re.findall(r"- record: (\S+)",
                                  (FOLDER / "rules/recording.yaml").read_text()))
        untested = sorted(name for name in recorded if name not in tests)
        self.assertEqual(untested, [])


if __name__ == "__main__":
    if not shutil.which("promtool"):
        print("SKIPPED: promtool (Debian: prometheus) is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
