"""Points in four dimensions, and on which side of a plane they are: nothing has to be fetched."""

import numpy as np


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    x = np.random.default_rng(0).normal(size=(2_000, 4)).astype("float32")
    y = (x.sum(1) > 0).astype("int64")
    return (x[:1_800], y[:1_800]), (x[1_800:], y[1_800:])
