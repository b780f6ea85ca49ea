"""Makes the models that untrusted people bring, with TensorFlow alone: ``python -m tests.backend.untrusted.strange_models FOLDER``.

A good model's class is the brightest of ten horizontal bands of the picture, so that a test knows the answer. The
hostile one has a signature for each thing that it tries.
"""

import os
import socket
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

SHAPES = {"mnist": (28, 28, 1), "cifar": (32, 32, 3), "fashion": (28, 28, 1)}


def make(folder: Path) -> None:
    """``mnist.zip``, ``cifar.zip``, ``fashion.zip``, ``bands.keras``, ``two.keras``, ``hostile.zip``, ``lambda.keras``, ``absurd.keras``."""
    import keras
    import tensorflow as tf

    def bands(height: int) -> NDArray[np.float32]:
        matrix = np.zeros((height, 10), np.float32)
        for row in range(height):
            matrix[row, row * 10 // height] = 1
        return matrix / matrix.sum(0)

    class Bands(tf.Module):
        def __init__(self, shape: tuple[int, ...]) -> None:
            super().__init__()
            self.matrix = tf.Variable(bands(shape[0]))
            self.shape = shape

        def signature(self) -> Any:
            @tf.function(input_signature=[tf.TensorSpec((None, *self.shape), tf.float32, name="image")])
            def serve(image: Any) -> dict[str, Any]:
                rows = tf.reduce_mean(image, axis=(2, 3)) / 255.0
                return {"scores": tf.nn.softmax(tf.matmul(rows, self.matrix) * 10.0)}

            return serve

    for name, shape in SHAPES.items():
        module = Bands(shape)
        tf.saved_model.save(module, str(folder / name), signatures=module.signature())
        # As people zip them: a folder around it, and a version in that.
        _zip(folder / name, folder / f"{name}.zip", "export/1" if name == "cifar" else "")

    image = keras.Input((28, 28, 1), name="image")
    rows = keras.layers.Reshape((28, 28))(image)
    mean = keras.layers.GlobalAveragePooling1D(data_format="channels_first")(rows)
    scores = keras.layers.Dense(10, use_bias=False)(mean)
    model = keras.Model(image, scores)
    model.layers[-1].set_weights([bands(28)])
    model.save(folder / "bands.keras")

    age, word = keras.Input((1,), name="age"), keras.Input((1,), dtype="string", name="word")
    kind = keras.layers.StringLookup(vocabulary=["so"], output_mode="one_hot")(word)
    sure = keras.layers.Softmax(name="band")(scores)
    price = keras.layers.Dense(1, kernel_initializer="ones", name="price")(
        keras.layers.concatenate([age, kind])
    )
    keras.Model({"pixels": image, "years": age, "kind": word}, [sure, price]).save(folder / "two.keras")

    image = keras.Input((28, 28, 1))
    sign = str(folder / "lambda-ran")
    evil = keras.layers.Lambda(lambda x, sign=sign: __import__("os").system("touch " + sign) or x)(image)
    keras.Model(image, keras.layers.Flatten()(evil)).save(folder / "lambda.keras")
    Path(sign).unlink()

    image = keras.Input((28, 28, 1))
    small = keras.Model(image, keras.layers.Dense(7, name="absurd")(keras.layers.Flatten()(image)))
    small.save(folder / "small.keras")
    with zipfile.ZipFile(folder / "small.keras") as old, zipfile.ZipFile(folder / "absurd.keras", "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info, data.replace(b'"units": 7', b'"units": 2000000000'))

    _make_hostile(tf, folder)


def _make_hostile(tf: Any, folder: Path) -> None:
    image = tf.TensorSpec((None, 28, 28, 1), tf.float32, name="image")
    text = tf.TensorSpec((None,), tf.string, name="text")
    some = tf.constant([[0.1] * 10])

    class Hostile(tf.Module):
        @tf.function(input_signature=[text])
        def writes(self, text: Any) -> dict[str, Any]:
            with tf.control_dependencies([tf.io.write_file(text[0], "written by a model")]):
                return {"scores": tf.identity(some)}

        @tf.function(input_signature=[text])
        def reads(self, text: Any) -> dict[str, Any]:
            return {"scores": tf.reshape(tf.io.read_file(text[0]), (1,))}

        @tf.function(input_signature=[text])
        def lists(self, text: Any) -> dict[str, Any]:
            found = tf.io.matching_files(text)
            return {"scores": tf.reshape(tf.strings.reduce_join(found, separator=" "), (1,))}

        @tf.function(input_signature=[text])
        def calls(self, text: Any) -> dict[str, Any]:
            data = tf.data.Dataset.range(3)._variant_tensor
            named = tf.raw_ops.RegisterDatasetV2(
                dataset=data, address=text[0], protocol="grpc", external_state_policy=0
            )
            return {"scores": tf.reshape(named, (1,))}

        @tf.function(input_signature=[image])
        def loops(self, image: Any) -> dict[str, Any]:
            n = tf.while_loop(lambda n: n >= 0, lambda n: [(n + 1) % 1000], [tf.constant(0)])
            return {"scores": some * tf.cast(n[0], tf.float32)}

        @tf.function(input_signature=[image])
        def eats(self, image: Any) -> dict[str, Any]:
            many = tf.cast(tf.reduce_sum(image) * 0.0, tf.int32) + 30_000
            grown = tf.random.uniform((many, many))
            for _ in range(4):
                grown = tf.concat([grown, grown + 1.0], 0)
            return {"scores": some * tf.reduce_mean(grown)}

        @tf.function(input_signature=[image])
        def behaves(self, image: Any) -> dict[str, Any]:
            return {"scores": some + tf.reduce_mean(image) * 0.0}

    module = Hostile()
    _prove_that_it_calls(tf, module)
    names = ("writes", "reads", "lists", "calls", "loops", "eats")
    signatures = {name: getattr(module, name) for name in names}
    tf.saved_model.save(module, str(folder / "hostile"), {"serving_default": module.behaves, **signatures})
    _zip(folder / "hostile", folder / "hostile.zip", "")


def _prove_that_it_calls(tf: Any, module: Any) -> None:
    """Where nothing holds it, the model does open a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=lambda: module.calls(tf.constant([where])), daemon=True).start()
        listener.accept()[0].close()


def _zip(source: Path, destination: Path, under: str) -> None:
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                archive.write(path, Path(under) / path.relative_to(source))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
    os._exit(0)  # the thread that calls would go on calling
