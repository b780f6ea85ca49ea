"""Keras calls what we replace on its objects, and still counts as it did when there is more than one worker."""

import inspect
import threading
from collections.abc import Iterator
from typing import Any

import pytest

keras = pytest.importorskip("keras")
np = pytest.importorskip("numpy")

from workbench.upstream import keras as upstream  # noqa: E402


@pytest.fixture
def model() -> Iterator[Any]:
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    yield made
    keras.backend.clear_session()


def step(model: Any, labels: tuple[int, int]) -> dict[str, float]:
    logs = model.train_step((np.eye(2, dtype="float32"), np.array(labels)))
    return {name: float(value) for name, value in logs.items()}


@pytest.mark.parametrize("scaled", [False, True])
def test_an_optimizer_counts_by_the_method_that_is_replaced(model: Any, scaled: bool) -> None:
    optimizer = keras.optimizers.Adam()
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    step(model, (0, 1))
    upstream.count_exactly(optimizer)
    counted = []
    counter = optimizer.iterations
    add = vars(counter)["assign_add"]

    def assign_add(value: int) -> object:
        counted.append(value)
        return add(value)

    vars(counter)["assign_add"] = assign_add
    step(model, (0, 1))
    assert counted == [1]
    assert int(counter) == 2


def test_keras_counts_by_a_read_and_a_write_itself() -> None:
    """Once it adds in one operation, ``count_exactly`` can go."""
    source = inspect.getsource(keras.Variable.assign_add)
    assert "self.assign(self + value)" in source.replace("self.value", "self")


def test_metrics_begin_anew_within_the_context_and_leave_their_variables_alone(model: Any) -> None:
    step(model, (0, 1))
    kept = [v.numpy() for metric in model.metrics for v in metric.variables]
    with upstream.values_for_variables(model.metrics):
        logs = step(model, (0, 0))
    after = [v.numpy() for metric in model.metrics for v in metric.variables]
    assert all(np.array_equal(a, b) for a, b in zip(kept, after, strict=True))
    assert logs["accuracy"] in (0.0, 0.5, 1.0)
    assert set(logs) == {"loss", "accuracy"}
    assert not any("update_state" in vars(metric) for metric in model.metrics)


def test_metrics_of_two_threads_in_one_step_each_have_their_own_values(model: Any) -> None:
    """As replicas are traced: one waits in the midst of its step while the next one goes through its own."""
    (metric,) = [one for one in model.metrics if one.name == "loss"]
    within, go_on = threading.Event(), threading.Event()
    seen: dict[str, float] = {}

    def replica(name: str, value: float) -> None:
        with upstream.values_for_variables([metric]):
            metric.update_state(value)
            within.set()
            if name == "first":
                assert go_on.wait(60)
            seen[name] = float(metric.result())

    first = threading.Thread(target=replica, args=("first", 3.0))
    first.start()
    assert within.wait(60)
    replica("second", 5.0)
    go_on.set()
    first.join(60)
    assert seen == {"first": 3.0, "second": 5.0}
    assert not {"update_state", "result", "reset_state"} & set(vars(metric))
