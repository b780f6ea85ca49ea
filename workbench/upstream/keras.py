"""Keras 3 where more than one worker trains a model: counts that lose no step, metrics that share no state.

Keras's trainer supports no parameter servers (https://github.com/keras-team/keras/issues/18624), and its optimizers race
there (issue 18668). Two of its objects get methods of their own for that, on the instance:

- an optimizer's counter, ``Optimizer.iterations``, whose ``assign_add`` Keras calls as a read and then a write;
- the metrics, whose ``update_state``, ``result`` and ``reset_state`` ``Model.train_step`` calls.

That Keras looks these up on the instance, and calls just these, is documented nowhere.

Versions: ``keras>=3.15,<3.16``. Goes when Keras's own ``fit`` trains under a ``ParameterServerStrategy``.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

_METHODS = ("update_state", "result", "reset_state")
_STATES = "_workbench_states"


def count_exactly(optimizer: keras.optimizers.Optimizer) -> None:
    """Let the optimizer's counter, which rates and Adam's bias correction follow, lose no step.

    Keras adds one by a read and then a write, between which other workers write; TensorFlow's own ``assign_add`` is
    one operation where the variable is. Not for optimizers that accumulate gradients, whose ``iterations`` are computed.
    """
    counter = optimizer.iterations
    vars(counter)["assign_add"] = counter.value.assign_add


@contextlib.contextmanager
def values_for_variables(metrics: Sequence[keras.metrics.Metric]) -> Iterator[None]:
    """Have the metrics compute with values of this context in the place of their variables, from their initial state.

    The replicas of a strategy trace a step in a thread each, and wait for one another in its midst: each has values of its own.
    """
    detached = [metric for metric in metrics if metric.variables]
    for metric in detached:
        _detach(metric)
    try:
        yield
    finally:
        for metric in detached:
            _attach(metric)


def _detach(metric: keras.metrics.Metric) -> None:
    initial = list(zip(metric.variables, metric.stateless_reset_state(), strict=True))
    states = vars(metric).setdefault(_STATES, {})
    states[threading.get_ident()] = initial
    if len(states) > 1:
        return  # another thread has done the rest

    def stateless(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            state = states.get(threading.get_ident())
            if state is None:
                return method(*args, **kwargs)
            with keras.StatelessScope(state, initialize_variables=False) as scope:
                result = method(*args, **kwargs)
            state[:] = [(variable, scope.get_current_value(variable)) for variable, _ in state]
            return result

        return call

    vars(metric).update({name: stateless(getattr(metric, name)) for name in _METHODS})


def _attach(metric: keras.metrics.Metric) -> None:
    states = vars(metric)[_STATES]
    del states[threading.get_ident()]
    if not states:
        for name in (_STATES, *_METHODS):
            del vars(metric)[name]
