"""Recipes that train in a second and whose results are known beforehand."""

NUMBERS = """
import numpy as np

def load_data():
    chance = np.random.default_rng(0)
    x = chance.normal(size=(1100, 8)).astype("float32")
    y = (x[:, :4].sum(1) > x[:, 4:].sum(1)).astype("int64")
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])
"""
NET = """
import keras
EPOCHS, BATCH_SIZE, LABELS = 3, 20, ["no", "yes"]

def build_model():
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(2, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
SMALL = {"preprocessing": NUMBERS, "training": NET}
"""900 examples to train on: 45 steps an epoch."""

ONES = """
import numpy as np

def load_data():
    x, y = np.ones((500, 1), "float32"), np.random.default_rng(0).normal(size=(500, 1)).astype("float32")
    return (x[:400], y[:400]), (x[400:], y[400:])
"""
COUNT = """
import keras
EPOCHS, BATCH_SIZE = 2, 4

def build_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(1.0), loss=lambda truth, output: -output)
    return model
"""
COUNTING = {"preprocessing": ONES, "training": COUNT}
"""360 examples, 90 steps an epoch. The gradient of the one weight is always -1 and the rate 1: what the model answers
is how many updates its weight has had."""
COUNTING_EPOCH = 90
