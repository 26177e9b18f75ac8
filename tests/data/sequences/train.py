#!/usr/bin/env python3
"""Trains two small sequence models on the bundled digits and writes them as ONNX with their samples.

    train.py FOLDER

  encoder_13.onnx, encoder_17.onnx   a transformer encoder: tokens int64 [N, 16] -> logits [N, 10].
      Token = the four pixels of a 2x2 patch, each in one of 5 levels; embedding 625 x 64 and
      positions, 2 layers of 4 heads, dimension 64, LayerNorm in front, Gelu. Opset 13 spells out
      LayerNorm, opset 17 has LayerNormalization.
  gru.onnx                           a GRU over the rows of a picture: rows [N, T, 8] -> logits [N, 10]
  encoder.calibration.npz, encoder.eval.npz, gru.calibration.npz, gru.eval.npz

Two thirds of the labelled pictures are trained on, the last third is for evaluation. Needs numpy and
onnx; deterministic but for the order of float sums; less than a minute on one core.
"""

import math
import pathlib
import sys
import time

import numpy as np
import onnx
from onnx import helper, numpy_helper

import autograd
from autograd import Value

DIGITS = pathlib.Path(__file__).resolve().parent.parent / "digits"
LEVELS, TOKENS, WIDTH, HEADS, LAYERS, INNER, HIDDEN = 5, 16, 64, 4, 2, 128, 64
GENERATOR = np.random.default_rng(20261121)


def load_digits():
    with np.load(DIGITS / "heldout.npz") as arrays:
        images, labels = arrays["image"][:, 0], arrays["labels"]
    with np.load(DIGITS / "calibration.npz") as arrays:
        calibration = arrays["image"][:, 0]
    return images[:360], labels[:360], images[360:], labels[360:], calibration


def shifted(images):
    """Each picture moved by -1, 0 or 1 pixels in both directions."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    moves = GENERATOR.integers(0, 3, (len(images), 2))
    return np.stack([p[y:y + 8, x:x + 8] for p, (y, x) in zip(padded, moves)])


def levels_of(images):
    """The pixels of 2x2 patches in LEVELS levels: [N, 16, 4]."""
    levels = np.clip(np.floor(images * LEVELS), 0, LEVELS - 1)
    return levels.reshape(-1, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(-1, TOKENS, 4)


def tokens_of(images):
    return (levels_of(images) @ (LEVELS ** np.arange(4))).astype(np.int64)


def pixels_of(levels):
    return (levels + 0.5) / LEVELS - 0.5


def parameter(*shape, scale=None):
    scale = 1 / math.sqrt(shape[0]) if scale is None else scale
    return Value(GENERATOR.normal(0, scale, shape))


def linear(inputs, outputs):
    return parameter(inputs, outputs), Value(np.zeros(outputs))


def norm():
    return Value(np.ones(WIDTH)), Value(np.zeros(WIDTH))


class Encoder:
    """While it is trained, a token's embedding is a linear function of its pixels; the table is made
    of that at the end, so that patches that no training picture has are embedded sensibly."""

    def __init__(self):
        self.embedding = linear(4, WIDTH)
        self.positions = parameter(TOKENS, WIDTH, scale=0.3)
        self.layers = [{"norm1": norm(), "query": linear(WIDTH, WIDTH), "key": linear(WIDTH, WIDTH),
                        "value": linear(WIDTH, WIDTH), "out": linear(WIDTH, WIDTH), "norm2": norm(),
                        "up": linear(WIDTH, INNER), "down": linear(INNER, WIDTH)}
                       for _ in range(LAYERS)]
        self.norm = norm()
        self.head = linear(WIDTH, 10)

    def parameters(self):
        pairs = [self.embedding, self.norm, self.head]
        pairs += [pair for layer in self.layers for pair in layer.values()]
        return [self.positions] + [p for pair in pairs for p in pair]

    def heads(self, x, pair):
        return (x @ pair[0] + pair[1]).reshape(-1, TOKENS, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)

    def __call__(self, images):
        x = Value(pixels_of(levels_of(images))) @ self.embedding[0] + self.embedding[1]
        x = x + self.positions
        for layer in self.layers:
            y = autograd.layer_norm(x, *layer["norm1"])
            query, key, value = (self.heads(y, layer[name]) for name in ("query", "key", "value"))
            scores = (query @ key.transpose(0, 1, 3, 2)) * (1 / math.sqrt(WIDTH // HEADS))
            mixed = (autograd.softmax(scores) @ value).transpose(0, 2, 1, 3)
            x = x + (mixed.reshape(-1, TOKENS, WIDTH) @ layer["out"][0] + layer["out"][1])
            y = autograd.layer_norm(x, *layer["norm2"])
            y = autograd.gelu(y @ layer["up"][0] + layer["up"][1])
            x = x + (y @ layer["down"][0] + layer["down"][1])
        return autograd.layer_norm(x.mean(1), *self.norm) @ self.head[0] + self.head[1]

    def table(self):
        tokens = np.arange(LEVELS ** 4)
        levels = np.stack([tokens // LEVELS ** i % LEVELS for i in range(4)], -1)
        return pixels_of(levels).astype(np.float32) @ self.embedding[0].data + self.embedding[1].data


class Gru:
    """One layer, ONNX's gates z r h with the reset gate in front of the product."""

    def __init__(self):
        self.of_x = linear(8, 3 * HIDDEN)
        self.of_h = parameter(HIDDEN, 2 * HIDDEN)
        self.of_reset = parameter(HIDDEN, HIDDEN)
        self.head = linear(HIDDEN, 10)

    def parameters(self):
        return [*self.of_x, self.of_h, self.of_reset, *self.head]

    def __call__(self, images):
        h = Value(np.zeros((len(images), HIDDEN)))
        for row in range(images.shape[1]):
            x = Value(images[:, row]) @ self.of_x[0] + self.of_x[1]
            gates = autograd.sigmoid(x.columns(0, 2 * HIDDEN) + h @ self.of_h)
            update, reset = gates.columns(0, HIDDEN), gates.columns(HIDDEN, 2 * HIDDEN)
            candidate = autograd.tanh(x.columns(2 * HIDDEN, 3 * HIDDEN) + (reset * h) @ self.of_reset)
            h = candidate + update * (h - candidate)
        return h @ self.head[0] + self.head[1]


def train(name, model, epochs, rate):
    images, labels, test_images, test_labels, _ = load_digits()
    optimizer = autograd.Adam(model.parameters(), rate)
    batch, started = 60, time.monotonic()
    total = epochs * (len(images) // batch)
    for _ in range(epochs):
        order = GENERATOR.permutation(len(images))
        for first in range(0, len(images), batch):
            index = order[first:first + batch]
            autograd.differentiate(
                autograd.cross_entropy(model(shifted(images[index])), labels[index]))
            done = optimizer.steps / total
            optimizer.step(min(1.0, 10 * done + 0.05) * (1 - done))
    right = np.mean(np.argmax(model(test_images).data, -1) == test_labels)
    print(f"{name}: {right:.4f} of the evaluation pictures right, "
          f"{time.monotonic() - started:.0f} s", flush=True)


class GraphWriter:
    """Nodes and constants of an ONNX graph under way."""

    def __init__(self):
        self.nodes, self.constants, self.names = [], [], 0

    def constant(self, array, dtype=np.float32):
        self.names += 1
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), f"c{self.names}"))
        return f"c{self.names}"

    def add(self, op_type, *inputs, output=None, outputs=1, **attributes):
        self.names += 1
        names = [output or f"v{self.names}"]
        names = [""] * (outputs - 1) + names
        self.nodes.append(helper.make_node(op_type, list(inputs), names, **attributes))
        return names[-1]

    def linear(self, x, pair, output=None):
        product = self.add("MatMul", x, self.constant(pair[0].data))
        return self.add("Add", product, self.constant(pair[1].data), output=output)

    def layer_norm(self, x, pair, opset):
        scale, bias = self.constant(pair[0].data), self.constant(pair[1].data)
        if opset >= 17:
            return self.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)
        centred = self.add("Sub", x, self.add("ReduceMean", x, axes=[-1]))
        square = self.add("Pow", centred, self.constant(2.0))
        variance = self.add("ReduceMean", square, axes=[-1])
        deviation = self.add("Sqrt", self.add("Add", variance, self.constant(1e-5)))
        normal = self.add("Div", centred, deviation)
        return self.add("Add", self.add("Mul", normal, scale), bias)

    def gelu(self, x):
        erf = self.add("Erf", self.add("Div", x, self.constant(math.sqrt(2))))
        product = self.add("Mul", x, self.add("Add", erf, self.constant(1.0)))
        return self.add("Mul", product, self.constant(0.5))

    def write(self, path, opset, inputs, outputs):
        graph = helper.make_graph(self.nodes, path.stem, inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())


def write_encoder(model, path, opset):
    g = GraphWriter()
    size = WIDTH // HEADS
    split = g.constant([0, TOKENS, HEADS, size], np.int64)
    join = g.constant([0, TOKENS, WIDTH], np.int64)
    x = g.add("Gather", g.constant(model.table()), "tokens")
    x = g.add("Add", x, g.constant(model.positions.data))
    for layer in model.layers:
        y = g.layer_norm(x, layer["norm1"], opset)
        heads = {}
        for name in ("query", "key", "value"):
            heads[name] = g.add("Transpose", g.add("Reshape", g.linear(y, layer[name]), split),
                                perm=[0, 2, 3, 1] if name == "key" else [0, 2, 1, 3])
        scores = g.add("MatMul", heads["query"], heads["key"])
        scores = g.add("Div", scores, g.constant(math.sqrt(size)))
        mixed = g.add("MatMul", g.add("Softmax", scores, axis=-1), heads["value"])
        mixed = g.add("Reshape", g.add("Transpose", mixed, perm=[0, 2, 1, 3]), join)
        x = g.add("Add", x, g.linear(mixed, layer["out"]))
        y = g.gelu(g.linear(g.layer_norm(x, layer["norm2"], opset), layer["up"]))
        x = g.add("Add", x, g.linear(y, layer["down"]))
    x = g.add("ReduceMean", x, axes=[1], keepdims=0)
    g.linear(g.layer_norm(x, model.norm, opset), model.head, output="logits")
    g.write(path, opset,
            [helper.make_tensor_value_info("tokens", onnx.TensorProto.INT64, ["N", TOKENS])],
            [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", 10])])


def write_gru(model, path):
    g = GraphWriter()
    weights = model.of_x[0].data.T[None]
    recurrence = np.concatenate([model.of_h.data, model.of_reset.data], 1).T[None]
    bias = np.concatenate([model.of_x[1].data, np.zeros(3 * HIDDEN, np.float32)])[None]
    x = g.add("Transpose", "rows", perm=[1, 0, 2])
    h = g.add("GRU", x, g.constant(weights), g.constant(recurrence), g.constant(bias), outputs=2,
              hidden_size=HIDDEN)
    h = g.add("Squeeze", h, g.constant([0], np.int64))
    g.linear(h, model.head, output="logits")
    g.write(path, 13, [helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, ["N", "T", 8])],
            [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", 10])])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    _, _, images, labels, calibration = load_digits()

    encoder = Encoder()
    train("encoder", encoder, epochs=60, rate=3e-3)
    write_encoder(encoder, folder / "encoder_13.onnx", 13)
    write_encoder(encoder, folder / "encoder_17.onnx", 17)
    np.savez(folder / "encoder.calibration.npz", tokens=tokens_of(calibration))
    np.savez(folder / "encoder.eval.npz", tokens=tokens_of(images), labels=labels)

    gru = Gru()
    train("gru", gru, epochs=60, rate=5e-3)
    write_gru(gru, folder / "gru.onnx")
    np.savez(folder / "gru.calibration.npz", rows=calibration)
    np.savez(folder / "gru.eval.npz", rows=images, labels=labels)


if __name__ == "__main__":
    main()
