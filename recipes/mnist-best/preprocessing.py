"""MNIST's 60,000 scanned digits and 10,000 pen strokes to learn from, and 10,000 scanned ones to be tested on."""

from workbench import datasets

EXAMPLES = 70_000
"""All of the scanned digits and a quarter of the strokes: with more of these, scanned digits are read a little less well."""


def load_data():
    (x, y), (x_test, y_test) = datasets.joined("mnist", "pen-strokes")
    return (x[:EXAMPLES, ..., None], y[:EXAMPLES]), (x_test[..., None], y_test)
