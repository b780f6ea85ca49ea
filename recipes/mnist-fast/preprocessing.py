"""MNIST: 60,000 handwritten digits to learn from and 10,000 others to be tested on."""

from workbench import datasets


def load_data():
    (x_train, y_train), (x_test, y_test) = datasets.load("mnist")
    return (x_train[..., None], y_train), (x_test[..., None], y_test)
