"""MNIST's 60,000 scanned digits and 40,000 pen strokes to learn from, and 10,000 scanned ones to be tested on."""

from workbench import datasets


def load_data():
    (x, y), (x_test, y_test) = datasets.joined("mnist", "pen-strokes")
    return (x[..., None], y), (x_test[..., None], y_test)
