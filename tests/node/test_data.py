"""Which examples a machine sees. The questions are asked in a process that has TensorFlow, a fork for each."""

import itertools
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.node.training_cluster import Forks

BEGIN = """
import numpy as np, tensorflow as tf
from workbench.errors import RecipeError
from workbench.node import data
from workbench.node.data import WorkerShare, as_arrays, from_dataset

x, y = np.arange(1000), np.arange(1000) * 2
def prepare(part=(x, y), batch_size=40, workers=1, augment=None):
    return data.prepare(part, batch_size=batch_size, augment=augment, seed=3, replicas=workers)
def flat(lists):
    return [i for list in lists for i in list]
def steps(feed, count):
    return [b[0].numpy().tolist() for b in feed.take(count)]
def stream():
    return tf.data.Dataset.from_tensor_slices((x, y))
def refuse(part):
    try:
        prepare(part)
    except RecipeError as error:
        return [str(error), error.field]
"""


def flat(lists: Iterable[list[Any]]) -> list[Any]:
    return list(itertools.chain.from_iterable(lists))


@pytest.fixture
def ask(forks: Forks) -> Callable[[str], Any]:
    """Runs code after ``BEGIN`` and gives what it leaves in ``answer``."""
    return lambda code: forks.ask("answer", code=BEGIN + textwrap.dedent(code))


def test_an_epoch_of_arrays_visits_each_example_once_and_the_next_in_another_order(
    ask: Callable[[str], Any],
) -> None:
    answer = ask("""
        b = prepare()
        answer = [b.steps_per_epoch, b.batch_size, steps(b.feed(), 2 * b.steps_per_epoch)]
    """)
    per_epoch, size, batches = answer
    assert (per_epoch, size) == (22, 40)
    first, second = flat(batches[:22]), flat(batches[22:])
    assert len(set(first)) == len(first) == 22 * 40
    assert len(set(second)) == len(second)
    assert first != second


def test_x_and_y_stay_together(ask: Callable[[str], Any]) -> None:
    x, y = ask("xs, ys = next(iter(prepare().feed())); answer = [xs.numpy().tolist(), ys.numpy().tolist()]")
    assert [2 * i for i in x] == y


def test_the_validation_part_is_a_tenth_that_training_never_sees(ask: Callable[[str], Any]) -> None:
    held, seen = ask("""
        b = prepare()
        answer = [flat(steps(b.validation(), -1)), flat(steps(b.feed(), 3 * b.steps_per_epoch))]
    """)
    assert len(held) == 100
    assert not set(held) & set(seen)


def test_synchronous_workers_share_each_batch_that_one_process_would_take(ask: Callable[[str], Any]) -> None:
    alone, first, second = ask("""
        b = prepare(workers=2)
        answer = [steps(b.feed(share=share), 30) for share in (WorkerShare(), WorkerShare(0, 2), WorkerShare(1, 2))]
    """)
    for whole, one, two in zip(alone, first, second, strict=True):
        assert len(one) == len(two) == 20
        assert sorted(one + two) == sorted(whole)


def test_the_validation_part_is_shared_as_well(ask: Callable[[str], Any]) -> None:
    parts = ask("answer = [flat(steps(prepare().validation(WorkerShare(i, 3)), -1)) for i in range(3)]")
    assert len(set(flat(parts))) == sum(map(len, parts)) == 100


def test_a_batch_is_rounded_down_to_a_multiple_of_the_workers(ask: Callable[[str], Any]) -> None:
    assert ask("answer = [prepare(batch_size=n, workers=3).batch_size for n in (40, 39, 2, 5000)]") == [
        39,
        39,
        3,
        900,
    ]


def test_a_training_that_goes_on_sees_what_it_would_have_seen(ask: Callable[[str], Any]) -> None:
    whole, rest = ask("b = prepare(); answer = [steps(b.feed(), 60), steps(b.feed(first=37), 23)]")
    assert rest == whole[37:]


def test_the_chief_hands_out_the_batches_that_one_process_would_take(ask: Callable[[str], Any]) -> None:
    alone, tasks = ask("""
        b = prepare()
        def task(first, count):
            batch = b.task(iter(b.source(2)), b.places(first))
            return [batch(number)[0].numpy().tolist() for number in range(count)]
        answer = [steps(b.feed(), 44), task(0, 5) + task(5, 17) + task(22, 22)]
    """)
    assert tasks == alone


def test_augmentation_changes_training_batches_only_and_gets_floats(ask: Callable[[str], Any]) -> None:
    augmented, plain, held = ask("""
        first = lambda augment: steps(prepare(augment=augment).feed(), 1)[0]
        b = prepare(augment=lambda t: t + 0.5)
        answer = [first(lambda t: t + 0.5), first(None), steps(b.validation(), 1)[0]]
    """)
    assert augmented == [i + 0.5 for i in plain]
    assert all(isinstance(i, int) for i in held)


def test_workers_and_restarts_are_not_augmented_alike(ask: Callable[[str], Any]) -> None:
    drawn = ask("""
        noise = lambda t: tf.random.uniform(tf.shape(t))
        b = prepare(augment=noise, workers=2)
        tf.random.set_seed(3)
        answer = [steps(b.feed(f, s), 1)[0][:3] for f, s in ((0, WorkerShare(0, 2)), (0, WorkerShare(1, 2)), (22, WorkerShare(0, 2)))]
    """)
    assert len({tuple(numbers) for numbers in drawn}) == 3


def test_a_data_set_of_tensorflow_is_shared_without_overlap(ask: Callable[[str], Any]) -> None:
    parts, held = ask("""
        b = prepare(stream(), workers=2)
        answer = [[flat(steps(b.feed(share=WorkerShare(i, 2)), 22)) for i in range(2)], flat(steps(b.validation(), -1))]
    """)
    assert not set(parts[0]) & set(parts[1])
    assert not set(held) & set(flat(parts))
    assert len(set(parts[0])) == 440


def test_a_part_becomes_arrays_whatever_it_was(ask: Callable[[str], Any]) -> None:
    assert ask("""
        a, b = data.arrays((x, y)), data.arrays(stream())
        answer = [bool((a[0] == b[0]).all() and (a[1] == b[1]).all()), b[0].shape[0]]
    """) == [True, 1000]


def test_what_is_kept_in_memory_of_a_stream_does_not_grow_with_its_examples(
    ask: Callable[[str], Any],
) -> None:
    shuffled, validated, test, said, texts = ask("""
        from_dataset.SHUFFLE_BYTES, as_arrays.TEST_BYTES, heard = 40_000, 300_000, []
        large = stream().map(lambda a, b: (tf.fill([100, 10], tf.cast(a, tf.float32)), b))
        b = prepare(large, batch_size=10)
        test = data.arrays(large, say=heard.append)
        words = stream().map(lambda a, b: (tf.strings.join(["a"] * 50), b))
        answer = [b._shuffled, b._validated, test[1].tolist(), heard, prepare(words, batch_size=10)._shuffled]
    """)
    assert shuffled == 40_000 // 4_008
    assert validated == 1000, "4 kB each are no reason to go in smaller steps"
    assert test == list(range(0, 2000, 28)), "spread over the part, which may be sorted by class"
    assert "one in 14 of them is taken, 72 examples" in said[0]
    assert texts == 40_000 // 58


@pytest.mark.parametrize(
    ("part", "advice"),
    [
        ("(i for i in range(3))", "an unbatched tf.data.Dataset"),
        ("(x, y[:7])", "each example needs one y"),
        ("(x[:0], y[:0])", "has no example"),
        ("stream().repeat()", "must know how many"),
        (
            "stream().map(lambda a, b: tf.numpy_function(lambda v, w: (v, w), [a, b], [tf.int64, tf.int64]))",
            "return arrays",
        ),
        (
            "tf.data.Dataset.from_generator(lambda: iter([(1, 2)]), output_signature=(tf.TensorSpec(()), tf.TensorSpec(())))"
            ".apply(tf.data.experimental.assert_cardinality(1))",
            "return arrays",
        ),
        ("stream().shuffle(10)", "leave shuffle() out"),
    ],
)
def test_what_cannot_be_shared_is_refused_with_advice(
    ask: Callable[[str], Any], part: str, advice: str
) -> None:
    message, field = ask(f"answer = refuse({part})")
    assert advice in message
    assert field == "preprocessing"


def test_a_shuffle_that_keeps_its_order_is_taken(ask: Callable[[str], Any]) -> None:
    assert ask("answer = refuse(stream().shuffle(10, reshuffle_each_iteration=False))") is None


def test_weights_stay_with_their_examples_and_weigh_in_the_validation_too(ask: Callable[[str], Any]) -> None:
    assert ask("""
        w, answer = x * 3, []
        for part in ((x, y, w), tf.data.Dataset.from_tensor_slices((x, y, w))):
            b = prepare(part)
            for batches in (b.feed().take(3), b.validation()):
                answer += [bool((b[2].numpy() == 3 * b[0].numpy()).all()) for b in batches]
        t = prepare((x, y, w)).task(iter([(tf.constant(x), tf.constant(y), tf.constant(w))]), tf.constant([[5, 7]]))(0)
        answer.append([part.numpy().tolist() for part in t] == [[5, 7], [10, 14], [15, 21]])
        answer.append(len(prepare((x, y, w)).examples(4)))
    """) == [True] * 9 + [2]


def test_classes_weigh_what_they_are_told_to_and_others_one(ask: Callable[[str], Any]) -> None:
    assert (
        ask("""
        weights, answer = {0: 5.0, 2: 0.5}, []
        expected = np.array([5.0, 1.0, 0.5])
        for truth in (x % 3, (x % 3)[:, None], (x % 3).astype("float32"), np.eye(3)[x % 3]):
            for given in ((x, truth), (x, truth, np.full(1000, 2.0))):
                parts = [given] if truth.dtype.kind == "f" and truth.ndim == 1 else [given, tf.data.Dataset.from_tensor_slices(given)]
                for part in parts:
                    b = data.prepare(part, batch_size=40, augment=None, seed=3, class_weight=weights)
                    found = next(iter(b.feed()))
                    answer.append(bool((found[2].numpy() == expected[found[0].numpy() % 3] * (len(given) - 1)).all()))
        try:
            data.prepare((x, x / 7.0), batch_size=40, augment=None, seed=3, class_weight=weights)
        except RecipeError as error:
            answer.append("load_data() may return" in str(error))
    """)
        == [True] * 15
    )


def test_a_small_validation_part_of_a_stream_is_decoded_once_and_a_large_one_each_time(
    ask: Callable[[str], Any], tmp_path: Path
) -> None:
    answer = ask(f"""
        from pathlib import Path
        file = Path({str(tmp_path / "lines.txt")!r})
        lines = [f"line {{n}}" for n in range(200)]
        def held(most):
            from_dataset.HELD_BYTES = most
            file.write_text("\\n".join(lines))
            read = tf.data.TextLineDataset(str(file)).map(lambda line: (line, 1))
            b = prepare(read.apply(tf.data.experimental.assert_cardinality(200)))
            found = b.validation(WorkerShare(1, 2))
            first = [one.decode() for one in flat(steps(found, -1))]
            file.unlink()
            try:
                return first, [one.decode() for one in flat(steps(found, -1))]
            except tf.errors.NotFoundError:
                return first, "read anew"
        answer = [held(from_dataset.HELD_BYTES), held(10)]
    """)
    part = [f"line {n}" for n in range(1, 20, 2)]
    assert answer == [[part, part], [part, "read anew"]]
