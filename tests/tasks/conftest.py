"""One home for the tasks of a session, so that TensorFlow is imported once."""

from collections.abc import Iterator

import pytest

from tests.chain import make_settings
from workbench.machines.local.provider import end_all
from workbench.settings import Settings


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a home whose fork server ends with the session."""
    settings = make_settings(tmp_path_factory.mktemp("tasks") / "home")
    settings.home.mkdir()
    yield settings
    end_all(settings)
