#!/usr/bin/env python3
"""Builds the container image and runs it: as its own user, on a read-only root, without privileges.

    tests/integration/python_env.sh tests/container/image.py [ARCH...] [-- BUILD OPTION...]

ARCH is amd64 or arm64, by default both; arm64 runs under qemu through binfmt_misc. Options behind `--`
go to docker/build.sh. With --no-build the images of the last run are taken.

No daemon and no control groups are needed: buildah builds in a chroot, and the image's files run in a
mount namespace of their own, put together as a container runtime would. So this wants root, buildah,
and docker.io/library/debian:trixie-slim in buildah's store. Exit code 0, 1, or 77 (skipped).

For each image: the server starts from the image's entry point, is healthy by the image's health check,
takes an upload of the digits model with the image's own client, answers with four variants, offers
gRPC's health service and reflection, and ends with 0 on SIGTERM. Prints sizes, start-to-ready time
and resident memory.
"""

import argparse
import json
import os
import pathlib
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import fourfold_testbed as testbed  # noqa: E402

BASE_IMAGE = "docker.io/library/debian:trixie-slim"
NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
SIZE_MAX_BYTES = 80 << 20
READY_TIMEOUT_S = 120


def buildah(*arguments):
    done = testbed.run("buildah", *arguments, timeout=600)
    if done.returncode:
        raise AssertionError(f"buildah {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout.strip()


def require_tools(build):
    if os.geteuid() != 0:
        testbed.skip("mounting an image needs root")
    for tool in ("buildah", "unshare", "setpriv"):
        if not shutil.which(tool):
            testbed.skip(f"{tool} is not installed")
    if build and not buildah("images", "-q", "--filter", f"reference={BASE_IMAGE}"):
        testbed.skip(f"{BASE_IMAGE} is not in buildah's store")


class Image:
    """The files and the configuration of fourfold:ARCH, as a container that nothing is written to."""

    def __init__(self, arch):
        self.arch = arch
        self.container = buildah("from", "--pull-never", f"localhost/fourfold:{arch}")
        self.root = pathlib.Path(buildah("mount", self.container))
        config = json.loads(buildah("inspect", self.container))["Docker"]["config"]
        self.entry_point = config["Entrypoint"]
        self.health_check = config["Healthcheck"]["Test"][1:]  # behind "CMD"
        self.user, self.volumes = config["User"], list(config["Volumes"])
        self.labels, self.ports = config["Labels"], sorted(config["ExposedPorts"])
        self.environment = config["Env"]
        self.content = self.files()
        # What a container runtime makes before it starts anything.
        for folder in ("proc", "dev"):
            (self.root / folder).mkdir(exist_ok=True)

    def files(self):
        """Relative path -> bytes of every file, a link counted as nothing."""
        return {str(p.relative_to(self.root)): 0 if p.is_symlink() else p.stat().st_size
                for p in self.root.rglob("*") if p.is_symlink() or p.is_file()}

    def close(self):
        buildah("rm", self.container)

    def command(self, models, arguments):
        """Runs `arguments` in the image: `models` is mounted at /models, all else is read only."""
        uid, gid = self.user.split(":")
        root = shlex.quote(str(self.root))
        script = " && ".join([
            f"mount --bind {root} {root}", f"mount -o remount,bind,ro {root}",
            f"mount --bind {shlex.quote(str(models))} {root}/models",
            f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev",
            f"exec setpriv --no-new-privs chroot --userspec={uid}:{gid} {root} "
            f"/usr/bin/{shlex.join(arguments)}"])
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]

    def run(self, models, *arguments, address=None, timeout=900):
        environment = dict(entry.split("=", 1) for entry in self.environment)
        if address:
            environment["FOURFOLD_ADDRESS"] = address
        done = testbed.run(*self.command(models, list(arguments)), timeout=timeout,
                           env={"PATH": os.environ["PATH"], **environment,
                                "PATH": f"{environment['PATH']}:{os.environ['PATH']}"})
        if done.returncode:
            raise AssertionError(f"{arguments}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


class RunningServer:
    """The image's entry point, on free loopback ports of this machine."""

    def __init__(self, image):
        self.store = testbed.scratch_folder()
        os.chown(self.store, *map(int, image.user.split(":")))
        ports = self.store / ".ports.json"
        self.log = open(testbed.scratch_folder() / "server.log", "w+b")
        started = time.monotonic()
        self.process = subprocess.Popen(
            [*testbed.DIE_WITH_PARENT,
             *image.command(self.store, [*image.entry_point, "--grpc_listen=127.0.0.1:0",
                                         "--http_listen=127.0.0.1:0", "--metrics_listen=127.0.0.1:0",
                                         "--ports_file=/models/.ports.json"])],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        while not ports.exists():
            if self.process.poll() is not None or time.monotonic() > started + READY_TIMEOUT_S:
                raise AssertionError(f"the server did not start:\n{self.output()}")
            time.sleep(0.001)
        self.ready_ms = 1000 * (time.monotonic() - started)
        self.address = json.loads(ports.read_text())["grpc"]
        # What unshare started, from which by exec the server has come.
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        (self.pid,) = map(int, children.read_text().split())

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def status(self, key):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return line.split(":")[1].split()
        return None

    def resident_bytes(self):
        return int(self.status("VmRSS")[0]) << 10

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(60)


def check_files(image):
    """The image holds what it should and nothing that it should not."""
    names = set(image.content)
    for program in ("fourfold-server", "fourfold-quantize", "fourfold", "fourfold-bench",
                    "fourfold-loadtest"):
        assert f"usr/bin/{program}" in names, f"{program} is missing"
    for name in names:
        assert not name.endswith(("/sh", "/bash", "/apt", "/dpkg")), f"{name} is in the image"
    assert "usr/share/doc/fourfold/LICENSE" in names
    size = sum(image.content.values())
    assert size <= SIZE_MAX_BYTES, f"{size} bytes, {SIZE_MAX_BYTES} at most"
    assert image.user.split(":")[0] not in ("", "0", "root"), image.user
    assert image.volumes == ["/models"] and image.ports == ["8000/tcp", "8001/tcp", "8002/tcp"]
    assert image.labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    return size


def check_grpc(address):
    """Health and reflection register themselves at start-up, which a static linker may drop."""
    try:
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc
        from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
    except ImportError:
        print("SKIPPED: health and reflection: run this with tests/integration/python_env.sh")
        return
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert health.status == health_pb2.HealthCheckResponse.SERVING, health
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([request]), timeout=10))
        services = {service.name for service in answer.list_services_response.service}
        assert {"inference.GRPCInferenceService", "fourfold.v1.VariantService"} <= services, services


def check_image(arch):
    """Runs through all; a row of figures."""
    image = Image(arch)
    try:
        size = check_files(image)
        server = RunningServer(image)
        try:
            assert server.status("NoNewPrivs") == ["1"]
            assert server.status("CapEff") == ["0000000000000000"], server.status("CapEff")
            idle = server.resident_bytes()
            data = testbed.few_digits()
            image.run(data, *image.health_check, address=server.address)
            check_grpc(server.address)
            image.run(data, "fourfold", "upload", "/models/digits.onnx", "--name", "digits",
                      "--calibration=/models/calibration.npz", "--eval=/models/heldout.npz", "--wait",
                      address=server.address)
            for variant in testbed.VARIANTS:
                answer = json.loads(image.run(
                    data, "fourfold", "infer", f"digits@{variant}",
                    "--input=/models/sample.npy", "--format=json", address=server.address))
                assert answer["outputs"][0]["shape"] == [1, 10], answer
            loaded = server.resident_bytes()
            comparison = json.loads(image.run(data, "fourfold", "compare", "digits", "--format=json",
                                              address=server.address))
            assert [row["variant"] for row in comparison["variants"]] == testbed.VARIANTS
            code = server.stop()
            assert code == 0, f"the server ended with {code}:\n{server.output()}"
        except AssertionError:
            print(server.output())
            raise
        finally:
            server.process.kill()
        assert image.files() == image.content, "something was written outside of /models"
    finally:
        image.close()
    programs = image.content["usr/bin/fourfold"]
    return (f"{arch:6} {size / 1e6:9.1f} {programs / 1e6:12.1f} {server.ready_ms:9.0f} "
            f"{idle / 1e6:9.1f} {loaded / 1e6:11.1f}"
            f"{'' if arch == NATIVE else '   under qemu: time and memory are the emulation`s'}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("arch", nargs="*")
    parser.add_argument("--no-build", action="store_true")
    arguments = sys.argv[1:]
    build_options = arguments[arguments.index("--") + 1:] if "--" in arguments else []
    arguments = arguments[:arguments.index("--")] if "--" in arguments else arguments
    options = parser.parse_args(arguments)
    require_tools(not options.no_build)

    rows = []
    for arch in options.arch or ["amd64", "arm64"]:
        if not options.no_build:
            done = subprocess.run(
                [testbed.ROOT / "docker/build.sh", arch, "--isolation", "chroot", "--pull-never",
                 *build_options], env={**os.environ, "CONTAINER_TOOL": "buildah"}, check=False)
            if done.returncode:
                return 1
        if arch != NATIVE and not pathlib.Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
            print(f"SKIPPED: {arch} is built but not run: no qemu-aarch64 in binfmt_misc")
            continue
        rows.append(check_image(arch))
    print("\narch    image MB  programs MB  ready ms   idle MB   digits MB")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
