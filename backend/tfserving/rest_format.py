"""TensorFlow Serving's REST format, both ways: JSON to arrays by a model's signature, arrays to JSON.

https://www.tensorflow.org/tfx/serving/api_rest; the back end's own ``/v1`` routes and the embedded model server speak
it alike, with the same words where something is wrong.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, NotFound

DTYPES = {
    "DT_FLOAT": np.float32,
    "DT_DOUBLE": np.float64,
    "DT_HALF": np.float16,
    "DT_INT8": np.int8,
    "DT_INT16": np.int16,
    "DT_INT32": np.int32,
    "DT_INT64": np.int64,
    "DT_UINT8": np.uint8,
    "DT_UINT16": np.uint16,
    "DT_UINT32": np.uint32,
    "DT_UINT64": np.uint64,
    "DT_BOOL": np.bool_,
    "DT_STRING": np.object_,
}
_NAMED = {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}
MAX_VALUES = 8_000_000
"""Numbers in a request."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a signature."""

    dtype: str
    """One of :data:`DTYPES`."""
    shape: tuple[int, ...] | None
    """-1 where any size will do; ``None`` where even the number of dimensions is open."""


@dataclass(frozen=True)
class Signature:
    """A model's inputs and outputs."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True)
class TensorRequest:
    """A request to predict."""

    signature_name: str
    inputs: Arrays
    rows: bool
    """Whether the answer is to be in the row format, as the request was."""


def dtype_of(name: str) -> str:
    """TensorFlow's name of a dtype in a manifest, which calls it as NumPy does.

    >>> dtype_of("int32"), dtype_of("string")
    ('DT_INT32', 'DT_STRING')
    """
    return _NAMED.get(name, f"DT_{name.upper()}")


def as_dtype(x: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The array in the dtype that a tensor has; text as ``bytes``."""
    if dtype != "DT_STRING":
        return x.astype(DTYPES[dtype])
    flat = [value.encode() if isinstance(value, str) else value for value in x.ravel().tolist()]
    return np.array([*flat, None], dtype=object)[:-1].reshape(x.shape)


def read_request(body: bytes, signatures: Mapping[str, Signature], signature_name: str = "") -> TensorRequest:
    """Read the arrays in a request's JSON, in either format.

    Raises
    ------
    BadInput, NotFound
        In TensorFlow Serving's words where it has some.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"JSON Parse error: {error}"[:300]) from error
    if not isinstance(asked, dict):
        raise BadInput("JSON Value must be an object")
    name = asked.get("signature_name") or signature_name or "serving_default"
    if not isinstance(name, str) or name not in signatures:
        raise BadInput(f'Serving signature name: "{str(name)[:80]}" not found in signature def')
    inputs = signatures[name].inputs
    if ("instances" in asked) == ("inputs" in asked):
        raise BadInput("JSON object must have either 'instances' or 'inputs', and not both")
    rows = "instances" in asked
    named = _columns_of(asked["instances"], inputs) if rows else _columns(asked["inputs"], inputs)
    return TensorRequest(name, {key: to_array(named[key], inputs[key], key) for key in inputs}, rows)


def count_examples(inputs: Arrays) -> int:
    """Count the examples of a request.

    Raises
    ------
    BadInput
        There is none, or the inputs have different numbers of them.
    """
    counts = {name: len(one) for name, one in inputs.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise BadInput(f"every input must have as many examples as the others. Received: {told}")
    if 0 in counts.values():
        raise BadInput("the input is empty")
    return next(iter(counts.values()))


def write_answer(outputs: Arrays, rows: bool) -> bytes:
    """``{"predictions": …}`` or ``{"outputs": …}``."""
    values = {name: _to_json(array) for name, array in outputs.items()}
    if not rows:
        return json.dumps({"outputs": values if len(values) > 1 else next(iter(values.values()))}).encode()
    if len(values) == 1:
        predictions = next(iter(values.values()))
    else:
        predictions = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return json.dumps({"predictions": predictions}).encode()


def write_request(inputs: Arrays, signature_name: str) -> bytes:
    """Write the arrays in the column format; bytes as base64."""
    named = {name: _to_json(array, as_base64=True) for name, array in inputs.items()}
    return json.dumps({"signature_name": signature_name, "inputs": named}).encode()


def read_answer(answer: object, signature: Signature) -> Arrays:
    """Read the arrays in the JSON of an answer in the column format, of the signature's own types."""
    if not isinstance(answer, dict) or "outputs" not in answer:
        raise BadInput(f"the model server's answer is none: {str(answer)[:80]}")
    outputs = answer["outputs"]
    names = list(signature.outputs)
    named = {names[0]: outputs} if len(names) == 1 else outputs
    if not isinstance(named, dict) or not named.keys() <= signature.outputs.keys():
        raise BadInput("the model server's answer lacks outputs, or has some that the signature does not")
    return {name: _read_output(value, signature.outputs[name], name) for name, value in named.items()}


def _read_output(value: Any, tensor: Tensor, name: str) -> NDArray[Any]:
    """With the signature's own type, ``null`` as not a number, strings as ``bytes``."""
    try:
        if tensor.dtype == "DT_STRING":
            return np.array(_decode(value, True), dtype=object)
        return np.array(value, dtype=DTYPES[tensor.dtype])
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"the model server's answer for {name} is no {tensor.dtype}: {error}"[:300]) from error


def describe(signatures: Mapping[str, Signature], name: str, version: str) -> dict[str, object]:
    """Give the answer to ``/metadata``."""
    described = {
        key: {
            "inputs": {k: _describe(k, t) for k, t in signature.inputs.items()},
            "outputs": {k: _describe(k, t) for k, t in signature.outputs.items()},
            "method_name": "tensorflow/serving/predict",
        }
        for key, signature in signatures.items()
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": version},
        "metadata": {"signature_def": {"signature_def": described}},
    }


def read_metadata(answer: Any) -> dict[str, Signature]:
    """Read the signatures in a model server's answer to ``/metadata``."""
    try:
        described = answer["metadata"]["signature_def"]["signature_def"]
        return {
            name: Signature(
                {k: _read_tensor(v) for k, v in one.get("inputs", {}).items()},
                {k: _read_tensor(v) for k, v in one.get("outputs", {}).items()},
            )
            for name, one in described.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"the model server's metadata cannot be read: {error!r}") from error


def status(version: str, state: str = "AVAILABLE") -> dict[str, object]:
    """Give one line of a model's status."""
    return {"version": version, "state": state, "status": {"error_code": "OK", "error_message": ""}}


def no_such_model(name: str, version: str | None = None) -> NotFound:
    """TensorFlow Serving's words for it."""
    which = f"Specific({name}, {version})" if version else f"Latest({name})"
    return NotFound(f"Servable not found for request: {which}")


def to_array(value: Any, tensor: Tensor, name: str) -> NDArray[Any]:
    """Bring a JSON value into the form of the tensor that a signature asks for."""
    strings = tensor.dtype == "DT_STRING"
    value = _decode(value, strings)
    dtype = DTYPES.get(tensor.dtype)
    if dtype is None:
        raise BadInput(f"{name} is {tensor.dtype}, which is not supported here")
    try:
        array = np.array(value, dtype=object) if strings else np.array(value)
    except ValueError as error:
        raise BadInput(f"{name}: the lists have unequal lengths") from error
    if not strings:
        if dtype is np.uint64 and array.dtype.kind == "f":  # NumPy's choice where some are above 2^63
            exact = np.array(value, dtype=object)
            array = exact if all(type(one) is int for one in exact.ravel()) else array
        if array.dtype.kind not in ("fiubO" if dtype is np.uint64 else "fiub") or (
            array.dtype.kind == "b"
        ) != (dtype is np.bool_):
            raise BadInput(f"{name} must be of type {tensor.dtype}. Received: {str(value)[:60]}")
        if array.dtype.kind == "f" and np.issubdtype(dtype, np.integer):
            raise BadInput(f"{name} must be whole numbers ({tensor.dtype}). Received: {str(value)[:60]}")
        if np.issubdtype(dtype, np.integer) and array.size:
            least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
            if int(array.min()) < least or int(array.max()) > most:
                raise BadInput(
                    f"{name} must be from {least} to {most} ({tensor.dtype}). Received: {str(value)[:60]}"
                )
        with np.errstate(over="ignore"):
            array = array.astype(dtype)
    if array.size > MAX_VALUES:
        raise BadInput(f"{name} has {array.size:,} values, more than {MAX_VALUES:,}")
    if tensor.shape is not None and not fits(array.shape, tensor.shape):
        raise BadInput(
            f"{name} must have the shape {show_shape(tensor.shape)}. Received: {show_shape(array.shape)}"
        )
    return array


def fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Tell whether a shape is one that is asked for, where -1 is any size."""
    return len(shape) == len(wanted) and all(w in (-1, s) for s, w in zip(shape, wanted, strict=True))


def show_shape(shape: tuple[int, ...]) -> str:
    """Write a shape as ``(n, 28, 28, 1)``."""
    return "(" + ", ".join("n" if side < 0 else str(side) for side in shape) + ")"


def _columns_of(instances: Any, inputs: Mapping[str, Tensor]) -> dict[str, list[object]]:
    if not isinstance(instances, list) or not instances:
        raise BadInput("'instances' must be a list with at least one instance")
    named = isinstance(instances[0], dict) and "b64" not in instances[0]
    if not named:
        if len(inputs) != 1:
            raise BadInput(f"each instance must name the inputs {', '.join(inputs)}")
        return {next(iter(inputs)): instances}
    for instance in instances:
        if not isinstance(instance, dict) or instance.keys() != set(inputs):
            raise BadInput(f"each instance must have exactly the inputs {', '.join(inputs)}")
    return {name: [instance[name] for instance in instances] for name in inputs}


def _columns(value: Any, inputs: Mapping[str, Tensor]) -> dict[str, object]:
    if isinstance(value, dict) and "b64" not in value:
        if value.keys() != set(inputs):
            raise BadInput(
                f"'inputs' must have exactly {', '.join(inputs)}. Received: {', '.join(value)[:200]}"
            )
        return value
    if len(inputs) != 1:
        raise BadInput(f"'inputs' must name {', '.join(inputs)}")
    return {next(iter(inputs)): value}


def _decode(value: Any, strings: bool) -> Any:
    """Make bytes of each ``{"b64": …}`` in the value."""
    if isinstance(value, list):
        return [_decode(v, strings) for v in value]
    if isinstance(value, dict) or (isinstance(value, str) and not strings):
        if not strings or isinstance(value, str):
            raise BadInput(f"expected numbers. Received: {str(value)[:60]}")
        text = value.get("b64")
        if not isinstance(text, str) or len(value) != 1:
            raise BadInput(f'expected {{"b64": "…"}}. Received: {str(value)[:60]}')
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadInput(f"the base64 is damaged: {error}") from error
    return value.encode() if isinstance(value, str) else value


def _to_json(array: NDArray[Any], *, as_base64: bool = False) -> Any:
    if array.dtype.kind in "OS":
        return _strings(array.tolist(), as_base64)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return _finite(array.tolist())
    return array.tolist()


def _strings(value: Any, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_strings(v, as_base64) for v in value]
    data = value if isinstance(value, bytes) else str(value).encode()
    try:
        if not as_base64:
            return data.decode()
    except UnicodeDecodeError:
        pass
    return {"b64": base64.b64encode(data).decode()}


def _finite(value: Any) -> Any:
    """Put ``null`` for NaN and infinity, which JSON has not."""
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return value if math.isfinite(value) else None


def _describe(name: str, tensor: Tensor) -> dict[str, object]:
    dims = [{"size": str(side), "name": ""} for side in tensor.shape or ()]
    shape = {"dim": dims, "unknown_rank": tensor.shape is None}
    return {"dtype": tensor.dtype, "tensor_shape": shape, "name": name}


def _read_tensor(described: Any) -> Tensor:
    shape = described.get("tensor_shape", {})
    if shape.get("unknown_rank"):
        return Tensor(described["dtype"], None)
    return Tensor(described["dtype"], tuple(int(d["size"]) for d in shape.get("dim", [])))
