"""ONNX models that keep their weights in files beside them, of any size: written piece by piece."""

import array
import collections
import math
import random

from fourfold_testbed import _field as field

# A period that is no divisor of a row, so that rows differ; writing millions of new numbers would take
# minutes.
PERIOD = 65537
FLOAT = 1

# Where a tensor's elements lie: file relative to the model, first byte, bytes.
Place = collections.namedtuple("Place", "location offset length")


def pattern(width, seed):
    """PERIOD float32 numbers of the standard deviation that keeps the size of activations behind Relu."""
    source = random.Random(seed)
    return array.array("f", (source.gauss(0, math.sqrt(2 / width)) for _ in range(PERIOD)))


def layer_start(layer):
    """Where in the pattern the weights of a layer begin."""
    return layer * 7919 % PERIOD


def write_weights(path, numbers, width, layers, offset=0):
    """Appends width x width float32 numbers for each of `layers` to the file, from byte `offset` on; the
    places relative to that file's name."""
    places = []
    with open(path, "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        for layer in layers:
            start = file.tell()
            turned = numbers[layer_start(layer):] + numbers[:layer_start(layer)]
            left = width * width
            while left >= PERIOD:
                file.write(turned.tobytes())
                left -= PERIOD
            file.write(turned[:left].tobytes())
            places.append((start, width * width * 4))
    return places


def external_tensor(name, dims, entries, data_type=FLOAT):
    """A TensorProto whose elements lie elsewhere; `entries` are pairs of texts."""
    return (b"".join(field(1, d) for d in dims) + field(2, data_type) + field(8, name) +
            b"".join(field(13, field(1, key) + field(2, value)) for key, value in entries) +
            field(14, 1))


def entries_of(place):
    return [("location", place.location), ("offset", str(place.offset)), ("length", str(place.length))]


def mlp(width, tensors):
    """The bytes of a model of fully connected layers with Relu between them, input `x` and output `y`
    float [N, width]; `tensors` are the encoded weights w0, w1, ..."""
    nodes, value = b"", "x"
    for layer in range(len(tensors)):
        last = layer == len(tensors) - 1
        product = "y" if last else f"p{layer}"
        nodes += field(1, field(1, value) + field(1, f"w{layer}") + field(2, product) +
                       field(3, f"matmul{layer}") + field(4, "MatMul"))
        value = product
        if not last:
            nodes += field(1, field(1, product) + field(2, f"r{layer}") + field(3, f"relu{layer}") +
                           field(4, "Relu"))
            value = f"r{layer}"
    dims = field(1, field(2, "N")) + field(1, field(1, width))
    kind = field(1, field(1, FLOAT) + field(2, dims))
    graph = (nodes + field(2, "mlp") + b"".join(field(5, tensor) for tensor in tensors) +
             field(11, field(1, "x") + field(2, kind)) + field(12, field(1, "y") + field(2, kind)))
    return field(1, 7) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def write_mlp(folder, width, layers, seed=1, files=("weights.bin",), offset=0):
    """Writes model.onnx and its weights, dealt out to the files one after another; its path."""
    numbers = pattern(width, seed)
    places = {}
    for number, name in enumerate(files):
        mine = list(range(number, layers, len(files)))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        written = write_weights(folder / name, numbers, width, mine, offset)
        for layer, (start, length) in zip(mine, written):
            places[layer] = Place(name, start, length)
    tensors = [external_tensor(f"w{layer}", (width, width), entries_of(places[layer]))
               for layer in range(layers)]
    path = folder / "model.onnx"
    path.write_bytes(mlp(width, tensors))
    return path


def inline_mlp(width, layers, seed=1):
    """The bytes of the same model with its weights inside."""
    numbers = pattern(width, seed)
    tensors = []
    for layer in range(layers):
        turned = numbers[layer_start(layer):] + numbers[:layer_start(layer)]
        weights = (turned * (width * width // PERIOD + 1))[:width * width]
        tensors.append(field(1, width) + field(1, width) + field(2, FLOAT) + field(8, f"w{layer}") +
                       field(9, weights.tobytes()))
    return mlp(width, tensors)
