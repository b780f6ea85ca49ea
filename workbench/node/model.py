"""A recipe's compiled Keras model: built with all its variables, taken one step, evaluated, asked.

What is here works the same whoever runs it: one process, or a replica of a distribution strategy.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench import arrays
from workbench.errors import RecipeError
from workbench.node.given import one_each
from workbench.node.given import signature as signatures
from workbench.node.given.signature import PLAIN, Signature
from workbench.node.inference import at_once, bytes_of
from workbench.recipes import Program, in_plain_words
from workbench.upstream import keras as upstream


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
    except (ValueError, KeyError, tf.errors.InvalidArgumentError) as error:
        raise RecipeError(
            f"the model does not take what load_data() gives, x of shape {_shapes(sample[0])}{_wanted(model)}: "
            f"{one_each.uneven_views(list(layers_of(model))) or in_plain_words(str(error))}",
            field="training",
        ) from error
    one_each.check(list(layers_of(model)), sample[0], outputs)
    signatures.read(model, sample, outputs, program.output)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model


def signature(model: keras.Model, program: Program, sample: tuple[Any, Any]) -> Signature:
    """Names and places of what the model takes and gives, by its answer to a batch."""
    found = signatures.read(model, sample, model(sample[0], training=False), program.output)
    own = _own_inputs(model, found)
    return replace(found, shapes=tuple(tuple(own[name].shape[1:]) for name in found.inputs) if own else ())


def _shapes(x: Any) -> str:
    shapes = tf.nest.map_structure(lambda t: tuple(t.shape[1:]), x)
    if not isinstance(x, Mapping):
        return str(shapes)
    return "{" + ", ".join(f"{name}: {shape}" for name, shape in shapes.items()) + "}"


def _wanted(model: keras.Model) -> str:
    """What a model of several inputs says that it takes."""
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) < 2:
        return ""
    return f" (it takes {', '.join(f'{one.name}: {tuple(one.shape[1:])}' for one in inputs)})"


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


def says_logits(model: keras.Model, outputs: Signature = PLAIN) -> frozenset[str]:
    """Names of the outputs that the compiled loss takes for logits, ``from_logits=True``."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, Mapping):
        keys = (
            outputs.gives if isinstance(outputs.gives, tuple) else getattr(model, "output_names", None) or ()
        )
        of = {name: loss.get(key) for name, key in zip(outputs.outputs, keys, strict=False)}
    else:
        each = loss if isinstance(loss, list | tuple) else [loss] * len(outputs.outputs)
        of = dict(zip(outputs.outputs, each, strict=False))
    return frozenset(
        name
        for name, one in of.items()
        if isinstance(one, keras.losses.Loss) and one.get_config().get("from_logits")
    )


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

    def __init__(self, model: keras.Model, first: str = "") -> None:
        self.model, self._first = model, first
        self.names: frozenset[str] = frozenset()

    def __call__(self, batch: Any) -> tf.Tensor:
        """Loss and accuracy, float32 ``(2,)``; 0 for one that the model does not report."""
        with upstream.values_for_variables(self.model.metrics):
            logs = self.model.train_step(batch)
        loss, accuracy = logs.get("loss"), accuracy_of(logs, self._first)
        self.names = frozenset(n for n, v in (("loss", loss), ("accuracy", accuracy)) if v is not None)
        return tf.stack([tf.cast(0.0 if v is None else v, tf.float32) for v in (loss, accuracy)])


def make_evaluation(
    model: keras.Model, first: str = ""
) -> Callable[[tf.data.Dataset], tuple[int, float, float | None]]:
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
        accuracy = accuracy_of(logs, first)
        return count, float(logs.get("loss", math.nan)), None if accuracy is None else float(accuracy)

    return run


def accuracy_of(logs: dict[str, Any], first: str = "") -> Any:
    """The first of the metrics that is an accuracy, one number, of the output ``first`` if that has one; or ``None``."""
    if first:
        found = accuracy_of({name: value for name, value in logs.items() if name.startswith(f"{first}_")})
        if found is not None:
            return found
    for name, value in logs.items():
        if isinstance(value, dict):  # compiled metrics, reported by a train_step of the model's own
            value = accuracy_of(value, first)
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


def inputs_of(model: keras.Model, x: arrays.Arrays, outputs: Signature = PLAIN) -> dict[str, tf.TensorSpec]:
    """The inputs that the model takes by name, as :func:`input_of` tells one."""
    own = _own_inputs(model, outputs)
    parts = x if isinstance(x, Mapping) else {outputs.inputs[0]: x}
    return {name: _spec(name, own.get(name), parts[name]) for name in outputs.inputs}


def own_dtypes(model: keras.Model, outputs: Signature = PLAIN) -> dict[str, tf.DType]:
    """The dtypes of the model's own ``Input`` by name; empty where it has none."""
    return {name: tf.as_dtype(one.dtype) for name, one in _own_inputs(model, outputs).items()}


def _own_inputs(model: keras.Model, outputs: Signature) -> Mapping[str, keras.KerasTensor]:
    """The model's own ``Input`` of each name; empty where it has none."""
    inputs = list(getattr(model, "inputs", None) or ())
    if len(inputs) != len(outputs.inputs):
        return {}
    if isinstance(outputs.takes, tuple) and not outputs.one_input:
        structure = model.input
        by_key = structure if isinstance(structure, Mapping) else {one.name: one for one in inputs}
        if set(outputs.takes) <= set(by_key):
            inputs = [by_key[key] for key in outputs.takes]
    return dict(zip(outputs.inputs, inputs, strict=True))


def input_of(model: keras.Model, x: np.ndarray) -> tf.TensorSpec:
    """The one input that the model takes, with a batch of any size.

    Shape and dtype are those of the model's own ``Input``, ``None`` where it leaves a side open, and float32 for half
    precision, which few clients can send. A model without one takes what it was given: ``x``, inputs ``(n, …)``.
    """
    return inputs_of(model, x)[signatures.INPUT]


def _spec(name: str, own: Any, x: np.ndarray) -> tf.TensorSpec:
    if own is not None:
        dtype, shape = tf.as_dtype(own.dtype), tuple(own.shape[1:])
    else:
        dtype, shape = tf.as_dtype("string" if x.dtype.kind in "USO" else x.dtype), x.shape[1:]
        if dtype == tf.float64 or (dtype == tf.uint8 and x.ndim == 4):
            dtype = tf.float32  # Keras makes that of either; pictures come from others with fractions
    if dtype in (tf.float16, tf.bfloat16):
        dtype = tf.float32
    return tf.TensorSpec((None, *shape), dtype, name=name)


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


def plain(model: keras.Model, x: arrays.Arrays, outputs: Signature = PLAIN) -> keras.Model:
    """The same model without a class of the recipe's own around its layers, so that it can be loaded anywhere.

    Gives the model itself where it has no such class, or where what its class does is not made of Keras' layers and
    operations. ``x`` are some inputs, ``(n, …)``; the answers to them are compared.
    """
    if type(model).__module__.startswith("keras."):
        return model
    expected = predict(model, x, outputs)

    def inline() -> keras.Model:
        takes = inputs_of(model, x, outputs)
        keys = outputs.takes if isinstance(outputs.takes, tuple) else outputs.inputs
        made = {
            name: keras.Input(spec.shape[1:], dtype=spec.dtype.name, name=None if outputs.one_input else key)
            for (name, spec), key in zip(takes.items(), keys, strict=True)
        }
        given = outputs.give(made if not outputs.one_input else next(iter(made.values())))
        return keras.Model(given, model.call(given))

    def cut() -> keras.Model:
        if outputs.takes is None and outputs.gives is None:
            return keras.Model(model.inputs[0], model.outputs[0])
        return keras.Model(model.input, model.output)

    for unwrap in (cut, inline):
        # Keras raises whatever the recipe's code makes it raise.
        with contextlib.suppress(Exception):
            found = unwrap()
            answers = arrays.each(predict(found, x, outputs))
            if all(
                np.allclose(one, other, rtol=1e-5, atol=1e-6)
                for one, other in zip(answers, arrays.each(expected), strict=True)
            ):
                return found
    return model


def predict(model: keras.Model, x: arrays.Arrays, outputs: Signature = PLAIN) -> Any:
    """The model's outputs in inference mode and full precision, float32 ``(n, …)``, computed in batches; several by name."""
    return predictor(model, outputs)(x)


def predictor(model: keras.Model, outputs: Signature = PLAIN) -> Callable[[arrays.Arrays], Any]:
    """What ``predict`` calls, made once: whatever it draws by chance is drawn anew at each call."""
    forward = tf.function(
        lambda batch: outputs.name(model(outputs.give(batch), training=False)), reduce_retracing=True
    )

    def predict(x: arrays.Arrays) -> Any:
        size = at_once(bytes_of(arrays.cut(x, 0, 1)))
        batches = (arrays.cut(x, i, i + size) for i in range(0, arrays.count(x), size))
        with full_precision(model):
            found = [
                arrays.convert(lambda answer: answer.numpy(), forward(arrays.convert(tf.constant, batch)))
                for batch in batches
            ]
        return arrays.convert(lambda answers: answers.astype(np.float32), arrays.join(found))

    return predict
