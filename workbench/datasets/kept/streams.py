"""A version's files as TensorFlow's own pipeline: no Python runs for an example, so any machine can make it anew.

Records are decoded many at a time: one by one that costs 50 microseconds of CPU an example of MNIST's size, so 7.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from workbench.datasets.kept import features, records
from workbench.datasets.kept.store import blob
from workbench.datasets.kept.values import Column, DatasetManifest, Part
from workbench.errors import BadInput
from workbench.settings import Settings

AT_ONCE_BYTES = 1024**2
"""Larger ones leave the processor's caches: a fifth more CPU an example of 12 kB, and so do those of 64 kB."""
BUFFER_BYTES = 1024**2
CYCLE = 4
"""Files that are read beside each other, so that what is shuffled comes from several."""


def load(manifest: DatasetManifest, settings: Settings) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Both parts, unbatched, each with its cardinality."""
    return _part(manifest, manifest.train, settings), _part(manifest, manifest.test, settings)


def _part(manifest: DatasetManifest, part: Part, settings: Settings) -> tf.data.Dataset:
    target = manifest.target
    if target is None:
        raise BadInput(f"{manifest} has no target, so there is no y")
    paths = [str(blob(shard, settings)) for shard in part.shards]
    size = max(1, part.bytes // max(1, part.examples))
    at_once = int(max(1, min(256, AT_ONCE_BYTES // size)))

    def read(path: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(path, buffer_size=BUFFER_BYTES).batch(at_once)

    files = tf.data.Dataset.from_tensor_slices(paths)
    whole = files.interleave(read, cycle_length=min(CYCLE, len(paths)), block_length=1)
    decoded = whole.map(lambda batch: _decode(batch, manifest), num_parallel_calls=2, deterministic=True)
    return decoded.unbatch().apply(tf.data.experimental.assert_cardinality(part.examples))


def _decode(batch: tf.Tensor, manifest: DatasetManifest) -> tuple[tf.Tensor, tf.Tensor]:
    columns = manifest.columns
    size = records.fixed_dtype(columns).itemsize
    texts = [c for c in columns if c.is_text]
    fixed = tf.strings.substr(batch, 0, size) if texts else batch
    raw = tf.reshape(tf.io.decode_raw(fixed, tf.uint8), (-1, size))
    values = _fixed(raw, columns)
    target = manifest.target
    assert target is not None
    y = values[columns.index(target)]
    if target.kind in ("category", "flag"):
        y = tf.cast(y, tf.int64)
    elif target.kind == "number":
        y = tf.cast(y, tf.float32)
    if manifest.kind == "table":
        return _encoded(values, columns), y
    (only,) = manifest.inputs
    if only.is_text:
        return _text(batch, size, len(texts), texts.index(only)), y
    return values[columns.index(only)], y


def _fixed(raw: tf.Tensor, columns: Sequence[Column]) -> dict[int, tf.Tensor]:
    """Each fixed column of a batch of raw bytes ``(n, size)``, by its place."""
    found, at = {}, 0
    for place, column in enumerate(columns):
        if column.is_text:
            continue
        dtype = np.dtype(column.dtype)
        count = int(np.prod(column.shape, dtype=np.int64))
        part = raw[:, at : at + count * dtype.itemsize]
        at += count * dtype.itemsize
        kind = tf.as_dtype(dtype)
        if dtype.itemsize > 1:
            part = tf.bitcast(tf.reshape(part, (-1, count, dtype.itemsize)), kind)
        elif dtype != np.uint8:
            part = tf.cast(part, kind) if dtype == np.bool_ else tf.bitcast(part, kind)
        found[place] = tf.reshape(part, (-1, *column.shape))
    return found


def _encoded(values: dict[int, tf.Tensor], columns: Sequence[Column]) -> tf.Tensor:
    made = []
    for one in features.features(columns):
        value = values[one.column]
        if one.category is not None:
            made.append(tf.cast(value == one.category, tf.float32))
            continue
        number = tf.cast(value, tf.float32)
        good = tf.math.is_finite(number)
        made.append(tf.cast(~good, tf.float32) if one.is_missing else tf.where(good, number, one.fill))
    return tf.stack(made, axis=-1)


def _text(batch: tf.Tensor, size: int, count: int, wanted: int) -> tf.Tensor:
    heads = tf.io.decode_raw(tf.strings.substr(batch, size, 4 * count), tf.int32)
    heads = tf.reshape(heads, (-1, count))
    start = size + 4 * count + tf.reduce_sum(heads[:, :wanted], axis=1)
    return tf.strings.substr(batch, start, heads[:, wanted])
