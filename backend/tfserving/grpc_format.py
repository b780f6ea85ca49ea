"""Tensors to and from the messages of TensorFlow Serving's gRPC API."""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from backend.tfserving.protos.tensor_pb2 import DataType, TensorProto, TensorShapeProto
from backend.tfserving.rest_format import DTYPES, MAX_VALUES, Arrays
from workbench.errors import BadInput

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"

_LISTS = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_INT64": "int64_val",
    "DT_BOOL": "bool_val",
    "DT_HALF": "half_val",
    "DT_STRING": "string_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
}
"""The field with the values one by one; ``int_val`` for the other types. A half is its 16 bits, as a number."""

M = TypeVar("M", bound=Message)


def read(kind: type[M], data: bytes) -> M:
    """Read a message of this kind.

    Raises
    ------
    BadInput
        The bytes are none.
    """
    try:
        message: M = kind.FromString(data)
    except DecodeError as error:
        raise BadInput(f"{len(data):,} bytes are no {kind.__name__}: {error}") from error
    return message


def write_tensor(array: NDArray[Any], dtype: str) -> TensorProto:
    """Write an array as one of :data:`DTYPES`; texts become their UTF-8."""
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=side) for side in array.shape])
    tensor = TensorProto(dtype=DataType.Value(dtype), tensor_shape=shape)
    if dtype == "DT_STRING":
        tensor.string_val.extend(
            v if isinstance(v, bytes) else str(v).encode() for v in array.ravel().tolist()
        )
    else:
        little = np.dtype(DTYPES[dtype]).newbyteorder("<")
        tensor.tensor_content = np.ascontiguousarray(array, little).tobytes()
    return tensor


def dtype_of(tensor: TensorProto, name: str) -> str:
    """Name the tensor's type, one of :data:`DTYPES`.

    Raises
    ------
    BadInput
        It is another one.
    """
    known = DataType.DESCRIPTOR.values_by_number.get(tensor.dtype)
    if known is None or known.name not in DTYPES:
        raise BadInput(f"{name} is of the type {int(tensor.dtype)}, which is not supported here")
    return str(known.name)


def read_tensor(tensor: TensorProto, name: str) -> NDArray[Any]:
    """Read the array in a ``TensorProto``; strings are ``bytes``, of dtype object.

    Raises
    ------
    BadInput
        Its type is not supported, or its values are not as many as its shape says.
    """
    dtype = dtype_of(tensor, name)
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    count = math.prod(shape)
    if tensor.tensor_shape.unknown_rank or any(side < 0 for side in shape) or len(shape) > 32:
        raise BadInput(f"{name} has no shape that a tensor can have. Received: {str(shape)[:80]}")
    if count > MAX_VALUES:
        raise BadInput(f"{name} has {count:,} values, more than {MAX_VALUES:,}")
    kind = np.dtype(DTYPES[dtype])
    if content := tensor.tensor_content:
        if dtype == "DT_STRING" or len(content) != count * kind.itemsize:
            raise BadInput(f"{name} has {len(content):,} bytes for {count:,} values of {dtype}")
        if dtype == "DT_BOOL":  # any byte may come, but only 0 and 1 are bools to NumPy
            return np.frombuffer(content, np.uint8).astype(np.bool_).reshape(shape)
        return np.frombuffer(content, kind.newbyteorder("<")).astype(kind).reshape(shape)
    values = getattr(tensor, _LISTS.get(dtype, "int_val"))
    if len(values) > count or (count and not len(values) and dtype == "DT_STRING"):
        raise BadInput(f"{name} has {len(values):,} values for the shape {shape}")
    array: NDArray[Any]
    if dtype == "DT_STRING":
        array = np.empty(len(values), object)
        array[:] = list(values)
    else:
        raw = np.array(values, np.int64 if dtype == "DT_HALF" else None)
        array = raw.astype(np.uint16).view(np.float16) if dtype == "DT_HALF" else raw.astype(kind)
    if len(array) < count:  # the last value stands for the rest, as TensorFlow writes what is constant
        last = array[-1] if len(array) else kind.type(0)
        array = np.concatenate([array, np.full(count - len(array), last, array.dtype)])
    return array.reshape(shape)


def read_tensors(tensors: Mapping[str, TensorProto]) -> Arrays:
    """Read each tensor; see :func:`read_tensor`."""
    return {name: read_tensor(tensor, name) for name, tensor in tensors.items()}
