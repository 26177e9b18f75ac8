#!/usr/bin/env python3
"""docker/compose.yaml: read by Docker Compose where that is installed, else as YAML; what it mounts is
there, and Fourfold runs without privileges. Run it with python_env.sh and the requirements of
tests/deploy."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / "docker/compose.yaml"


def rendered():
    """The file with its variables' defaults put in, by Docker Compose if it is here."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if not shutil.which(command[0]):
            continue
        version = subprocess.run([*command, "version", "--short"], capture_output=True, text=True,
                                 check=False).stdout
        if re.match(r"v?([2-9]|\d\d)\.", version):
            done = subprocess.run([*command, "-f", FILE, "config", "--format", "json"],
                                  capture_output=True, text=True, check=False,
                                  env={"PATH": os.environ["PATH"]})  # no variables, but the defaults
            if done.returncode:
                raise AssertionError(done.stderr)
            return json.loads(done.stdout)
    print("SKIPPED: Docker Compose 2 is not installed: its file is only read as YAML")
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", FILE.read_text())
    return yaml.safe_load(text)


def port_text(port):
    """HOST:PUBLISHED:TARGET of a port in the long or the short form."""
    if isinstance(port, str):
        return port
    return f"{port.get('host_ip', '')}:{port['published']}:{port['target']}"


def mounted(volume):
    """(source, target) of a volume in the long or the short form."""
    if isinstance(volume, str):
        return tuple(volume.split(":")[:2])
    return volume.get("source", ""), volume["target"]


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = rendered()
        cls.services = cls.compose["services"]

    def test_it_has_the_server_and_what_watches_it(self):
        self.assertEqual(sorted(self.services), ["fourfold", "grafana", "prometheus"])

    def test_ports_are_on_loopback(self):
        for name, service in self.services.items():
            for port in map(port_text, service["ports"]):
                self.assertTrue(port.startswith("127.0.0.1:"), f"{name}: {port}")

    def test_the_server_publishes_the_ports_that_its_image_exposes(self):
        exposed = re.search(r"^EXPOSE (.+)$", (ROOT / "docker/Dockerfile").read_text(), re.MULTILINE)
        published = [port_text(p).split(":")[-1] for p in self.services["fourfold"]["ports"]]
        self.assertEqual(published, exposed.group(1).split())

    def test_nothing_has_privileges(self):
        for name, service in self.services.items():
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertEqual(service["security_opt"], ["no-new-privileges:true"], name)
            self.assertNotIn("privileged", service, name)
        self.assertTrue(self.services["fourfold"]["read_only"])

    def test_the_models_are_on_the_volume_that_the_image_declares(self):
        volumes = dict(map(reversed, map(mounted, self.services["fourfold"]["volumes"])))
        self.assertEqual(volumes, {"/models": "models"})
        self.assertIn("models", self.compose["volumes"])
        self.assertIn("VOLUME /models", (ROOT / "docker/Dockerfile").read_text())

    def test_mounted_files_are_there(self):
        for name, service in self.services.items():
            for source, target in map(mounted, service["volumes"]):
                if "/" in source:
                    self.assertTrue((FILE.parent / source).exists(), f"{name}: {source}")
                else:
                    self.assertIn(source, self.compose["volumes"], f"{name}: {target}")

    def test_prometheus_scrapes_the_servers_metrics_port(self):
        prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
        (job,) = [j for j in prometheus["scrape_configs"] if j["job_name"] == "fourfold"]
        self.assertEqual(job["static_configs"], [{"targets": ["fourfold:8002"]}])

    def test_the_time_to_stop_is_longer_than_the_servers_grace_period(self):
        service = self.services["fourfold"]
        (grace,) = [float(c.split("=")[1]) for c in service["command"]
                    if c.startswith("--grace_period_seconds=")]
        self.assertGreater(float(str(service["stop_grace_period"]).rstrip("s")), grace)


if __name__ == "__main__":
    unittest.main(verbosity=2)
