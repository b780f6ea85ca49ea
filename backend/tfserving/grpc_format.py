"""The few messages of TensorFlow Serving's gRPC API that are spoken here, and tensors to and from them.

``tensorflow-serving-api`` has them all, but imports TensorFlow. Numbers and names of the fields are those of
``tensor.proto``, ``tensor_shape.proto`` and ``types.proto`` in https://github.com/tensorflow/tensorflow and of
``model.proto``, ``predict.proto`` and ``get_model_status.proto`` in https://github.com/tensorflow/serving; a test
compares them with the classes that TensorFlow generated.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from backend.tfserving.rest_format import DTYPES, MAX_VALUES, Arrays
from workbench.errors import BadInput

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
AVAILABLE, LOADING = 30, 20
"""Of ``ModelVersionStatus.State``."""

NUMBERS = {
    "DT_FLOAT": 1,
    "DT_DOUBLE": 2,
    "DT_INT32": 3,
    "DT_UINT8": 4,
    "DT_INT16": 5,
    "DT_INT8": 6,
    "DT_STRING": 7,
    "DT_INT64": 9,
    "DT_BOOL": 10,
    "DT_HALF": 19,
}
"""Of the enumeration ``DataType``, the types that :data:`backend.tfserving.rest_format.DTYPES` has."""
NAMES = {number: name for name, number in NUMBERS.items()}
_LISTS = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_INT64": "int64_val",
    "DT_BOOL": "bool_val",
    "DT_HALF": "half_val",
    "DT_STRING": "string_val",
}
"""The field with the values one by one; ``int_val`` for the other types. A half is its 16 bits, as a number."""

# Below: "field=number kind", a kind with * repeated, with % a map from strings to it. Enumerations travel as int32 does.
_TENSORFLOW = {
    "TensorShapeProto.Dim": "size=1 int64, name=2 string",
    "TensorShapeProto": "dim=2 *TensorShapeProto.Dim, unknown_rank=3 bool",
    "TensorProto": (
        "dtype=1 int32, tensor_shape=2 TensorShapeProto, version_number=3 int32, tensor_content=4 bytes, "
        "float_val=5 *float, double_val=6 *double, int_val=7 *int32, string_val=8 *bytes, int64_val=10 *int64, "
        "bool_val=11 *bool, half_val=13 *int32"
    ),
}
_SERVING = {
    "ModelSpec": "name=1 string, version=2 google.protobuf.Int64Value, signature_name=3 string",
    "PredictRequest": "model_spec=1 ModelSpec, inputs=2 %tensorflow.TensorProto",
    "PredictResponse": "outputs=1 %tensorflow.TensorProto, model_spec=2 ModelSpec",
    "StatusProto": "error_code=1 int32, error_message=2 string",
    "ModelVersionStatus": "version=1 int64, state=2 int32, status=3 StatusProto",
    "GetModelStatusRequest": "model_spec=1 ModelSpec",
    "GetModelStatusResponse": "model_version_status=1 *ModelVersionStatus",
}


def _make() -> dict[str, type[Message]]:
    # A pool of its own: TensorFlow's classes have the same names, and may be in the same process.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(_file("tensorflow", _TENSORFLOW))
    pool.Add(_file("tensorflow.serving", _SERVING))
    names = [
        *(f"tensorflow.{name}" for name in _TENSORFLOW),
        *(f"tensorflow.serving.{name}" for name in _SERVING),
    ]
    return {
        name.rpartition(".")[2]: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        for name in names
    }


def _file(package: str, messages: Mapping[str, str]) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    if package != "tensorflow":
        file.dependency.extend(["tensorflow.proto", wrappers_pb2.DESCRIPTOR.name])
    for name in sorted(messages, key=lambda name: name.count(".")):
        outer, _, inner = name.rpartition(".")
        if outer:
            message = next(m for m in file.message_type if m.name == outer).nested_type.add(name=inner)
        else:
            message = file.message_type.add(name=name)
        for field in messages[name].split(", "):
            _add_field(message, f".{package}", field)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, package: str, text: str) -> None:
    label, kind = text.split(" ")
    name, _, number = label.partition("=")
    many, kind = kind[0] in "*%", kind.lstrip("*%")
    field = message.field.add(name=name, number=int(number), label=3 if many else 1)
    if "%" in text:
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, package, "key=1 string")
        _add_field(entry, package, f"value=2 {kind}")
        kind = f"{package[1:]}.{message.name}.{entry.name}"
    plain = getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind.upper()}", None)
    if plain is not None:
        field.type = plain
        return
    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".{kind}" if kind.split(".")[0] in ("google", "tensorflow") else f"{package}.{kind}"


MESSAGES = _make()
"""The messages' classes by their names, ``TensorProto`` and so on."""


def new(name: str, **fields: Any) -> Any:
    """A message."""
    return MESSAGES[name](**fields)


def read(name: str, data: bytes) -> Any:
    """The message in bytes.

    Raises
    ------
    BadInput
        They are none.
    """
    try:
        return MESSAGES[name].FromString(data)
    except DecodeError as error:
        raise BadInput(f"{len(data):,} bytes are no {name}: {error}") from error


def write_tensor(array: NDArray[Any], dtype: str) -> Any:
    """An array as a ``TensorProto`` of one of the types in :data:`NUMBERS`; texts become their UTF-8."""
    dims = [{"size": side} for side in array.shape]
    tensor = new("TensorProto", dtype=NUMBERS[dtype], tensor_shape={"dim": dims})
    if dtype == "DT_STRING":
        tensor.string_val.extend(
            v if isinstance(v, bytes) else str(v).encode() for v in array.ravel().tolist()
        )
    else:
        little = np.dtype(DTYPES[dtype]).newbyteorder("<")
        tensor.tensor_content = np.ascontiguousarray(array, little).tobytes()
    return tensor


def read_tensor(tensor: Any, name: str) -> NDArray[Any]:
    """The array in a ``TensorProto``; strings are ``bytes``, of dtype object.

    Raises
    ------
    BadInput
        Its type is not supported, or its values are not as many as its shape says.
    """
    dtype = NAMES.get(tensor.dtype)
    if dtype is None:
        raise BadInput(f"{name} is of the type {tensor.dtype}, which is not supported here")
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
            return (np.frombuffer(content, np.uint8) != 0).reshape(shape)
        return np.frombuffer(content, kind.newbyteorder("<")).astype(kind).reshape(shape)
    values = getattr(tensor, _LISTS.get(dtype, "int_val"))
    if len(values) > count or (count and not len(values) and dtype == "DT_STRING"):
        raise BadInput(f"{name} has {len(values):,} values for the shape {shape}")
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


def read_tensors(tensors: Mapping[str, Any]) -> Arrays:
    """See :func:`read_tensor`."""
    return {name: read_tensor(tensor, name) for name, tensor in tensors.items()}
