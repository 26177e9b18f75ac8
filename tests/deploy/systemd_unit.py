#!/usr/bin/env python3
"""deploy/systemd: systemd's own check of the unit and its rating, and flags the server knows."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/systemd"
EXPOSURE_MOST = 1.5  # of 10
UNIT = (FOLDER / "fourfold-server.service").read_text()


def run(*arguments):
    return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False)


def value(key):
    """The last value that the unit gives to `key`."""
    return re.findall(rf"(?m)^{key}=(.*)$", UNIT)[-1]


class SystemdUnitTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fourfold-test.")
        self.addCleanup(folder.cleanup)
        # The program need not be installed here.
        self.unit = pathlib.Path(folder.name) / "fourfold-server.service"
        self.unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT))

    def test_systemd_understands_every_line(self):
        done = run("systemd-analyze", "verify", self.unit)
        own = [line for line in (done.stdout + done.stderr).splitlines() if "fourfold" in line]
        self.assertEqual((done.returncode, own), (0, []))

    def test_a_misspelt_line_would_be_found(self):
        self.unit.write_text(UNIT.replace("NoNewPrivileges=", "NoNewPrivilege="))
        done = run("systemd-analyze", "verify", self.unit)
        self.assertIn("NoNewPrivilege", done.stdout + done.stderr)

    def test_it_is_shut_in_as_the_readme_says(self):
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", self.unit)
        if "unrecognized option" in done.stderr:
            self.skipTest("this systemd-analyze cannot rate a file (systemd 250 and newer can)")
        found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
        self.assertTrue(found, done.stdout + done.stderr)
        print(found.group(0))
        self.assertLessEqual(float(found.group(1)), EXPOSURE_MOST)

    def test_stopping_takes_longer_than_the_server_may(self):
        grace = re.search(r"grace_period = absl::Seconds\((\d+)\)",
                          (ROOT / "server/server.h").read_text())
        self.assertTrue(grace, "server/server.h no longer says the default grace period so")
        self.assertGreaterEqual(int(value("TimeoutStopSec")), int(grace.group(1)) + 5)
        self.assertEqual(value("KillSignal"), "SIGTERM")

    def test_machine_code_may_be_written_at_run_time(self):
        self.assertEqual(value("MemoryDenyWriteExecute"), "no")

    def test_the_server_knows_every_flag(self):
        flags = set(re.findall(r"--(\w+)=", UNIT + (FOLDER / "fourfold.conf").read_text()))
        known = set(re.findall(r"ABSL_FLAG\([^,]+(?:<[^>]*>)?, (\w+),",
                               (ROOT / "server/main.cc").read_text()))
        self.assertIn("model_store", flags)
        self.assertLessEqual(flags, known)

    def test_the_configuration_listens_on_loopback_only(self):
        options = re.search(r"(?m)^FOURFOLD_OPTIONS=(.*)$", (FOLDER / "fourfold.conf").read_text())
        hosts = re.findall(r"--\w+_listen=([^:\s]+):", options.group(1))
        self.assertEqual(hosts, ["127.0.0.1"] * 3)


if __name__ == "__main__":
    if not shutil.which("systemd-analyze"):
        print("SKIPPED: systemd-analyze (Debian: systemd) is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
