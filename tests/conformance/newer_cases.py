#!/usr/bin/env python3
"""Runs the backend test cases that the onnx package generates, which cover newer opsets than Debian's
libonnx-testdata (that ends at opset 17). Run it with ../integration/python_env.sh.

    newer_cases.py [--filter=REGEX] [--keep=FOLDER] [OPTION of fourfold-conformance...]

The package writes its cases for its newest opset. Those whose operators did not change between the
newest opset that we import and that one are written as files of ours; the others are left out and
counted. Exit code: that of fourfold-conformance.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import onnx
import onnx.backend.test.case.node as node_cases
import onnx.defs
import onnx.numpy_helper

NEWEST_OPSET = 22
IR_VERSION = 10  # the newest that goes with it


def nodes_of(graph):
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes_of(attribute.g)


def is_expressible(model):
    """Whether a file of NEWEST_OPSET says the same."""
    for opset in model.opset_import:
        if opset.domain not in ("", "ai.onnx") or opset.version < NEWEST_OPSET:
            return opset.domain in ("", "ai.onnx")
    for node in nodes_of(model.graph):
        schema = onnx.defs.get_schema(node.op_type, node.domain)
        if schema.since_version > NEWEST_OPSET:
            return False
    return True


def write_case(folder, case):
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for opset in model.opset_import:
        opset.version = min(opset.version, NEWEST_OPSET)
    model.ir_version = min(model.ir_version, IR_VERSION)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        for role, values, infos in (("input", inputs, model.graph.input),
                                    ("output", outputs, model.graph.output)):
            for i, (value, info) in enumerate(zip(values, infos)):
                if not isinstance(value, onnx.TensorProto):
                    value = onnx.numpy_helper.from_array(value, info.name)
                (data / f"{role}_{i}.pb").write_bytes(value.SerializeToString())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--filter", default="")
    parser.add_argument("--keep", help="write the cases there and leave them")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(arguments.keep or scratch) / "node"
        root.mkdir(parents=True, exist_ok=True)
        newer = other = 0
        for case in node_cases.collect_testcases(None):
            if not re.search(arguments.filter, case.name) or case.model is None:
                continue
            if not is_expressible(case.model):
                newer += 1
                continue
            folder = root / case.name
            folder.mkdir()
            try:
                write_case(folder, case)
            except (AttributeError, TypeError, ValueError):  # sequences, optionals, strings
                other += 1
                for path in sorted(folder.rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() else path.unlink()
                folder.rmdir()
        print(f"left out: {newer} cases of newer operators, {other} without tensors")
        binary = pathlib.Path(os.environ["FOURFOLD_BIN_DIR"]) / "fourfold-conformance"
        return subprocess.run([binary, str(root), *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
