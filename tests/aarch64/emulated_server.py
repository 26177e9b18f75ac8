"""A fourfold-server for 64-bit ARM, cross-compiled, run on this machine under qemu-user.

FOURFOLD_AARCH64_BIN_DIR: where the programs are, default build/aarch64/bin. FOURFOLD_EMULATOR: what
runs them, as CMake's CMAKE_CROSSCOMPILING_EMULATOR; default qemu-aarch64 with the libraries of
deploy/build/sysroot.sh.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import fourfold_testbed as testbed  # noqa: E402

BIN_DIR = pathlib.Path(os.environ.get("FOURFOLD_AARCH64_BIN_DIR",
                                      testbed.ROOT / "build/aarch64/bin"))


def emulator():
    """The command in front of an arm64 program."""
    given = os.environ.get("FOURFOLD_EMULATOR")
    if given:
        return shlex.split(given)
    sysroot = subprocess.run([testbed.ROOT / "deploy/build/sysroot.sh", "--prefix"],
                             capture_output=True, text=True, check=True).stdout.strip()
    return ["qemu-aarch64", "-L", sysroot]


def require_emulation():
    if not (BIN_DIR / "fourfold-server").exists():
        testbed.skip(f"no arm64 programs in {BIN_DIR}; ./check --aarch64 builds them")
    if not shutil.which(emulator()[0]):
        testbed.skip(f"{emulator()[0]} is not installed, Debian's package is qemu-user")


class EmulatedServer(testbed.Server):
    """`cpu` is one of `qemu-aarch64 -cpu help`. The quantizer runs under emulation, too."""

    def __init__(self, cpu, *flags, store=None):
        super().__init__(*flags, store=store)
        self.cpu = cpu
        self.environment = {**os.environ, "QEMU_CPU": cpu}
        self.command = [*emulator(), str(BIN_DIR / "fourfold-server")]
        # The server executes its quantizer, which this machine's kernel cannot by itself.
        wrapper = self.folder / "fourfold-quantize"
        wrapper.write_text("#!/bin/sh\nexec "
                           f"{shlex.join([*emulator(), str(BIN_DIR / 'fourfold-quantize')])} \"$@\"\n")
        wrapper.chmod(0o755)
        self.flags = (f"--quantizer={wrapper}", *self.flags)
