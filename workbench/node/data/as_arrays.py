"""A part of the data as arrays, as a model is measured on it; of a stream that is too large, a sample."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from workbench import arrays as named
from workbench.node import parts
from workbench.node.data.batches import bytes_of
from workbench.node.data.from_dataset import count_of
from workbench.node.given import structures
from workbench.node.inference import at_once

TEST_BYTES = 256 * 1024**2
"""Of a stream's test part that a model is measured on; all machines have it in memory while they train."""


def arrays(part: Any, name: str = "test", say: Callable[[str], None] = lambda line: None) -> tuple[Any, Any]:
    """A part as arrays ``(x, y)``: itself, or what its ``tf.data.Dataset`` gives, without the weights of examples.

    Of a stream that is larger than ``TEST_BYTES`` it is every so-and-so-many-th example, which ``say`` is told.

    Several inputs or outputs come by name, those of a tuple by their places, ``1``, ``2``, ….

    Raises
    ------
    RecipeError
        As ``prepare``, or an element is not one ``x`` and one ``y``.
    """
    if not isinstance(part, tf.data.Dataset):
        x, y, *_ = parts.as_structures(part, name)
    else:
        parts.check_dataset(part, name)
        count, size = count_of(part), bytes_of(next(iter(part.batch(1).take(1))))
        every = -(-count * size // TEST_BYTES)
        if every > 1:
            part = part.shard(every, 0)
            say(
                f"the {name} part has {count:,} examples of some {size:,} bytes: one in {every} of them is taken, "
                f"{-(-count // every):,} examples"
            )
        batches = list(part.batch(at_once(size)).as_numpy_iterator())
        x, y, *_ = (parts.join(list(column)) for column in zip(*batches, strict=True))
        parts.check_values(x, y, name)
    x, y = (named.by_name(one) if structures.is_several(one) else one for one in (x, y))
    return x, y
