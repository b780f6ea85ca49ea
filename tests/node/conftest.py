"""A process to fork machines from, for the whole session, and jobs that are ended with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.node.training_cluster import Forks, Job


@pytest.fixture(scope="session")
def forks(data: Path) -> Iterator[Forks]:
    """Has imported TensorFlow; its home has the data sets."""
    forks = Forks(data.parent)
    yield forks
    forks.end()


@pytest.fixture
def job(forks: Forks, tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Makes a job of a recipe and a layout."""
    made: list[Job] = []

    def make(recipe: dict[str, str], ps: int = 0, workers: int = 1) -> Job:
        made.append(Job(forks, tmp_path / f"job-{len(made)}", recipe, ps, workers))
        return made[-1]

    yield make
    for job in made:
        job.end()
