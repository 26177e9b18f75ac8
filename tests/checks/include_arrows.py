#!/usr/bin/env python3
"""Every include of one of the project's own headers obeys the layers of ARCHITECTURE.md.

A folder includes itself and folders of lower levels, never its own level or above:

    6  server/tools, server/main.*, server/server.*
    5  server/rpc  server/http
    4  server/schedule  server/publish
    3  server/registry  server/quantize
    2  server/runtime  server/onnx  server/tflite  server/passes
    1  server/graph  server/store  server/telemetry  server/report
    0  server/base  kernels  proto

Beside the ladder: kernels includes only kernels; proto is seen by server/rpc, server/server.*, client
and tests only (the generated onnx messages are server/onnx's own, the flatbuffers tables server/tflite's); client includes client and proto,
loadtest also client, neither anything of server or kernels; server/tools may read samples with
client/samples. Of client/cli, server/tools and loadtest share flags, tables and progress lines only.
Tests see everything.

    include_arrows.py [ROOT]     checks the tree, prints each offence as file:line, exit code 0 or 1
    include_arrows.py --self-test
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

LEVELS = {
    "kernels": 0, "proto": 0, "server/base": 0,
    "server/graph": 1, "server/store": 1, "server/telemetry": 1, "server/report": 1,
    "server/runtime": 2, "server/onnx": 2, "server/tflite": 2, "server/passes": 2,
    "server/registry": 3, "server/quantize": 3,
    "server/schedule": 4, "server/publish": 4,
    "server/rpc": 5, "server/http": 5,
    "server/tools": 6, "server/wiring": 6,
}
PROTO_READERS = {"server/rpc", "server/wiring", "client"}
BESIDE = {"client": {"client", "proto"}, "loadtest": {"loadtest", "client", "proto"}}
# What other programs share with the command `fourfold`: the library fourfold::terminal.
TERMINAL = {"client/cli/flags.h", "client/cli/layers_text.h", "client/cli/progress.h",
            "client/cli/table.h"}
SUFFIXES = {".cc", ".h", ".cpp", ".hpp", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def folder_of(path):
    """The folder of the ladder that a path from the root belongs to; None for what is not ours."""
    parts = pathlib.PurePosixPath(path).parts
    if not parts:
        return None
    if parts[0] == "server":
        if len(parts) == 2:
            return "server/wiring"  # main.cc, server.h, server.cc
        return "server/" + parts[1]
    if parts[0] in ("kernels", "proto", "client", "loadtest", "tests"):
        return parts[0]
    return None


def offence(source, included):
    """Why `source` must not include `included`; None where it may."""
    here, there = folder_of(source), folder_of(included)
    if there is None or here is None or here == "tests" or here == there:
        return None
    if there == "tests":
        return f"{here} includes tests"
    if here in BESIDE:
        if here == "loadtest" and included.startswith("client/cli/") and included not in TERMINAL:
            return f"loadtest includes of client/cli only {', '.join(sorted(TERMINAL))}"
        if there in BESIDE[here]:
            return None
        return f"{here} includes only {', '.join(sorted(BESIDE[here]))}"
    if here not in LEVELS:
        return f"{here} is not in the ladder: give it a level in tests/checks/include_arrows.py"
    if here == "kernels":
        return "kernels includes only kernels"
    if there == "client":
        if here == "server/tools" and (included in TERMINAL or
                                       included.startswith("client/samples/")):
            return None
        return f"{here} includes client"
    if there == "loadtest":
        return f"{here} includes loadtest"
    if there == "proto":
        return None if here in PROTO_READERS else f"{here} must not know proto"
    if there not in LEVELS:
        return f"{there} is not in the ladder: give it a level in tests/checks/include_arrows.py"
    if LEVELS[there] >= LEVELS[here]:
        return (f"{here} (level {LEVELS[here]}) includes {there} (level {LEVELS[there]}): "
                "only lower levels are allowed")
    return None


def tracked(root):
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return listed.stdout.splitlines()
    return [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]


def check(root):
    """All offences of the tree under root, as file:line messages, and the number of files read."""
    offences, files = [], 0
    for name in tracked(root):
        path = root / name
        if path.suffix not in SUFFIXES or folder_of(name) is None or not path.is_file():
            continue
        files += 1
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            reason = offence(name, match.group(1))
            if reason:
                offences.append(f"{name}:{number}: {reason} (includes {match.group(1)})")
    return offences, files


class IncludeArrowsTest(unittest.TestCase):
    def test_lower_levels_and_the_own_folder_are_allowed(self):
        for source, included in [
                ("server/runtime/plan.cc", "kernels/convolution.h"),
                ("server/runtime/plan.cc", "server/graph/graph.h"),
                ("server/runtime/plan.cc", "server/runtime/arena.h"),
                ("server/rpc/codec.cc", "proto/inference/grpc_predict_v2.pb.h"),
                ("server/server.cc", "server/rpc/variant_service.h"),
                ("server/main.cc", "server/server.h"),
                ("server/tools/quantize_main.cc", "client/samples/npz.h"),
                ("server/tools/quantize_main.cc", "client/cli/flags.h"),
                ("loadtest/recorder.cc", "client/client.h"),
                ("loadtest/inputs.cc", "client/samples/npz.h"),
                ("loadtest/text.cc", "client/cli/table.h"),
                ("kernels/onednn/matmul.cc", "kernels/matmul.h"),
                ("tests/rpc/codec_test.cc", "server/rpc/codec.h"),
                ("server/rpc/codec.cc", "absl/status/status.h")]:
            self.assertIsNone(offence(source, included), f"{source} -> {included}")

    def test_forbidden_includes_are_found(self):
        for source, included in [
                ("server/graph/graph.cc", "server/runtime/plan.h"),
                ("server/runtime/plan.cc", "server/onnx/import.h"),
                ("server/base/log.cc", "kernels/tensor.h"),
                ("server/schedule/batcher.cc", "proto/inference/grpc_predict_v2.pb.h"),
                ("server/rpc/codec.cc", "server/http/rest.h"),
                ("server/rpc/codec.cc", "client/samples/npz.h"),
                ("server/tools/quantize_main.cc", "client/client.h"),
                ("server/tools/quantize_main.cc", "client/cli/command.h"),
                ("server/rpc/codec.cc", "client/cli/table.h"),
                ("client/client.cc", "server/base/status_macros.h"),
                ("client/client.cc", "kernels/tensor.h"),
                ("client/cli/compare.cc", "server/report/report.h"),
                ("loadtest/recorder.cc", "server/schedule/batcher.h"),
                ("loadtest/main.cc", "client/cli/command.h"),
                ("kernels/matmul.cc", "server/base/status_macros.h"),
                ("server/graph/graph.cc", "tests/testing/builders.h"),
                ("server/misc/odds.cc", "server/graph/graph.h")]:
            self.assertIsNotNone(offence(source, included), f"{source} -> {included}")

    def test_a_forbidden_include_in_a_file_is_reported_with_its_line(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "server/graph").mkdir(parents=True)
            (root / "server/graph/graph.cc").write_text(
                '#include <vector>\n\n#include "server/rpc/codec.h"\n')
            offences, files = check(root)
        self.assertEqual(files, 1)
        self.assertEqual(len(offences), 1)
        self.assertTrue(offences[0].startswith("server/graph/graph.cc:3: "), offences[0])


def main():
    if "--self-test" in sys.argv[1:]:
        sys.argv.remove("--self-test")
        unittest.main()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                        pathlib.Path(__file__).resolve().parents[2])
    offences, files = check(root)
    for line in offences:
        print(line)
    print(f"{files} files, {len(offences)} includes against the arrows")
    if files == 0:
        print("no source file found: nothing was checked")
        return 1
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
