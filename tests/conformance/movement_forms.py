#!/usr/bin/env python3
"""Forms of operators of movement that libonnx's test data lack: other opsets, types, modes, sequences.
Run it with ../integration/python_env.sh.

    movement_forms.py FOURFOLD_CONFORMANCE

Each case is a small model and random inputs; ONNX Runtime computes what is expected, and
fourfold-conformance runs the cases as it runs ONNX's own, with passes and without, and after a round
trip through Export. Exit code 0 or that of fourfold-conformance.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(20261121)


def reals(*shape, kind=np.float32):
    return RANDOM.normal(size=shape).astype(kind)


def integers(low, high, *shape, kind=np.int64):
    return RANDOM.integers(low, high, size=shape).astype(kind)


def int64s(*numbers):
    return np.array(numbers, np.int64)


class Case:
    """A model of a few nodes. Arrays in `inputs` are fed; those in `constants` are initializers."""

    def __init__(self, name, opset, nodes, inputs, outputs=("y",), constants=None):
        self.name, self.opset, self.nodes = name, opset, nodes
        self.inputs, self.outputs, self.constants = inputs, outputs, constants or {}

    def model(self):
        def info(name, array):
            return helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

        graph = helper.make_graph(
            self.nodes, self.name, [info(n, a) for n, a in self.inputs.items()],
            [helper.make_empty_tensor_value_info(n) for n in self.outputs],
            [numpy_helper.from_array(a, n) for n, a in self.constants.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                 ir_version=8)


def one(op_type, opset, inputs, constants=None, outputs=("y",), label="", **attributes):
    """A model of one node that reads the inputs, then the constants ("" where one is None)."""
    arrays = {**inputs, **(constants or {})}
    names = [name if array is not None else "" for name, array in arrays.items()]
    node = helper.make_node(op_type, names, list(outputs), **attributes)
    return Case(f"test_{op_type.lower()}_{opset}{label}", opset, [node], inputs, outputs,
                {n: a for n, a in (constants or {}).items() if a is not None})


def cases():
    x = reals(3, 4, 5)
    yield one("TopK", 9, {"x": x}, outputs=("v", "i"), k=2, axis=1)
    yield one("TopK", 10, {"x": x}, {"k": int64s(3)}, ("v", "i"))
    for kind in (np.float64, np.int32, np.int64):
        data = integers(-4, 5, 6, 7, kind=kind)
        yield one("TopK", 11, {"x": data}, {"k": int64s(4)}, ("v", "i"), f"_{kind.__name__}",
                  axis=0, largest=0)
    ids = integers(-3, 3, 3, 4, 5)
    yield one("Scatter", 9, {"x": x, "ids": np.abs(ids) % 3, "updates": reals(3, 4, 5)}, axis=0)
    for reduction, opset in (("add", 16), ("mul", 16), ("max", 18), ("min", 18)):
        yield one("ScatterElements", opset, {"x": x, "ids": ids, "updates": reals(3, 4, 5)},
                  label=f"_{reduction}", axis=0, reduction=reduction)
        yield one("ScatterND", opset,
                  {"x": x, "ids": integers(-3, 3, 6, 1), "updates": reals(6, 4, 5)},
                  label=f"_{reduction}", reduction=reduction)
        yield one("ScatterElements", opset,
                  {"x": integers(-9, 9, 4, 4, kind=np.int32), "ids": integers(0, 4, 2, 3),
                   "updates": integers(-9, 9, 2, 3, kind=np.int32)},
                  label=f"_{reduction}_int32", axis=1, reduction=reduction)
    for mode, opset in (("constant", 18), ("reflect", 18), ("edge", 18), ("wrap", 19)):
        yield one("Pad", opset, {"x": x}, {"pads": int64s(1, 2, 3, 1), "value": None,
                                           "axes": int64s(-1, 1)}, label=f"_axes_{mode}", mode=mode)
        yield one("Pad", opset, {"x": x}, {"pads": int64s(0, -1, 2, 1, 0, -2)},
                  label=f"_crop_{mode}", mode=mode)
    yield one("Pad", 13, {"x": integers(0, 2, 2, 3, kind=np.bool_)},
              {"pads": int64s(1, 0, 0, 2), "value": np.array(True)}, label="_bool")
    yield one("Pad", 10, {"x": x}, label="", mode="edge", pads=[0, 1, 1, 0, 0, 2])
    yield one("Split", 18, {"x": reals(7, 2)}, outputs=("a", "b", "c"), num_outputs=3)
    yield one("Split", 13, {"x": reals(7, 2)}, {"sizes": int64s(1, 0, 6)}, ("a", "b", "c"))
    yield one("Split", 13, {"x": reals(7, 2), "sizes": int64s(4, 3)}, None, ("a", "b"), "_computed")
    yield one("Split", 11, {"x": reals(2, 6)}, outputs=("a", "b"), axis=-1, split=[2, 4])
    yield one("CenterCropPad", 18, {"x": reals(10, 7, 3)}, {"to": int64s(5, 10)}, axes=[0, 1])
    yield one("CenterCropPad", 18, {"x": reals(9, 4)}, {"to": int64s(4, 9)}, label="_all")
    yield one("Col2Im", 18, {"x": reals(1, 12, 16)}, {"image": int64s(5, 6), "block": int64s(2, 3)},
              dilations=[1, 1], pads=[0, 0, 0, 0], strides=[1, 1])
    yield one("Col2Im", 18, {"x": reals(2, 6, 15)}, {"image": int64s(5, 5), "block": int64s(1, 3)},
              label="_pads", dilations=[1, 2], pads=[0, 1, 0, 1], strides=[1, 1])
    yield one("DepthToSpace", 9, {"x": reals(2, 8, 2, 3)}, blocksize=2)
    yield one("DepthToSpace", 13, {"x": reals(2, 8, 2, 3)}, blocksize=2, mode="CRD")
    yield one("Slice", 13, {"x": x}, {"s": np.int32([-1, 1]), "e": np.int32([-99, 4]),
                                      "a": np.int32([0, 2]), "t": np.int32([-2, 2])}, label="_int32")
    yield one("Slice", 9, {"x": x}, starts=[1, -3], ends=[99, -1], axes=[1, 2])
    yield one("OneHot", 11, {"ids": np.float32([0, 2, -1, 7])},
              {"depth": np.float32(3), "values": np.float32([2, 5])}, axis=0)
    yield one("Trilu", 14, {"x": integers(0, 9, 3, 4)}, {"k": np.array(-1)}, label="_lower", upper=0)
    yield one("Trilu", 14, {"x": integers(0, 9, 2, 3, 4)}, {"k": np.array(2)})
    yield one("GatherND", 12, {"x": reals(2, 3, 4), "ids": integers(-3, 3, 2, 5, 1)}, batch_dims=1)
    yield one("GatherElements", 13, {"x": x, "ids": integers(-5, 5, 2, 3, 9, kind=np.int32)},
              axis=2, label="_smaller")
    yield one("Gather", 13, {"x": integers(0, 2, 5, 3, kind=np.bool_), "ids": integers(-5, 5, 2, 2)},
              label="_bool")
    yield one("Gather", 13, {"x": x, "ids": np.array(-1)}, axis=1, label="_scalar")
    yield one("Gather", 13, {"x": x, "ids": integers(0, 3, 0)}, label="_none")
    yield one("Tile", 13, {"x": integers(0, 9, 2, 1, 3)}, {"repeats": int64s(2, 3, 1)})
    yield one("Unique", 11, {"x": integers(-2, 3, 9)}, outputs=("y", "i", "j", "n"), sorted=0)
    yield one("Unique", 11, {"x": reals(4, 3)[[0, 1, 0, 2, 3, 1]]}, label="_rows",
              outputs=("y", "i", "j", "n"), axis=0)
    yield one("NonZero", 13, {"x": integers(0, 2, 2, 3, 2, kind=np.bool_)}, label="_bool")
    yield one("Compress", 11, {"x": x, "keep": np.array([True, False, True])}, axis=1)
    yield one("ReverseSequence", 10, {"x": reals(3, 4, 2), "n": int64s(4, 1, 2)}, batch_axis=0,
              time_axis=1)
    yield one("Reshape", 14, {"x": reals(0, 3)}, {"to": int64s(3, 0, 7)}, allowzero=1)
    yield one("Shape", 15, {"x": x}, start=-2, end=99)
    yield one("Dropout", 13, {"x": x}, outputs=("y", "mask"))
    node = helper.make_node
    one_constant = {"zero": np.array(0), "last": np.array(-1), "two": np.array(2)}
    yield Case("test_sequence_split_join", 13, [
        node("SplitToSequence", ["x", "two"], ["parts"], axis=1),
        node("SequenceAt", ["parts", "last"], ["a"]),
        node("SequenceErase", ["parts", "zero"], ["rest"]),
        node("SequenceInsert", ["rest", "a", "zero"], ["turned"]),
        node("SequenceLength", ["turned"], ["n"]),
        node("ConcatFromSequence", ["turned"], ["y"], axis=1)
    ], {"x": reals(3, 5)}, ("a", "n", "y"), one_constant)
    yield Case("test_sequence_unbind_stack", 13, [
        node("SplitToSequence", ["x"], ["rows"], axis=0, keepdims=0),
        node("ConcatFromSequence", ["rows"], ["y"], axis=-1, new_axis=1)
    ], {"x": reals(3, 5)})


def write(folder, case):
    model = case.model()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    results = session.run(list(case.outputs), case.inputs)
    # Importers read the types of outputs from the file.
    for value, result in zip(model.graph.output, results):
        value.CopyFrom(helper.make_tensor_value_info(
            value.name, helper.np_dtype_to_tensor_dtype(result.dtype), result.shape))
    data = folder / case.name / "test_data_set_0"
    data.mkdir(parents=True)
    onnx.save(model, data.parent / "model.onnx")
    for kind, named in (("input", case.inputs.items()), ("output", zip(case.outputs, results))):
        for i, (name, array) in enumerate(named):
            tensor = numpy_helper.from_array(np.asarray(array), name)
            (data / f"{kind}_{i}.pb").write_bytes(tensor.SerializeToString())


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "movement"
        for case in cases():
            write(folder, case)
        command = [sys.argv[1], str(folder), "--round_trip", "--pass_min=1", "--all"]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
