#!/usr/bin/env python3
"""Forms of the operators on images, of pooling and of normalization that ONNX's own cases leave out:
writes a case for each, with ONNX Runtime's answers, and gives the folder to fourfold-conformance.
Run it with ../integration/python_env.sh.

    image_operators.py FOURFOLD_CONFORMANCE [--keep=FOLDER] [--filter=REGEX]

Exit code: that of fourfold-conformance.
"""

import argparse
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(20261121)


def uniform(*shape, low=-1.0, high=1.0):
    return RANDOM.uniform(low, high, shape).astype(np.float32)


def integers(*values):
    return np.array(values, np.int64)


class Case:
    """One node. `fixed` names the inputs that are initializers."""

    def __init__(self, name, op_type, opset, inputs, outputs=1, fixed=(), **attributes):
        self.name = name
        names = [name if value is not None else "" for name, value in inputs.items()]
        while names and not names[-1]:
            names.pop()
        values = {name: value for name, value in inputs.items() if value is not None}
        results = [f"y{i}" for i in range(outputs)]
        node = helper.make_node(op_type, names, results, **attributes)
        fed = [name for name in values if name not in fixed]
        graph = helper.make_graph(
            [node], name,
            [helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(values[name].dtype), values[name].shape)
             for name in fed],
            [helper.make_empty_tensor_value_info(result) for result in results],
            [numpy_helper.from_array(values[name], name) for name in fixed])
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                                       ir_version=8 if opset < 21 else 10)
        self.inputs = [(name, values[name]) for name in fed]

    def write(self, folder):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(self.model.SerializeToString(), options,
                                               providers=["CPUExecutionProvider"])
        answers = session.run(None, dict(self.inputs))
        for info, answer in zip(self.model.graph.output, answers):
            kind = helper.np_dtype_to_tensor_dtype(answer.dtype)
            info.CopyFrom(helper.make_tensor_value_info(info.name, kind, answer.shape))
        data = folder / f"test_{self.name}" / "test_data_set_0"
        data.mkdir(parents=True)
        (data.parent / "model.onnx").write_bytes(self.model.SerializeToString())
        outputs = [(info.name, answer) for info, answer in zip(self.model.graph.output, answers)]
        for kind, tensors in (("input", self.inputs), ("output", outputs)):
            for i, (name, value) in enumerate(tensors):
                tensor = numpy_helper.from_array(value, name)
                (data / f"{kind}_{i}.pb").write_bytes(tensor.SerializeToString())


def convolutions():
    for space in (1, 2, 3):
        # Without signs nothing cancels, and relative bounds hold.
        x = uniform(2, 4, *[7, 6, 5][:space], low=0.0)
        w = uniform(6, 2, *[3, 2, 3][:space], low=0.0)
        for fixed in ((), ("w", "b")):
            for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
                yield Case(f"conv_{space}d_{pad.lower()}_{len(fixed)}", "Conv", 11,
                           {"x": x, "w": w, "b": uniform(6)}, fixed=fixed, group=2, auto_pad=pad,
                           strides=[2] * space)
            yield Case(f"conv_{space}d_dilated_{len(fixed)}", "Conv", 11,
                       {"x": x, "w": w, "b": uniform(6)}, fixed=fixed, group=2,
                       dilations=[2] * space, pads=[2, 1, 2][:space] + [1, 2, 2][:space])
        w = uniform(4, 3, *[3, 2, 4][:space], low=0.0)
        forms = {
            "plain": {}, "strided": {"strides": [2, 3, 1][:space]},
            "padded": {"strides": [2] * space, "pads": [1, 0, 1][:space] + [0, 1, 1][:space],
                       "output_padding": [1] * space},
            "dilated": {"strides": [2] * space, "dilations": [2, 1, 3][:space]},
            "same_upper": {"strides": [2] * space, "auto_pad": "SAME_UPPER"},
            "same_lower": {"strides": [2] * space, "auto_pad": "SAME_LOWER"},
            "shaped": {"strides": [3] * space, "output_shape": [20, 17, 15][:space]},
            "grouped": {"strides": [2] * space, "group": 2},
        }
        for (form, attributes), fixed in itertools.product(forms.items(), ((), ("w", "b"))):
            yield Case(f"conv_transpose_{space}d_{form}_{len(fixed)}", "ConvTranspose", 11,
                       {"x": x, "w": w, "b": uniform(3 * attributes.get("group", 1))}, fixed=fixed,
                       **attributes)


def pooling():
    x = uniform(2, 3, 9, 8)
    common = {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 1, 1]}
    for ceil in (0, 1):
        yield Case(f"max_indices_ceil{ceil}", "MaxPool", 12, {"x": x}, 2, ceil_mode=ceil, **common)
        yield Case(f"max_columns_ceil{ceil}", "MaxPool", 12, {"x": x}, 2, ceil_mode=ceil,
                   storage_order=1, **common)
        yield Case(f"max_dilated_ceil{ceil}", "MaxPool", 12, {"x": x}, 2, ceil_mode=ceil,
                   dilations=[2, 3], **common)
        for include in (0, 1):
            yield Case(f"average_{include}_ceil{ceil}", "AveragePool", 19, {"x": x}, ceil_mode=ceil,
                       count_include_pad=include, **common)
            yield Case(f"average_dilated_{include}_ceil{ceil}", "AveragePool", 19, {"x": x},
                       ceil_mode=ceil, count_include_pad=include, dilations=[2, 2], **common)
        yield Case(f"lp_ceil{ceil}", "LpPool", 18, {"x": x}, ceil_mode=ceil, p=3, **common)
    for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        for op_type in ("MaxPool", "AveragePool", "LpPool"):
            yield Case(f"{op_type.lower()}_{pad.lower()}", op_type, 11, {"x": x}, auto_pad=pad,
                       kernel_shape=[3, 2], strides=[2, 3])
    yield Case("lp_1d", "LpPool", 11, {"x": uniform(1, 2, 9)}, p=1, kernel_shape=[3])
    yield Case("max_3d_indices", "MaxPool", 12, {"x": uniform(1, 2, 5, 6, 4)}, 2,
               kernel_shape=[2, 3, 2], strides=[1, 2, 2], pads=[0, 1, 0, 1, 0, 0])
    yield Case("max_1d_int8", "MaxPool", 12,
               {"x": RANDOM.integers(-128, 128, (1, 3, 9)).astype(np.int8)}, 2, kernel_shape=[4])
    for p in (1, 2, 3):
        yield Case(f"global_lp_{p}", "GlobalLpPool", 7, {"x": x}, p=p)
    indices = np.stack([RANDOM.permutation(32)[:8] + 32 * i for i in range(6)])
    yield Case("max_unpool", "MaxUnpool", 11,
               {"x": uniform(2, 3, 2, 4), "i": indices.reshape(2, 3, 2, 4).astype(np.int64)},
               kernel_shape=[2, 2], strides=[2, 2])


def regions():
    x = uniform(2, 3, 9, 11)
    rois = np.array([[0, 0, 0, 10, 8], [1, 3, 2, 7, 5], [0, -3, -2, 30, 4], [1, 9, 9, 9, 9]],
                    np.float32)
    yield Case("max_roi_pool", "MaxRoiPool", 7, {"x": x, "rois": rois}, pooled_shape=[3, 4],
               spatial_scale=0.9)
    boxes = np.array([[0, 0, 10, 8], [3.2, 2.5, 7.1, 5.9], [-3, -2, 14, 4], [5, 5, 5.2, 5.1]],
                     np.float32)
    for mode, samples, opset in itertools.product(("avg", "max"), (0, 2), (10, 16)):
        attributes = {"mode": mode, "sampling_ratio": samples, "output_height": 3,
                      "output_width": 2, "spatial_scale": 0.7}
        for transform in ("half_pixel", "output_half_pixel") if opset == 16 else (None,):
            if transform:
                attributes["coordinate_transformation_mode"] = transform
            yield Case(f"roi_align_{opset}_{mode}_{samples}_{transform}", "RoiAlign", opset,
                       {"x": x, "rois": boxes, "b": integers(0, 1, 1, 0)}, **attributes)
    count = 40
    corners = RANDOM.uniform(0, 10, (2, count, 4)).astype(np.float32)
    scores = uniform(2, 3, count, low=0.0)
    for center in (0, 1):
        for most, overlap, score in ((3, 0.5, None), (100, 0.3, 0.4), (100, 0.0, None),
                                     (0, 0.5, None)):
            yield Case(f"non_max_suppression_{center}_{most}_{overlap}_{score}",
                       "NonMaxSuppression", 11,
                       {"boxes": corners, "scores": scores, "most": integers(most),
                        "overlap": np.array([overlap], np.float32),
                        "score": None if score is None else np.array([score], np.float32)},
                       center_point_box=center)


def normalization():
    x = uniform(2, 6, 5, 4, low=-2, high=3)
    for axis in (-1, 1, 2):
        shape = x.shape[axis:]
        yield Case(f"layer_{axis}", "LayerNormalization", 17,
                   {"x": x, "s": uniform(*shape), "b": uniform(*shape)}, 3, axis=axis)
        yield Case(f"layer_{axis}_no_bias", "LayerNormalization", 17, {"x": x, "s": uniform(*shape)},
                   axis=axis, epsilon=0.1)
    yield Case("group_21", "GroupNormalization", 21, {"x": x, "s": uniform(6), "b": uniform(6)},
               num_groups=3)
    yield Case("group_18", "GroupNormalization", 18, {"x": x, "s": uniform(3), "b": uniform(3)},
               num_groups=3)
    yield Case("instance", "InstanceNormalization", 7, {"x": x, "s": uniform(6), "b": uniform(6)})
    for p, axis in itertools.product((1, 2), (0, -1, 2)):
        yield Case(f"lp_norm_{p}_{axis}", "LpNormalization", 7, {"x": x}, p=p, axis=axis)
    for size in (1, 3, 5):
        yield Case(f"lrn_{size}", "LRN", 13, {"x": x}, size=size, alpha=0.3, beta=0.6, bias=1.2)
    yield Case("lrn_3d", "LRN", 13, {"x": uniform(1, 5, 7)}, size=3)
    parameters = {"s": uniform(6), "b": uniform(6), "m": uniform(6), "v": uniform(6, low=0.1)}
    for opset in (7, 9, 14, 15):
        yield Case(f"batch_{opset}", "BatchNormalization", opset, {"x": x, **parameters})


def resizing():
    x = uniform(1, 2, 6, 7)
    scales = [np.array([1, 1, 0.6, 1.7], np.float32), np.array([1, 1, 2.5, 0.4], np.float32)]
    transforms = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
    for mode, transform in itertools.product(("linear", "cubic"), transforms):
        for i, scale in enumerate(scales):
            if transform == "align_corners":
                continue  # where scale * size is no integer, ONNX Runtime and ONNX's cases differ
            yield Case(f"resize_{mode}_{transform}_{i}", "Resize", 13,
                       {"x": x, "roi": None, "scales": scale}, fixed=("scales",), mode=mode,
                       coordinate_transformation_mode=transform)
        yield Case(f"resize_{mode}_{transform}_sizes", "Resize", 13,
                   {"x": x, "roi": None, "scales": None, "sizes": integers(1, 2, 9, 4)}, mode=mode,
                   coordinate_transformation_mode=transform)
    for transform, nearest in itertools.product(
            transforms, ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")):
        yield Case(f"resize_{transform}_{nearest}", "Resize", 13,
                   {"x": x, "roi": None, "scales": None, "sizes": integers(1, 2, 9, 4)},
                   mode="nearest", coordinate_transformation_mode=transform, nearest_mode=nearest)
    for mode in ("linear", "cubic"):
        yield Case(f"resize_{mode}_symmetric", "Resize", 19,
                   {"x": x, "roi": None, "scales": scales[0]}, fixed=("scales",), mode=mode,
                   coordinate_transformation_mode="half_pixel_symmetric")
        for i, scale in enumerate(scales):
            yield Case(f"resize_{mode}_antialias_{i}", "Resize", 18,
                       {"x": x, "roi": None, "scales": scale}, fixed=("scales",), mode=mode,
                       antialias=1)
        yield Case(f"resize_{mode}_axes", "Resize", 18,
                   {"x": x, "roi": None, "scales": None, "sizes": integers(9, 4)}, mode=mode,
                   axes=[2, 3])
        for policy in ("not_larger", "not_smaller"):
            yield Case(f"resize_{mode}_{policy}", "Resize", 18,
                       {"x": x, "roi": None, "scales": None, "sizes": integers(9, 9)}, mode=mode,
                       axes=[2, 3], keep_aspect_ratio_policy=policy)
    yield Case("resize_cubic_excluded", "Resize", 13, {"x": x, "roi": None, "scales": scales[0]},
               fixed=("scales",), mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1)
    region = np.array([0, 0, 0.2, -0.25, 1, 1, 0.7, 1.2], np.float32)
    yield Case("resize_crop", "Resize", 13,
               {"x": x, "roi": region, "scales": None, "sizes": integers(1, 2, 5, 6)},
               fixed=("roi",), mode="linear", coordinate_transformation_mode="tf_crop_and_resize",
               extrapolation_value=7.0)
    yield Case("resize_3d", "Resize", 13,
               {"x": uniform(1, 2, 3, 4, 5), "roi": None, "scales": None,
                "sizes": integers(1, 2, 5, 3, 7)}, mode="linear")
    up = np.array([1, 1, 2, 3], np.float32)
    yield Case("resize_10", "Resize", 10, {"x": x, "scales": up}, fixed=("scales",), mode="linear")
    yield Case("upsample_9", "Upsample", 9, {"x": x, "scales": up}, fixed=("scales",),
               mode="nearest")
    yield Case("upsample_7", "Upsample", 7, {"x": x}, mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])


def sampling():
    grids = {4: uniform(2, 4, 5, 2, low=-1.4, high=1.4), 5: uniform(2, 3, 4, 2, 3, low=-1.4, high=1.4)}
    images = {4: uniform(2, 3, 5, 6), 5: uniform(2, 2, 3, 4, 5)}
    paddings = ("zeros", "border", "reflection")
    for mode, padding, align in itertools.product(("bilinear", "nearest"), paddings, (0, 1)):
        yield Case(f"grid_16_{mode}_{padding}_{align}", "GridSample", 16,
                   {"x": images[4], "grid": grids[4]}, mode=mode, padding_mode=padding,
                   align_corners=align)
    for rank, mode, padding, align in itertools.product((4, 5), ("linear", "nearest", "cubic"),
                                                        paddings, (0, 1)):
        if rank == 5 and mode == "cubic":
            continue
        yield Case(f"grid_20_{rank}d_{mode}_{padding}_{align}", "GridSample", 20,
                   {"x": images[rank], "grid": grids[rank]}, mode=mode, padding_mode=padding,
                   align_corners=align)
    for align in (0, 1):
        yield Case(f"affine_2d_{align}", "AffineGrid", 20,
                   {"theta": uniform(2, 2, 3), "size": integers(2, 3, 4, 5)}, align_corners=align)
        yield Case(f"affine_3d_{align}", "AffineGrid", 20,
                   {"theta": uniform(2, 3, 4), "size": integers(2, 3, 2, 4, 5)},
                   align_corners=align)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=pathlib.Path, help="write the cases into this folder")
    parser.add_argument("--filter", default="", help="only cases in whose name this is found")
    parser.add_argument("program")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or pathlib.Path(temporary)) / "image_operators"
        for case in itertools.chain(convolutions(), pooling(), regions(), normalization(),
                                    resizing(), sampling()):
            if not re.search(arguments.filter, case.name):
                continue
            try:
                case.write(folder)
            except Exception as error:  # what ONNX Runtime lacks is no case
                print(f"left out {case.name}: {str(error).splitlines()[0][:160]}")
        return subprocess.run([arguments.program, folder, "--round_trip",
                               "--pass_min=1"]).returncode


if __name__ == "__main__":
    sys.exit(main())
