"""The models of the real-model tests: where they are, how their samples are read, what is expected.

The data is not part of the repository: ../shared/data beside the checkout, or FOURFOLD_SHARED_DATA.
Expected float accuracies are ONNX Runtime's on the same samples; `every_second` is its accuracy on
every second evaluation picture in order of file names, for quicker runs.
"""

import csv
import dataclasses
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import fourfold_testbed as testbed  # noqa: E402

DATA = pathlib.Path(os.environ.get("FOURFOLD_SHARED_DATA",
                                   testbed.ROOT.parent / "shared" / "data"))


@dataclasses.dataclass(frozen=True)
class Model:
    name: str  # file name without .onnx
    short: str  # name on the server and in the table
    top1: float  # of ONNX Runtime in float on all evaluation samples, percent
    every_second: float = 0.0
    labels: str = ""  # file of the picture labels; empty: samples in .npz files
    options: tuple = ()  # how pictures become tensors
    int8_loss: float = 1.5  # largest accepted loss of top-1, points

    @property
    def path(self):
        return DATA / "models/fp32" / f"{self.name}.onnx"

    @property
    def pictures(self):
        return bool(self.labels)


_MINUS_ONE_TO_ONE = ("--layout=nhwc", "--channel_order=rgb", "--mean=127.5,127.5,127.5",
                     "--std=127.5,127.5,127.5")

MODELS = [
    Model("mnist_cnn_cntk", "mnist_cnn", 98.80),
    Model("cifar10_resnet8", "resnet8", 76.10),
    Model("cifar10_resnet20", "resnet20", 81.00),
    Model("kws_dscnn", "kws_dscnn", 91.50),
    Model("imagenet_squeezenet1.1", "squeezenet1.1", 60.63, 60.00, "labels.csv",
          ("--resize=256", "--crop=227", "--layout=nchw", "--channel_order=bgr",
           "--mean=104,117,123", "--scale=1")),
    Model("imagenet_mobilenet_v1_0.25_128", "mobilenet_v1", 45.75, 46.25, "labels_1001.csv",
          ("--resize=146", "--crop=128", *_MINUS_ONE_TO_ONE), int8_loss=2.5),
    Model("imagenet_mobilenet_v2_1.0_224_DEQUANTIZED", "mobilenet_v2", 84.50, 83.25,
          "labels_1001.csv", ("--resize=256", "--crop=224", *_MINUS_ONE_TO_ONE)),
]


def require_data():
    if not (DATA / "models/fp32").is_dir():
        testbed.skip(f"no real models in {os.path.relpath(DATA, testbed.ROOT)} of the checkout; "
                     "FOURFOLD_SHARED_DATA names another place")


def chosen(names):
    """The models that the arguments name, by a part of the name; all without arguments."""
    for name in names:
        if not any(name in m.name or name in m.short for m in MODELS):
            sys.exit(f"no model is named like {name}; there are {', '.join(m.short for m in MODELS)}")
    return [m for m in MODELS if not names or any(n in m.name or n in m.short for n in names)]


def sample_arguments(model, folder, full):
    """Flags of `fourfold upload` for calibration and labelled samples; with pictures and not `full`
    only every second evaluation picture."""
    if not model.pictures:
        return [f"--calibration={DATA / 'samples' / model.name}.calibration.npz",
                f"--eval={DATA / 'samples' / model.name}.eval.npz"]
    pictures, labels = DATA / "imagenet/eval", DATA / "imagenet" / model.labels
    if not full:
        pictures, labels = half(pictures, labels, pathlib.Path(folder))
    return [f"--calibration={DATA / 'imagenet/calibration'}", f"--eval={pictures}",
            f"--labels={labels}", *model.options]


def half(pictures, labels, folder):
    """A folder with every second picture, and its labels."""
    target = folder / f"half-{labels.stem}"
    target.mkdir(parents=True)
    with labels.open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["file"])[::2]
    for row in rows:
        shutil.copyfile(pictures / row["file"], target / row["file"])
    table = folder / f"half-{labels.name}"
    table.write_text("file,class\n" + "".join(f"{r['file']},{r['class']}\n" for r in rows))
    return target, table
