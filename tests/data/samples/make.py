#!/usr/bin/env python3
"""Writes the fixtures of tests/client/samples_*, beside this file, with numpy and Pillow as the
independent oracles: what they wrote is what our readers must read. Deterministic."""

import pathlib

import numpy as np
from numpy.lib import format as npy_format
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]


def write_npy(name, array, version=None):
    with open(HERE / name, "wb") as file:
        npy_format.write_array(file, array, version=version)


def arrays():
    ramp = np.array([[0, 1, 2], [3, 100, 101]])
    for dtype in DTYPES:
        write_npy(f"{dtype}.npy", ramp.astype(dtype))
    write_npy("version2.npy", ramp.astype("f4"), (2, 0))
    write_npy("version3.npy", ramp.astype("f4"), (3, 0))
    write_npy("scalar.npy", np.array(2.5, dtype="f4"))
    write_npy("vector.npy", np.arange(5, dtype="i4"))
    write_npy("empty.npy", np.zeros((0, 3), dtype="f4"))
    write_npy("fortran.npy", np.asfortranarray(ramp.astype("f4")))
    write_npy("big_endian.npy", ramp.astype(">f4"))
    write_npy("complex.npy", ramp.astype("c8"))
    write_npy("text.npy", np.array(["a", "bc"]))
    write_npy("structure.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
    write_npy("objects.npy", np.array([{}, None], dtype=object))


def archives():
    x = np.arange(24, dtype="f4").reshape(4, 2, 3)
    y = np.arange(4, dtype="u1").reshape(4, 1)
    labels = np.array([3, 1, 0, 2], dtype="i4")
    np.savez(HERE / "stored.npz", **{"x": x, "in/y:0": y, "labels": labels})
    np.savez_compressed(HERE / "deflated.npz", **{"x": x, "in/y:0": y, "labels": labels})
    np.savez(HERE / "unequal.npz", x=x, y=y[:3])
    np.savez(HERE / "labels_float.npz", x=x, labels=labels.astype("f4"))
    np.savez(HERE / "labels_few.npz", x=x, labels=labels[:3])
    np.savez(HERE / "labels_negative.npz", x=x, labels=-labels)
    np.savez(HERE / "labels_only.npz", labels=labels)
    np.savez(HERE / "no_samples.npz", x=x[:0])
    np.savez(HERE / "no_sample_axis.npz", x=np.array(1.0, dtype="f4"))
    for dtype in ("f2", "f4", "f8"):
        bad = x.astype(dtype)
        bad[2, 1, 0] = np.nan if dtype == "f4" else -np.inf
        np.savez(HERE / f"not_finite_{dtype}.npz", x=bad)
    np.savez_compressed(HERE / "zeros.npz", x=np.zeros((64, 64, 64), dtype="f4"))


def pictures():
    random = np.random.default_rng(7)
    size = (23, 37)
    y, x = np.mgrid[0:size[0], 0:size[1]]
    waves = np.stack([127 + 120 * np.sin(x / 3), 127 + 120 * np.cos(y / 2), (x * y) % 256], -1)
    pixels = np.clip(waves + random.normal(0, 20, waves.shape), 0, 255).astype("u1")
    picture = Image.fromarray(pixels)
    picture.save(HERE / "picture.png")
    picture.save(HERE / "picture.bmp")
    write_npy("picture.npy", pixels)
    picture.save(HERE / "picture.jpg", quality=95, subsampling=0)
    write_npy("picture_jpg.npy", np.asarray(Image.open(HERE / "picture.jpg")))
    for width, height in ((19, 12), (12, 30), (80, 50), (37, 7), (5, 23), (1, 1)):
        resized = picture.resize((width, height), Image.BILINEAR)
        write_npy(f"picture_{width}x{height}.npy", np.asarray(resized))
    # --resize=16 --crop=11: 37 x 23 scales to 25 x 16; margins 7 and 2.5, halved to even: 2.
    fitted = np.asarray(picture.resize((25, 16), Image.BILINEAR))[2:13, 7:18]
    mean, std = np.array([104, 117, 123], "f4"), np.array([58, 57, 56.5], "f4")
    bgr = (fitted[..., ::-1].astype("f4") * np.float32(0.5) - mean) / std
    write_npy("fitted_bgr_nchw.npy", np.ascontiguousarray(bgr.transpose(2, 0, 1)))
    write_npy("fitted_rgb_nhwc.npy", np.ascontiguousarray(fitted.astype("f4")))
    grey = np.asarray(picture.convert("L").resize((25, 16), Image.BILINEAR))[2:13, 7:18]
    write_npy("fitted_grey.npy", np.ascontiguousarray(grey[None].astype("f4")))


if __name__ == "__main__":
    arrays()
    archives()
    pictures()
