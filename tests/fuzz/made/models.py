"""Small ONNX models as other people's exporters write them: any dtype, axes, batch, layers, outputs, and zips of any system."""

import io
import random
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from backend.tfserving import server
from backend.untrusted.fitting import How, fit, read_size
from backend.untrusted.meaning import read_verdict
from backend.untrusted.model_files import ModelFiles
from tests.backend import bright
from tests.fuzz.made.case import Case, Generator
from workbench import scores

DTYPES = (
    "float32",
    "float32",
    "float64",
    "float16",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)
LAYOUTS = ("NHWC", "NHWC", "NCHW", "NCHW", "NHW", "HWC", "CHW", "HW")
LITTER = {
    "__MACOSX/._model.onnx": b"\0\5\x16\7" + bytes(20),
    ".DS_Store": b"\0\0\0\1Bud1",
    "Thumbs.db": b"\xd0\xcf",
    "desktop.ini": b"[x]",
}


def make(chance: random.Random) -> Case:
    """A model that says whether a picture is dark (its first class) or bright (its last)."""
    layout, dtype = chance.choice(LAYOUTS), chance.choice(DTYPES)
    channels = chance.choice((1, 3, 4)) if "C" in layout else 1
    height, width = chance.randrange(8, 40), chance.randrange(8, 40)
    batch = chance.choice(("n", "n", 1, 2, 5)) if layout[0] == "N" else None
    kind = chance.choice(("Softmax", "logits", "Sigmoid", "one sigmoid", "one logit"))
    classes = 2 if kind.startswith("one") else chance.randrange(2, 40)
    gives = chance.choice(("float32", "float32", "float64", "float16"))
    extra = chance.choice(("", "", "label before", "label behind"))
    sides = {"N": batch, "H": height, "W": width, "C": channels}
    graph = _graph(chance, [sides[axis] for axis in layout], layout, dtype, kind, classes, gives, extra)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=chance.choice((8, 9))
    )
    form = chance.choice(("plain", "zip", "deep zip", "labels"))
    labels = [f"class {n}" for n in range(classes)] if form == "labels" else []
    data = _pack(chance, model.SerializeToString(), form, labels)
    how = (
        f"{layout} {dtype} {height}x{width}x{channels} batch={batch} {kind} {classes} {gives} {extra} {form}"
    )
    told = {"size": f"{width}x{height}x{channels}", "layout": layout, "classes": classes, "labels": labels}
    return Case(data, how, told)


def _graph(
    chance: random.Random,
    shape: list[Any],
    layout: str,
    dtype: str,
    kind: str,
    classes: int,
    gives: str,
    extra: str,
) -> onnx.GraphProto:
    make = helper.make_node
    low, high = {"int8": (-128.0, 127.0), "bool": (0.0, 1.0)}.get(dtype, (0.0, 255.0))
    constants: dict[str, NDArray[Any]] = {
        "low": np.array(low, np.float32),
        "span": np.array(high - low, np.float32),
    }
    nodes = [
        make("Cast", ["input"], ["real"], to=TensorProto.FLOAT),
        make("Sub", ["real", "low"], ["above"]),
        make("Div", ["above", "span"], ["x0"]),
    ]
    axes = list(range(len(shape)))
    last = "x0"
    for number in range(chance.randrange(4)):
        last = _layer(chance, nodes, constants, last, f"x{number + 1}", axes)
    means = axes[1:] if layout[0] == "N" else axes
    if (layout[-1] == "C" and shape[-1] == 4) or (
        layout.startswith(("NC", "C")) and shape[layout.index("C")] == 4
    ):
        # The fourth channel is opacity, which is full everywhere: brightness is the others'.
        axis = layout.index("C")
        constants |= {
            "first": np.array([0], np.int64),
            "third": np.array([3], np.int64),
            "axis": np.array([axis], np.int64),
        }
        nodes.append(make("Slice", [last, "first", "third", "axis"], ["colours"]))
        last = "colours"
    nodes.append(make("ReduceMean", [last], ["mean"], axes=means, keepdims=0))
    constants["row"] = np.array([-1, 1] if layout[0] == "N" else [1], np.int64)
    nodes.append(make("Reshape", ["mean", "row"], ["brightness"]))
    factors, offsets, ends = bright.weights(
        {"Softmax": "softmax", "Sigmoid": "sigmoids", "one sigmoid": "sigmoid", "one logit": "logit"}.get(
            kind, kind
        ),
        classes,
    )
    constants |= {"factors": factors if layout[0] == "N" else factors[0], "offsets": offsets}
    nodes.append(make("MatMul" if layout[0] == "N" else "Mul", ["brightness", "factors"], ["scaled"]))
    nodes += [make("Add", ["scaled", "offsets"], ["z"]), make(ends or "Identity", ["z"], ["said"]),
              make("Cast", ["said"], ["output"], to=int(helper.np_dtype_to_tensor_dtype(np.dtype(gives))))]  # fmt: skip
    size = len(offsets)
    n = [shape[0]] if layout[0] == "N" else []
    outputs = [
        helper.make_tensor_value_info(
            "output", int(helper.np_dtype_to_tensor_dtype(np.dtype(gives))), [*n, size]
        )
    ]
    if extra and size > 1:
        nodes.append(make("ArgMax", ["z"], ["label"], axis=-1, keepdims=0))
        label = helper.make_tensor_value_info("label", TensorProto.INT64, n)
        outputs = [label, *outputs] if extra == "label before" else [*outputs, label]
    return helper.make_graph(
        nodes,
        "made",
        [
            helper.make_tensor_value_info(
                "input", int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype))), shape
            )
        ],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def _layer(
    chance: random.Random,
    nodes: list[Any],
    constants: dict[str, NDArray[Any]],
    given: str,
    made: str,
    axes: list[int],
) -> str:
    """A layer that leaves brightness as it is."""
    make = helper.make_node
    kind = chance.choice(("Relu", "Clip", "Add", "Mul", "Transpose", "Dropout", "Pow", "Max", "Unsqueeze"))
    if kind in ("Add", "Mul", "Pow", "Max"):
        constants[f"{made}_by"] = np.array(0 if kind in ("Add", "Max") else 1, np.float32)
        nodes.append(make(kind, [given, f"{made}_by"], [made]))
    elif kind == "Clip":
        constants |= {f"{made}_low": np.array(0, np.float32), f"{made}_high": np.array(1, np.float32)}
        nodes.append(make("Clip", [given, f"{made}_low", f"{made}_high"], [made]))
    elif kind == "Transpose":
        order = chance.sample(axes, len(axes))
        nodes += [
            make("Transpose", [given], [f"{made}_turned"], perm=order),
            make("Transpose", [f"{made}_turned"], [made], perm=[order.index(axis) for axis in axes]),
        ]
    elif kind == "Unsqueeze":
        constants[f"{made}_axis"] = np.array([0], np.int64)
        nodes += [
            make("Unsqueeze", [given, f"{made}_axis"], [f"{made}_more"]),
            make("Squeeze", [f"{made}_more", f"{made}_axis"], [made]),
        ]
    else:
        nodes.append(make(kind, [given], [made]))
    return made


def _pack(chance: random.Random, model: bytes, form: str, labels: list[str]) -> bytes:
    if form == "plain":
        return model
    under = "" if form == "zip" else chance.choice(("model/", "a/b/", "export 1/ü/"))
    files = {f"{under}{chance.choice(('model', 'my net', 'm.v2'))}.onnx": model}
    if labels:
        numbered = chance.random() < 0.5
        ends = chance.choice(("\n", "\r\n"))
        files[f"{under}labels.txt"] = ends.join(
            f"{n} {one}" if numbered else one for n, one in enumerate(labels)
        ).encode()
    for name, content in LITTER.items():
        if chance.random() < 0.4:
            files[name] = content
    names = list(files)
    chance.shuffle(names)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as archive:
        for name in names:
            archive.writestr(name, files[name])
    return body.getvalue()


def check(case: Case) -> None:
    """It is found, loaded, fed and understood: a dark picture is its first class, a bright one its last."""
    with tempfile.TemporaryDirectory() as folder:
        files = ModelFiles(Path(folder))
        with files.receiving() as path:
            path.write_bytes(case.data)
            file = files.keep(path)
        loaded = server.load("onnx", file.folder / "model" / file.path)
    labels = case.told["labels"]
    assert list(file.labels) == labels
    assert isinstance(labels, list)
    how = How(read_size(str(case.told["size"])), str(case.told["layout"]))
    signature = loaded.signatures["serving_default"]
    classes = case.told["classes"]
    assert isinstance(classes, int)
    for light, wanted in ((15, 0), (240, classes - 1)):
        fitted = fit(bright.picture(light), loaded.signatures, None, how)
        outputs = loaded.run(fitted.signature, fitted.inputs)
        verdict = read_verdict(
            outputs,
            tuple(signature.outputs),
            fitted.batch,
            "",
            labels,
            lambda _, said: scores.measure(said[None]),
        )
        assert verdict.index == wanted, f"says {verdict.index} of {light}, not {wanted}"
        assert verdict.output == "output"


MODELS = Generator("models of exporters", make, check)
