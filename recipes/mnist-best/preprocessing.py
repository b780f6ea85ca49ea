"""MNIST's 60,000 scanned digits and 40,000 pen strokes to learn from, and 10,000 scanned ones to be tested on."""

import numpy as np

from workbench import datasets


def load_data():
    (scans, scanned), (x_test, y_test) = datasets.load("mnist")
    (strokes, drawn), _ = datasets.load("pen-strokes")
    x, y = np.concatenate([scans, strokes]), np.concatenate([scanned, drawn])
    return (x[..., None], y), (x_test[..., None], y_test)
