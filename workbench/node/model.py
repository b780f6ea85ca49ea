"""A recipe's compiled Keras model: built with all its variables, taken one step, evaluated, asked.

What is here works the same whoever runs it: one process, or a replica of a distribution strategy.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError
from workbench.recipes import Program, in_plain_words
from workbench.upstream import keras as upstream

PREDICT_BATCH = 1_000


def build(program: Program, sample: tuple[Any, Any]) -> keras.Model:
    """Call ``build_model()`` and make every variable of the model and its optimizer.

    Raises
    ------
    RecipeError
        What comes back is not a compiled Keras model, or it does not take the data.
    """
    model = program.build_model()
    if not isinstance(model, keras.Model):
        raise RecipeError(f"build_model() must return a keras.Model. Received: {model!r}", field="training")
    if not model.compiled:
        raise RecipeError(
            "build_model() must return a compiled model; call model.compile(…) before returning it",
            field="training",
        )
    try:
        outputs = model(sample[0])
    except ValueError as error:
        shapes = tf.nest.map_structure(lambda t: tuple(t.shape[1:]), sample[0])
        raise RecipeError(
            f"the model does not take what load_data() gives, x of shape {shapes}: {in_plain_words(str(error))}",
            field="training",
        ) from error
    if not tf.is_tensor(outputs):
        raise RecipeError(
            f"the model must give one output; of several, which one would be the answer? Received: {type(outputs).__name__}",
            field="training",
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model


def build_metrics(model: keras.Model, sample: tuple[Any, Any]) -> None:
    """Make the compiled loss and metrics, which Keras makes when it first meets a ``y``.

    Outside of any strategy: their variables are only used where nothing is distributed (see ``Step``).
    """
    x, y = sample
    # A model with a train_step of its own may have no compiled loss, or one that does not fit its output.
    with contextlib.suppress(Exception):
        outputs = model(x)
        model.compute_loss(x=x, y=y, y_pred=outputs)
        model.compute_metrics(x, y, outputs, None)
    model.reset_metrics()


def says_logits(model: keras.Model) -> bool:
    """Tell whether the compiled loss takes the model's outputs for logits, ``from_logits=True``."""
    loss = getattr(model, "loss", None)
    named = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    return bool(named.get("from_logits"))


def optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """The compiled optimizer, and those that a model with a ``train_step`` of its own keeps besides."""
    found = [model.optimizer, *vars(model).values()]
    found += [getattr(optimizer, "inner_optimizer", None) for optimizer in found]
    unique = {id(o): o for o in found if isinstance(o, keras.optimizers.Optimizer)}
    return list(unique.values())


def variables(model: keras.Model) -> list[keras.Variable]:
    """All that training changes: weights, seeds, what the optimizers keep; not the metrics."""
    own = [*model.variables, *(v for optimizer in optimizers(model) for v in optimizer.variables)]
    return list({id(variable): variable for variable in own}.values())


class Step:
    """One call of the model's ``train_step``, whose metrics are those of its own batch.

    Keras keeps metrics in variables. Under parameter servers all workers would add to the same ones, and each step
    would wait for them on the network. Here every metric begins anew with the batch and its state stays a value of
    the graph.

    Attributes
    ----------
    names
        What ``train_step`` reports, once it was traced.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.names: frozenset[str] = frozenset()

    def __call__(self, batch: Any) -> tf.Tensor:
        """Loss and accuracy, float32 ``(2,)``; 0 for one that the model does not report."""
        with upstream.values_for_variables(self.model.metrics):
            logs = self.model.train_step(batch)
        loss, accuracy = logs.get("loss"), accuracy_of(logs)
        self.names = frozenset(n for n, v in (("loss", loss), ("accuracy", accuracy)) if v is not None)
        return tf.stack([tf.cast(0.0 if v is None else v, tf.float32) for v in (loss, accuracy)])


def make_evaluation(model: keras.Model) -> Callable[[tf.data.Dataset], tuple[int, float, float | None]]:
    """A function that gives the number of examples, loss and accuracy (``None`` where there is no such metric),
    in inference mode."""

    @tf.function(reduce_retracing=True)
    def step(batch: Any) -> Any:
        return model.test_step(batch)

    def run(batches: tf.data.Dataset) -> tuple[int, float, float | None]:
        model.reset_metrics()
        logs: dict[str, tf.Tensor] = {}
        count = 0
        for batch in batches:
            logs = step(batch)
            count += int(tf.nest.flatten(batch)[0].shape[0])
        accuracy = accuracy_of(logs)
        return count, float(logs.get("loss", math.nan)), None if accuracy is None else float(accuracy)

    return run


def accuracy_of(logs: dict[str, Any]) -> Any:
    """The first of the metrics that is an accuracy, one number; or ``None``."""
    for name, value in logs.items():
        if isinstance(value, dict):  # compiled metrics, reported by a train_step of the model's own
            value = accuracy_of(value)
        elif not (name == "acc" or name.endswith("accuracy")) or np.ndim(value):
            continue
        if value is not None:
            return value
    return None


def layers_of(model: keras.Model) -> Iterator[keras.Layer]:
    """The model and all layers within it, however deep; ``model.layers`` has the outermost only."""
    seen: set[int] = set()
    rest: list[object] = [model]
    while rest:
        value = rest.pop()
        if id(value) in seen or not isinstance(value, keras.Layer | Mapping | list | tuple):
            continue
        seen.add(id(value))
        if isinstance(value, keras.Layer):
            yield value
            value = vars(value)
        rest.extend(value.values() if isinstance(value, Mapping) else value)


def input_of(model: keras.Model, x: np.ndarray) -> tf.TensorSpec:
    """The one input that the model takes, with a batch of any size.

    Shape and dtype are those of the model's own ``Input``, ``None`` where it leaves a side open, and float32 for half
    precision, which few clients can send. A model without one takes what it was given: ``x``, inputs ``(n, …)``.
    """
    inputs = getattr(model, "inputs", None)
    if inputs:
        dtype, shape = tf.as_dtype(inputs[0].dtype), tuple(inputs[0].shape[1:])
    else:
        dtype, shape = tf.as_dtype("string" if x.dtype.kind in "USO" else x.dtype), x.shape[1:]
        if dtype == tf.float64 or (dtype == tf.uint8 and x.ndim == 4):
            dtype = tf.float32  # Keras makes that of either; pictures come from others with fractions
    if dtype in (tf.float16, tf.bfloat16):
        dtype = tf.float32
    return tf.TensorSpec((None, *shape), dtype, name="input")


@contextlib.contextmanager
def full_precision(model: keras.Model) -> Iterator[None]:
    """Have layers with weights in full precision compute in it, too, as everything does that serves a model.

    Mixed precision is for training: ONNX Runtime lacks most of bfloat16, and two libraries round it differently.
    """
    half = [
        layer
        for layer in layers_of(model)
        if layer.compute_dtype in ("float16", "bfloat16") and layer.variable_dtype == "float32"
    ]
    before = [(layer, layer.dtype_policy) for layer in half]
    try:
        for layer in half:
            layer.dtype_policy = keras.DTypePolicy("float32")
        yield
    finally:
        for layer, policy in before:
            layer.dtype_policy = policy


def plain(model: keras.Model, x: np.ndarray) -> keras.Model:
    """The same model without a class of the recipe's own around its layers, so that it can be loaded anywhere.

    Gives the model itself where it has no such class, or where what its class does is not made of Keras' layers and
    operations. ``x`` are some inputs, ``(n, …)``; the answers to them are compared.
    """
    if type(model).__module__.startswith("keras."):
        return model
    expected = predict(model, x)

    def inline() -> keras.Model:
        takes = input_of(model, x)
        given = keras.Input(takes.shape[1:], dtype=takes.dtype.name)
        return keras.Model(given, model.call(given))

    def cut() -> keras.Model:
        return keras.Model(model.inputs[0], model.outputs[0])

    for unwrap in (cut, inline):
        # Keras raises whatever the recipe's code makes it raise.
        with contextlib.suppress(Exception):
            found = unwrap()
            if np.allclose(predict(found, x), expected, rtol=1e-5, atol=1e-6):
                return found
    return model


def predict(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The model's outputs in inference mode and full precision, float32 ``(n, …)``, computed in batches."""
    return predictor(model)(x)


def predictor(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """What ``predict`` calls, made once: whatever it draws by chance is drawn anew at each call."""
    forward = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)

    def predict(x: np.ndarray) -> np.ndarray:
        starts = range(0, len(x), PREDICT_BATCH)
        with full_precision(model):
            found = [forward(tf.constant(x[i : i + PREDICT_BATCH])).numpy() for i in starts]
        return np.concatenate(found).astype(np.float32)

    return predict
