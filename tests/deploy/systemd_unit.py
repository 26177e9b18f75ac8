#!/usr/bin/env python3
"""deploy/systemd: systemd's own check of the unit and its rating, flags that the server knows, and
system calls that server and quantizer make."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
import fourfold_testbed as testbed  # noqa: E402  pylint: disable=wrong-import-position

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


def members(group):
    """The system calls of a group of systemd's, with those of the groups in it."""
    told = run("systemd-analyze", "syscall-filter", group).stdout.split("\n")[1:]
    names = {line.strip() for line in told if line.strip() and not line.strip().startswith("#")}
    return set().union(*(members(name) if name.startswith("@") else {name} for name in names))


def allowed():
    """The system calls that the unit's filters leave, each line of them adding or taking away."""
    calls = set()
    for line in re.findall(r"(?m)^SystemCallFilter=(.*)$", UNIT):
        named = set().union(*(members(word) if word.startswith("@") else {word}
                              for word in line.removeprefix("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


class SystemCallsTest(unittest.TestCase):
    """What server and quantizer do while they start, quantize, serve and stop, under strace."""

    def test_the_unit_forbids_no_call_that_they_make(self):
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        folder = testbed.scratch_folder()
        for name in ("fourfold", "fourfold-quantize"):
            (folder / name).symlink_to(testbed.program(name))
        wrapper = folder / "fourfold-server"
        wrapper.write_text(f"#!/bin/sh\nexec strace -D -f -qq -o {folder}/trace "
                           f"{testbed.program('fourfold-server')} \"$@\"\n")
        wrapper.chmod(0o755)
        self.addCleanup(setattr, testbed, "BIN_DIR", testbed.BIN_DIR)
        testbed.BIN_DIR = folder
        with testbed.Server() as server:
            server.upload_digits()
            for variant in testbed.VARIANTS:
                server.cli("infer", f"digits@{variant}",
                           f"--input={testbed.DIGITS / 'sample.npy'}")
            urllib.request.urlopen(server.metrics_url, timeout=30).close()
            server.cli("delete", "digits")
            self.assertEqual(server.terminate(), 0)
        trace = (folder / "trace").read_text(errors="replace")
        calls = set(re.findall(r"(?m)^\d+ +(\w+)\(", trace))
        print(f"{len(calls)} different system calls")
        self.assertIn("setpriority", calls)  # of the quantizer, before it starts
        self.assertEqual(sorted(calls - allowed()), [])
        families = set(re.findall(r"\bsocket\((\w+)", trace))
        self.assertLessEqual(families, set(value("RestrictAddressFamilies").split()))


if __name__ == "__main__":
    if not shutil.which("systemd-analyze"):
        print("SKIPPED: systemd-analyze (Debian: systemd) is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
