"""The messages of TensorFlow Serving's gRPC API are TensorFlow's own on the wire, in both directions.

Here and not with the back end's tests, because this process has imported TensorFlow.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from backend.tfserving import grpc_format
from backend.tfserving.protos import tensor_pb2
from backend.tfserving.protos.tensor_pb2 import DataType, TensorProto
from backend.tfserving.rest_format import DTYPES

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
NUMERIC = [name for name in DTYPES if name != "DT_STRING"]


def any_array() -> st.SearchStrategy[NDArray[Any]]:
    numbers = st.sampled_from(NUMERIC).flatmap(lambda name: arrays.arrays(DTYPES[name], SHAPES))
    texts = arrays.arrays(object, SHAPES, elements=st.binary(max_size=8))
    return st.one_of(numbers, texts)


def name_of(array: NDArray[Any]) -> str:
    return next(name for name, dtype in DTYPES.items() if array.dtype == dtype)


def same(one: NDArray[Any], other: NDArray[Any]) -> None:
    assert (one.shape, one.dtype) == (other.shape, other.dtype)
    if one.dtype == object:
        assert one.tolist() == other.tolist()
    else:
        np.testing.assert_array_equal(one, other)


@given(any_array())
@settings(max_examples=150, deadline=None)
def test_tensorflow_reads_what_is_written_here(array: NDArray[Any]) -> None:
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    data = grpc_format.write_tensor(array, name_of(array)).SerializeToString()
    theirs = tensor_pb2.TensorProto.FromString(data)
    assert theirs.SerializeToString() == data  # not a field that TensorFlow would not know
    same(tf.make_ndarray(theirs), array)


@given(any_array())
@settings(max_examples=150, deadline=None)
def test_what_tensorflow_writes_is_read_here(array: NDArray[Any]) -> None:
    import tensorflow as tf

    theirs = tf.make_tensor_proto(array, dtype=tf.as_dtype(DataType.Value(name_of(array))), shape=array.shape)
    same(grpc_format.read_tensor(grpc_format.read(TensorProto, theirs.SerializeToString()), "it"), array)


@given(any_array(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_values_one_by_one_are_read_as_tensorflow_reads_them(array: NDArray[Any], cut: bool) -> None:
    """As a model server writes them; what repeats at the end may be left out."""
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    name = name_of(array)
    theirs = tensor_pb2.TensorProto(dtype=DataType.Value(name))
    for side in array.shape:
        theirs.tensor_shape.dim.add(size=side)
    flat = array.ravel()
    values = list((flat.view(np.uint16) if name == "DT_HALF" else flat).tolist())
    while cut and len(values) > 1 and repr(values[-1]) == repr(values[-2]):
        values.pop()
    getattr(
        theirs,
        {
            "DT_FLOAT": "float_val",
            "DT_DOUBLE": "double_val",
            "DT_HALF": "half_val",
            "DT_INT64": "int64_val",
            "DT_BOOL": "bool_val",
            "DT_STRING": "string_val",
            "DT_UINT32": "uint32_val",
            "DT_UINT64": "uint64_val",
        }.get(name, "int_val"),
    ).extend(values)
    ours = grpc_format.read_tensor(grpc_format.read(TensorProto, theirs.SerializeToString()), "it")
    if array.size:
        same(ours, tf.make_ndarray(theirs))
    same(ours, array)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("TensorProto", "tensor"), ("TensorShapeProto", "tensor_shape")]
)
def test_fields_have_tensorflows_numbers_and_names(ours: str, theirs: str) -> None:
    import importlib

    generated = importlib.import_module(f"tensorflow.core.framework.{theirs}_pb2")
    known = {f.name: f for f in getattr(generated, ours).DESCRIPTOR.fields}
    for field in getattr(tensor_pb2, ours).DESCRIPTOR.fields:
        assert field.full_name == known[field.name].full_name
        assert field.number == known[field.name].number
        assert field.is_repeated == known[field.name].is_repeated
        assert field.type == known[field.name].type


def test_types_have_tensorflows_numbers() -> None:
    from tensorflow.core.framework import types_pb2

    assert DTYPES.keys() == set(DataType.keys()) - {"DT_INVALID"}
    assert {name: types_pb2.DataType.Value(name) for name in DataType.keys()} == dict(DataType.items())  # noqa: SIM118


def test_tensorflows_messages_and_ours_are_in_one_process_under_the_same_names() -> None:
    from tensorflow.core.framework import tensor_pb2 as theirs

    ours = tensor_pb2.TensorProto.DESCRIPTOR
    assert ours.full_name == theirs.TensorProto.DESCRIPTOR.full_name
    assert ours.file.pool is not theirs.TensorProto.DESCRIPTOR.file.pool
