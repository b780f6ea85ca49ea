import numpy as np


def load_data():
    chance = np.random.default_rng(0)
    x = chance.integers(0, 100, (220, 12, 12, 1)).astype("uint8")
    y = np.arange(220) % 2
    x[y == 1] += 100
    return (x[:200], y[:200]), (x[200:], y[200:])
