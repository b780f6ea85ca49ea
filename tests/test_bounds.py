"""Numbers out of all bounds, as people type them: refused or not found, at once and in words."""

import pytest

from workbench.cli import main
from workbench.errors import BadInput
from workbench.machines import Layout

HUGE = "9" * 20
REFUSED = [
    ("submit", "recipes/mnist-mlp", "--name", "n", "--workers", HUGE),
    ("submit", "recipes/mnist-mlp", "--name", "n", "--workers", "-1"),
    ("submit", "recipes/mnist-mlp", "--name", "n", "--workers", "1.5"),
    ("submit", "recipes/mnist-mlp", "--name", "n", "--workers", "9" * 5000),
    ("submit", "recipes/mnist-mlp", "--name", "n", "--ps", HUGE),
    ("submit", "recipes/mnist-mlp", "--name", "n", "--epochs", HUGE),
    ("submit", "recipes/mnist-mlp", "--name", "n", "--epochs", "0"),
    ("jobs", "--limit", HUGE),
    ("jobs", "--limit", "0"),
    ("logs", "1", "--index", HUGE),
    ("plan", "cluster", "--workers", HUGE),
    ("launch", "cluster", "--name", "n", "--ps", HUGE),
    ("launch", "app", "--provider", "aws", "--page-port", "65536"),
]


@pytest.fixture
def home(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", f"{tmp_path}/home")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("arguments", REFUSED, ids=lambda words: " ".join(words)[-40:])
def test_a_number_that_cannot_be_is_refused_with_what_was_given(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "must be a whole number from" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("verb", ["job", "logs", "terminate", "retry"])
@pytest.mark.parametrize("id", [HUGE, str(2**63), str(2**63 - 1), "0"])
def test_a_job_of_any_number_that_is_not_there_is_not_found(
    verb: str, id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, id]) == 3
    assert f"there is no job {id}" in capsys.readouterr().err


@pytest.mark.parametrize(("ps", "workers"), [(10**30, 1), (0, 10**30), (999, 1), (-1, 1), (0, 0)])
def test_a_layout_of_too_many_machines_is_refused_before_it_is_listed(ps: int, workers: int) -> None:
    with pytest.raises(BadInput, match="at most 1000 machines"):
        Layout(ps, workers)


@pytest.mark.usefixtures("home")
def test_jobs_of_somebody_who_has_none_are_told_to_be_none_of_theirs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["jobs", "--requester", "nobody"]) == 0
    assert "no jobs of nobody" in capsys.readouterr().out
    assert main(["jobs", "--state", "failed"]) == 0
    assert "no jobs that are failed" in capsys.readouterr().out
    assert main(["jobs"]) == 0
    assert "no jobs yet" in capsys.readouterr().out
