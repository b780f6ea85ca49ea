"""Notebooks that train with ``model.fit``, as tutorials and Colab write them; their data is made in them or beside them."""

import json
from collections.abc import Sequence

from workbench import recipes
from workbench.recipes.importing import Proposal, propose


def notebook(*cells: str) -> bytes:
    """The bytes of a notebook with these code cells."""
    made = [{"cell_type": "markdown", "metadata": {}, "source": ["# A tutorial"]}]
    made += [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": c.splitlines(True)} for c in cells
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()


def proposed(*cells: str) -> Proposal:
    """What becomes of a notebook with these code cells; the recipe's syntax and names were checked."""
    found = propose(notebook(*cells), "mine.ipynb")
    recipes.check(found.recipe)
    return found


def said(proposal: Proposal, text: str) -> bool:
    """Whether a note holds this text."""
    return any(text in note for note in proposal.notes)


PICTURES: Sequence[str] = (
    "!pip install -q keras tensorflow\n%matplotlib inline",
    "import numpy as np\nimport matplotlib.pyplot as plt\nfrom tensorflow import keras\nfrom tensorflow.keras import layers",
    """# Parameters
num_classes = 3
input_shape = (8, 8, 1)
class_names = ["dark", "grey", "bright"]

chance = np.random.default_rng(0)
x = chance.integers(0, 80, (240, 8, 8))
y = np.arange(240) % 3
x = (x + 80 * y[:, None, None]).astype("float32")
x_train, y_train, x_test, y_test = x[:200], y[:200], x[200:], y[200:]

# Scale, and make rows of one and zeros of the classes
x_train /= 255
x_test = x_test / 255
x_train = np.expand_dims(x_train, -1); x_test = np.expand_dims(x_test, -1)
print("x_train shape:", x_train.shape)
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)""",
    "plt.figure(figsize=(4, 4))\nplt.imshow(x_train[0])\nplt.show()",
    """model = keras.Sequential([keras.Input(shape=input_shape), layers.Conv2D(4, 3, activation="relu"), layers.Flatten()])
model.add(layers.Dense(num_classes, activation="softmax"))
model.summary()""",
    """batch_size = 20
epochs = 2
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
callbacks = [
    keras.callbacks.EarlyStopping(monitor="val_loss", patience=3),
    keras.callbacks.ModelCheckpoint("best.keras"),
]
history = model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, validation_split=0.1, callbacks=callbacks)""",
    "plt.plot(history.history['loss'])",
    "score = model.evaluate(x_test, y_test, verbose=0)\nprint('Test loss:', score[0])\nmodel.save('m.keras')",
)
TABLE: Sequence[str] = (
    "import numpy as np\nimport tensorflow as tf\nfrom tensorflow.keras import layers\nfrom google.colab import drive\ndrive.mount('/content/drive')",
    "rows = np.genfromtxt('cars.csv', delimiter=',', skip_header=1)\nrows = rows[~np.isnan(rows).any(axis=1)]",
    """features, targets = rows[:, :3].copy(), rows[:, 3].copy()
cut = int(len(features) * 0.8)
train_features, train_labels = features[:cut], targets[:cut]
test_features, test_labels = features[cut:], targets[cut:]""",
    "normalizer = layers.Normalization(axis=-1)\nnormalizer.adapt(np.array(train_features))",
    """def build_and_compile_model(norm):
  model = tf.keras.Sequential([norm, layers.Dense(8, activation='relu'), layers.Dense(1)])
  model.compile(loss='mean_absolute_error', optimizer=tf.keras.optimizers.Adam(0.001))
  return model""",
    "dnn_model = build_and_compile_model(normalizer)\ndnn_model.summary()",
    "%%time\nhistory = dnn_model.fit(train_features, train_labels, validation_split=0.2, verbose=0, epochs=2)",
    "test_results = dnn_model.evaluate(test_features, test_labels, verbose=0)",
)
STREAM: Sequence[str] = (
    "import numpy as np\nimport tensorflow as tf\nbatch_size = 16\nside = 6",
    """def make(count, seed):
    r = np.random.default_rng(seed)
    y = r.integers(0, 2, count)
    x = (r.random((count, side, side, 3)) + y[:, None, None, None]).astype("float32")
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(100).batch(batch_size)
train_ds = make(200, 0)
val_ds = make(50, 1)""",
    "shape = train_ds.element_spec[0].shape[1:]",
    "AUTOTUNE = tf.data.AUTOTUNE\ntrain_ds = train_ds.cache().shuffle(1000).prefetch(buffer_size=AUTOTUNE)\nval_ds = val_ds.cache().prefetch(AUTOTUNE)",
    """strategy = tf.distribute.MirroredStrategy()
with strategy.scope():
    inputs = tf.keras.Input(shape)
    x = tf.keras.layers.RandomFlip("horizontal")(inputs)
    x = tf.keras.layers.Flatten()(x)
    outputs = tf.keras.layers.Dense(2)(x)
    model = tf.keras.Model(inputs, outputs)
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])""",
    "epochs = 2\nhistory = model.fit(train_ds, validation_data=val_ds, epochs=epochs)",
    "model.fit(train_ds, epochs=1)",
)
TEXT: Sequence[str] = (
    "import numpy as np, tensorflow as tf",
    """texts = np.array([("good" if k % 2 else "bad") + f" word{k % 7}" for k in range(200)])
labels_ = np.array([k % 2 for k in range(200)])""",
    """max_features = 50
vectorize_layer = tf.keras.layers.TextVectorization(max_tokens=max_features, output_sequence_length=3)
vectorize_layer.adapt(texts)""",
    """model = tf.keras.Sequential()
model.add(tf.keras.Input(shape=(), dtype="string"))
model.add(vectorize_layer)
model.add(tf.keras.layers.Embedding(max_features, 4))
model.add(tf.keras.layers.GlobalAveragePooling1D())
model.add(tf.keras.layers.Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])""",
    "model.fit(texts, labels_, epochs=2, batch_size=20, class_weight={0: 1.0, 1: 2.0})",
)
ALL = {"pictures": PICTURES, "table": TABLE, "stream": STREAM, "text": TEXT}
CARS = "a,b,c,mpg\n" + "".join(
    f"{k % 7},{k % 5},{'' if k % 50 == 3 else k % 3},{k % 11}\n" for k in range(150)
)
