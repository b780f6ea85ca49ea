"""A data set that was brought, as TensorFlow's own pipeline: the same examples as from memory, and it trains."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.datasets import bringing
from workbench import datasets
from workbench.datasets import adding
from workbench.datasets.kept.values import Split
from workbench.datasets.sources import How
from workbench.node import data
from workbench.settings import Settings, from_environment

pytest.importorskip("google_crc32c")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("streams")
    settings = replace(from_environment(), home=folder / "home")
    np.savez(folder / "s.npz", x=np.random.default_rng(0).normal(size=(40, 5, 2)), y=np.arange(40) % 3)
    lines = [f"{'spam' if n % 3 else 'ham'}\tgreetings of number {n} – ü" for n in range(90)]
    (folder / "t.tsv").write_text("\n".join(lines))
    for name, path in (
        ("garden", bringing.garden(folder / "g.csv")),
        ("animals", bringing.photos(folder / "p")),
        ("series", folder / "s.npz"),
        ("spam", folder / "t.tsv"),
    ):
        adding.add(name, path, How(split=Split(share=0.25)), settings)
    return settings


@pytest.mark.parametrize("name", ["garden", "animals", "series", "spam"])
def test_a_stream_gives_what_arrays_give(name: str, settings: Settings) -> None:
    for part, stream in zip(
        datasets.load(name, settings), datasets.load(name, settings, stream=True), strict=True
    ):
        x, y = part
        assert int(stream.cardinality()) == len(x)
        streamed: list[Any] = list(stream.as_numpy_iterator())
        found = np.array([one.decode() if isinstance(one, bytes) else one for one, _ in streamed])
        assert np.array_equal(found, x)
        assert [label for _, label in streamed] == y.tolist()
        assert streamed[0][1].dtype == y.dtype


def test_every_layout_can_draw_from_a_stream(settings: Settings) -> None:
    train, _ = datasets.load("animals", settings, stream=True)
    batches = data.prepare(train, batch_size=8, augment=None, seed=0, replicas=2)
    for share in (data.EVERYTHING, data.WorkerShare(1, 2)):
        x, y = next(iter(batches.feed(share=share)))
        assert (x.shape[1:], y.shape[0]) == ((32, 32, 3), 8 // share.of)
