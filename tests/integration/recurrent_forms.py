#!/usr/bin/env python3
"""Forms of RNN, GRU and LSTM that ONNX's own cases lack, against ONNX Runtime: directions, lengths,
initial states, peepholes, clip, activations, weights that are computed. Each form becomes a case
folder whose expected outputs are ONNX Runtime's, and fourfold-conformance runs them, also after an
export. Run it with python_env.sh.
"""

import itertools
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import fourfold_testbed as testbed

STEPS, SAMPLES, INPUTS, HIDDEN = 5, 3, 4, 6
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FLOAT = onnx.TensorProto.FLOAT


class Form:
    """One model: operands that are constants, and those that are fed."""

    def __init__(self, op_type, direction="forward", opset=14, **attributes):
        self.op_type, self.opset = op_type, opset
        self.directions = 2 if direction == "bidirectional" else 1
        self.attributes = {"hidden_size": HIDDEN, "direction": direction, **attributes}
        generator = np.random.default_rng(7)
        rows = GATES[op_type] * HIDDEN

        def random(*shape):
            return generator.normal(0, 0.5, shape).astype(np.float32)

        self.operands = {
            "X": random(STEPS, SAMPLES, INPUTS), "W": random(self.directions, rows, INPUTS),
            "R": random(self.directions, rows, HIDDEN), "B": random(self.directions, 2 * rows),
            "sequence_lens": np.array([STEPS, 1, 3], np.int32),
            "initial_h": random(self.directions, SAMPLES, HIDDEN)}
        if op_type == "LSTM":
            self.operands["initial_c"] = random(self.directions, SAMPLES, HIDDEN)
            self.operands["P"] = random(self.directions, 3 * HIDDEN)
        self.fed = {"X"}

    def without(self, *names):
        for name in names:
            self.operands[name] = None
        return self

    def feed(self, *names):
        self.fed |= set(names)
        return self

    def write(self, folder):
        """The case's folder, with ONNX Runtime's answer as the expected one."""
        outputs = ["Y", "Y_h", "Y_c"][:3 if self.op_type == "LSTM" else 2]
        names = [name if value is not None else "" for name, value in self.operands.items()]
        node = helper.make_node(self.op_type, names, outputs, **self.attributes)
        types = {name: onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
                 for name, value in self.operands.items() if value is not None}
        feeds = {name: self.operands[name] for name in self.operands if name in self.fed}
        graph = helper.make_graph(
            [node], folder.name,
            [helper.make_tensor_value_info(name, types[name], value.shape)
             for name, value in feeds.items()],
            [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self.operands.items()
             if value is not None and name not in self.fed])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8
        session = onnxruntime.InferenceSession(model.SerializeToString(),
                                               providers=["CPUExecutionProvider"])
        answers = session.run(outputs, feeds)
        data = folder / "test_data_set_0"
        data.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        for kind, arrays in (("input", list(feeds.items())),
                             ("output", list(zip(outputs, answers)))):
            for index, (name, value) in enumerate(arrays):
                tensor = numpy_helper.from_array(value, name)
                (data / f"{kind}_{index}.pb").write_bytes(tensor.SerializeToString())


def forms():
    for op_type, direction in itertools.product(GATES, ("forward", "reverse", "bidirectional")):
        name = f"{op_type.lower()}_{direction}"
        yield name, Form(op_type, direction)
        yield f"{name}_plain", Form(op_type, direction).without(
            *[n for n in ("B", "sequence_lens", "initial_h", "initial_c", "P")
              if n in Form(op_type).operands])
        yield f"{name}_computed_weights", Form(op_type, direction).feed(
            "W", "R", "B", "initial_h", "sequence_lens")
        yield f"{name}_clip", Form(op_type, direction, clip=0.6)
        yield f"{name}_opset7", Form(op_type, direction, opset=7)
    for direction in ("forward", "bidirectional"):
        count = 2 if direction == "bidirectional" else 1
        yield f"gru_{direction}_linear_before_reset", Form("GRU", direction, linear_before_reset=1)
        yield f"lstm_{direction}_input_forget", Form("LSTM", direction, input_forget=1).without("P")
        yield f"gru_{direction}_hard_sigmoid", Form(
            "GRU", direction, activations=["HardSigmoid", "Softsign"] * count,
            activation_alpha=[0.3] * count, activation_beta=[0.4] * count)
        yield f"lstm_{direction}_activations", Form(
            "LSTM", direction, activations=["Sigmoid", "Relu", "Tanh"] * count)
    for function, alpha, beta in (("Relu", [], []), ("LeakyRelu", [0.2], []), ("Elu", [0.7], []),
                                  ("Affine", [0.5], [0.1]), ("ThresholdedRelu", [0.3], []),
                                  ("ScaledTanh", [0.8], [1.2]), ("Softsign", [], []),
                                  ("Softplus", [], []), ("Sigmoid", [], [])):
        yield f"rnn_{function.lower()}", Form("RNN", activations=[function],
                                              activation_alpha=alpha or None,
                                              activation_beta=beta or None)


def main():
    folder = testbed.scratch_folder()
    count = 0
    for name, form in forms():
        form.attributes = {k: v for k, v in form.attributes.items() if v is not None}
        form.write(folder / f"test_{name}")
        count += 1
    done = subprocess.run([testbed.program("fourfold-conformance"), str(folder), "--round_trip",
                           "--pass_min=1.0"], check=False)
    print(f"{count} forms against ONNX Runtime {onnxruntime.__version__}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
