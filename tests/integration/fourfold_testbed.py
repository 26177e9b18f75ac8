"""What the integration tests stand on: a server of their own, the command line, array files.

Only the standard library. Programs come from FOURFOLD_BIN_DIR, default build/release/bin. Each Server
listens on free loopback ports with a store in a temporary folder, and is killed at the latest when
the test program ends, however it ends.
"""

import array
import atexit
import collections
import json
import math
import os
import pathlib
import random as _random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("FOURFOLD_BIN_DIR", ROOT / "build/release/bin"))
DIGITS = ROOT / "tests/data/digits"
VARIANTS = ["fp32", "fp16", "hybrid", "int8"]
DONE, FAILED, WRONG_USAGE = 0, 1, 2


def skip(reason):
    """Ends the test program as skipped."""
    print(f"SKIPPED: {reason}")
    sys.exit(77)


def program(name):
    path = BIN_DIR / name
    if not path.exists():
        sys.exit(f"{path} is missing: build it or set FOURFOLD_BIN_DIR")
    return str(path)


def scratch_folder():
    """A temporary folder that goes when the test program ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fourfold-test."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# In front of a command: it is killed when its parent ends. A preexec_fn would run Python in a fork of
# this process, where gRPC's threads are missing and its fork handlers may abort.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig=KILL"]


class Server:
    """A running fourfold-server. `with Server() as server:` or start/terminate/kill by hand; the
    store outlives a restart. `command` and `environment` may be set before the start."""

    def __init__(self, *flags, store=None):
        self.folder = scratch_folder()
        self.store = pathlib.Path(store) if store else self.folder / "models"
        self.store.mkdir(parents=True, exist_ok=True)
        self.flags = flags
        self.command = None  # what runs the server; None: the program of BIN_DIR
        self.environment = None  # None: this process's
        self.process = None
        self.addresses = {}
        atexit.register(self.kill)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        if self.alive():
            self.terminate()

    @property
    def log(self):
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def grpc(self):
        return self.addresses["grpc"]

    @property
    def metrics_url(self):
        return f"http://{self.addresses['metrics']}/metrics"

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def start(self, timeout=60):
        ports = self.folder / "ports.json"
        ports.unlink(missing_ok=True)
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [*DIE_WITH_PARENT, *(self.command or [program("fourfold-server")]), f"--model_store={self.store}",
                 "--grpc_listen=127.0.0.1:0", "--http_listen=127.0.0.1:0",
                 "--metrics_listen=127.0.0.1:0", f"--ports_file={ports}", *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.addresses = json.loads(ports.read_text())
                return self
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            if not self.alive():
                raise AssertionError(
                    f"the server ended with {self.process.returncode}:\n{self.log[-4000:]}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"no ports file after {timeout} s:\n{self.log[-4000:]}")
            time.sleep(0.05)

    def terminate(self, timeout=60):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def stop(self):
        """SIGSTOP: alive and silent until resume(). Its threads stop one after another."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        wait_until(lambda: all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
                               for task in tasks.iterdir()), "every thread stopped")

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        if self.alive():
            self.process.kill()
            self.process.wait()

    def files(self):
        """Every file of the store, as paths from its root."""
        return sorted(str(p.relative_to(self.store)) for p in self.store.rglob("*") if p.is_file())

    def cli(self, *arguments, **options):
        return cli(*arguments, address=self.grpc, **options)

    def cli_json(self, *arguments, **options):
        """The one JSON object that the command prints."""
        done = self.cli(*arguments, "--format=json", **options)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise AssertionError(f"{arguments}: not one JSON object: {error}\n{done.stdout}") from None

    def upload_digits(self, name="digits", *flags, **options):
        return self.cli("upload", DIGITS / "digits.onnx", "--name", name,
                        f"--calibration={DIGITS / 'calibration.npz'}",
                        f"--eval={DIGITS / 'heldout.npz'}", "--wait", *flags,
                        timeout=options.pop("timeout", 300), **options)

    def infer(self, model, arrays, expect=DONE):
        """Calls the model with {tensor name: Array}; {output name: Array}, or the finished command
        where another exit code than 0 is expected."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        inputs = []
        for number, (name, value) in enumerate(arrays.items()):
            write_npy(folder / f"{number}.npy", value)
            inputs.append(f"--input={name + '=' if name else ''}{folder / f'{number}.npy'}")
        done = self.cli("infer", model, *inputs, f"--output={folder / 'out.npz'}", expect=expect)
        return read_npz(folder / "out.npz") if expect == DONE else done


def cli(*arguments, address=None, expect=DONE, timeout=120):
    """Runs `fourfold` and checks its exit code; None accepts any."""
    environment = dict(os.environ)
    environment.pop("FOURFOLD_ADDRESS", None)
    if address:
        environment["FOURFOLD_ADDRESS"] = address
    done = run(program("fourfold"), *arguments, timeout=timeout, env=environment)
    if expect is not None and done.returncode != expect:
        raise AssertionError(
            f"fourfold {' '.join(map(str, arguments))}: exit code {done.returncode}, wanted {expect}"
            f"\nstdout: {done.stdout[-3000:]}\nstderr: {done.stderr[-3000:]}")
    return done


def run(*arguments, timeout=120, env=None):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, env=env, check=False)


def wait_until(condition, what, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)


def processes_naming(text):
    """Command lines of running processes that contain `text`, without this one's own."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if text in line and state != "Z":
            found.append(line)
    return found


# ---- array files ---------------------------------------------------------------------------------

# dtype as in an .npy header ("<f4"), shape a tuple, values a flat sequence in row-major order.
Array = collections.namedtuple("Array", "dtype shape values")
_CODES = {"<f4": "f", "<f8": "d", "<i4": "i", "<i8": "q", "|u1": "B", "|i1": "b", "<u2": "H"}


def floats(shape, values):
    return Array("<f4", tuple(shape), list(values))


def npy_bytes(value):
    header = (f"{{'descr': '{value.dtype}', 'fortran_order': False, "
              f"'shape': ({''.join(f'{d}, ' for d in value.shape)}), }}")
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
            array.array(_CODES[value.dtype], value.values).tobytes())


def write_npy(path, value):
    pathlib.Path(path).write_bytes(npy_bytes(value))


def write_npz(path, arrays):
    with zipfile.ZipFile(path, "w") as file:
        for name, value in arrays.items():
            file.writestr(f"{name}.npy", npy_bytes(value))


def parse_npy(content):
    if content[:6] != b"\x93NUMPY":
        raise ValueError("not an .npy file")
    size, start = (struct.unpack("<H", content[8:10])[0], 10) if content[6] == 1 else (
        struct.unpack("<I", content[8:12])[0], 12)
    header = eval(content[start:start + size].decode(), {"__builtins__": {}})  # a literal we wrote
    if header["fortran_order"]:
        raise ValueError("column-major arrays are not used here")
    values = array.array(_CODES[header["descr"]])
    values.frombytes(content[start + size:])
    shape = tuple(header["shape"])
    if len(values) != math.prod(shape):
        raise ValueError(f"{len(values)} elements in a shape of {shape}")
    return Array(header["descr"], shape, values)


def read_npz(path):
    with zipfile.ZipFile(path) as file:
        return {name.removesuffix(".npy"): parse_npy(file.read(name)) for name in file.namelist()}


def digits_samples(count, path=DIGITS / "heldout.npz"):
    """The digits model's input name, `count` held-out samples [1, 1, 8, 8] each, their labels."""
    arrays = read_npz(path)
    labels = list(arrays.pop("labels").values)[:count] if "labels" in arrays else None
    (name, data), = arrays.items()
    one = data.shape[1:] if len(data.shape) == 4 else data.shape
    size = math.prod(one)
    samples = [Array(data.dtype, (1, *one), data.values[i * size:(i + 1) * size])
               for i in range(count)]
    return name, samples, labels


def few_digits(calibration=32, evaluation=100):
    """A folder as DIGITS with few samples, for servers that are emulated; any user may read it."""
    folder = scratch_folder()
    folder.chmod(0o755)
    for name in ("digits.onnx", "sample.npy"):
        shutil.copyfile(DIGITS / name, folder / name)
    for name, count in (("calibration.npz", calibration), ("heldout.npz", evaluation)):
        write_npz(folder / name, {
            key: Array(a.dtype, (count, *a.shape[1:]), a.values[:count * math.prod(a.shape[1:])])
            for key, a in read_npz(DIGITS / name).items()})
    return folder


def top_class(output):
    return max(range(len(output.values)), key=lambda i: output.values[i])


# ---- ONNX bytes ----------------------------------------------------------------------------------


def _varint(value):
    out = bytearray()
    while True:
        out.append((value & 0x7F) | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def _field(number, value):
    """A protobuf field: an integer, or text, or bytes of a message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def onnx_chain(operators, shape=(1, 4), opset=13):
    """The bytes of an ONNX model that applies unary operators one after another to a float input
    `x`; operators are names of the standard domain."""
    nodes, value = b"", "x"
    for number, operator in enumerate(operators):
        result = f"v{number}"
        nodes += _field(1, _field(1, value) + _field(2, result) + _field(3, f"node{number}") +
                        _field(4, operator))
        value = result
    dims = b"".join(_field(1, _field(1, d)) for d in shape)
    kind = _field(1, _field(1, 1) + _field(2, dims))  # float tensor
    graph = (nodes + _field(2, "chain") + _field(11, _field(1, "x") + _field(2, kind)) +
             _field(12, _field(1, value) + _field(2, kind)))
    return _field(1, 7) + _field(7, graph) + _field(8, _field(1, "") + _field(2, opset))


def onnx_mlp(width, layers, seed=1):
    """The bytes of an ONNX model of `layers` fully connected layers with Relu between them, input `x`
    and output `y` float [N, width]: little arithmetic for its weights, so that batches pay."""
    random = _random.Random(seed)
    # Numbers that repeat, but not with the rows: millions of new ones would take seconds.
    some = array.array("f", (random.gauss(0, math.sqrt(2 / width)) for _ in range(65537)))
    initializers, nodes, value = b"", b"", "x"
    for layer in range(layers):
        start = random.randrange(len(some))
        weights = (some * (width * width // len(some) + 2))[start:start + width * width]
        initializers += _field(5, _field(1, width) + _field(1, width) + _field(2, 1) +
                               _field(8, f"w{layer}") + _field(9, weights.tobytes()))
        product = "y" if layer == layers - 1 else f"p{layer}"
        nodes += _field(1, _field(1, value) + _field(1, f"w{layer}") + _field(2, product) +
                        _field(3, f"matmul{layer}") + _field(4, "MatMul"))
        value = product
        if layer < layers - 1:
            nodes += _field(1, _field(1, product) + _field(2, f"r{layer}") +
                            _field(3, f"relu{layer}") + _field(4, "Relu"))
            value = f"r{layer}"
    dims = _field(1, _field(2, "N")) + _field(1, _field(1, width))
    kind = _field(1, _field(1, 1) + _field(2, dims))
    graph = (nodes + _field(2, "mlp") + initializers + _field(11, _field(1, "x") + _field(2, kind)) +
             _field(12, _field(1, "y") + _field(2, kind)))
    return _field(1, 7) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))
