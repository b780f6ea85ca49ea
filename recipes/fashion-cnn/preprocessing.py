"""Fashion-MNIST: 28×28 pictures of clothes in ten kinds, as many and as large as MNIST's digits."""

from workbench import datasets


def load_data():
    (x_train, y_train), (x_test, y_test) = datasets.load("fashion-mnist")
    return (x_train[..., None], y_train), (x_test[..., None], y_test)
