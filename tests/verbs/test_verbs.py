"""What commands and pages do with jobs: requests, recipes from wherever they come, limits, estimates, logs."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import recipes
from workbench.errors import BadInput, NotFound, RecipeError, Unavailable
from workbench.estimates.estimate import STARTING_S, estimate
from workbench.events import Metric
from workbench.jobs import Job
from workbench.machines import Place
from workbench.machines.fake import FakeProvider
from workbench.manifest import Manifest
from workbench.manifest import write_listing as rewrite
from workbench.recipes import Recipe
from workbench.settings import Settings, from_environment
from workbench.tasks.check import Checked
from workbench.verbs import logs
from workbench.verbs import recipes as verbs_recipes
from workbench.verbs.recipes import read_upload
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench, open_store

RECIPE = Recipe("# ü ' \"\n", "def load_data(): ...\n", "def build_model(): ...\n")
CHECKED = Checked(
    100, 10, (4,), (3,), steps_per_epoch=50, parameters=9, largest=6, epochs=2, batch_size=2, step_s=0.1
)


@pytest.fixture
def started() -> list[int]:
    """The jobs for which a runner was started."""
    return []


@pytest.fixture
def workbench(settings: Settings, started: list[int]) -> Iterator[Workbench]:
    with open_store(settings) as store:
        yield Workbench(
            settings,
            store,
            start=lambda id, runner: started.append(id),
            open_provider=lambda name, _: FakeProvider() if name == "local" else refuse(name),
        )


def refuse(name: str) -> FakeProvider:
    raise Unavailable(f"there is no provider {name!r} here")


def request(**more: object) -> Request:
    return replace(Request("digits", "ann", RECIPE), **more)  # type: ignore[arg-type]


def test_a_request_becomes_a_job_whose_turn_it_is(workbench: Workbench, started: list[int]) -> None:
    id = workbench.jobs.submit(request(ps=1, workers=2, epochs=3))
    job = workbench.store.job(id)
    assert (job.name, job.requester, job.recipe, job.ps, job.workers, job.epochs) == (
        "digits",
        "ann",
        RECIPE,
        1,
        2,
        3,
    )
    assert started == [id]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"workers": 0}, BadInput),
        ({"ps": -1}, BadInput),
        ({"epochs": 0}, BadInput),
        ({"name": "Not a name"}, BadInput),
        ({"requester": ""}, BadInput),
        ({"provider": "moon"}, Unavailable),
        ({"recipe": Recipe("", "def load_data(:", "def build_model(): ...")}, RecipeError),
        ({"recipe": Recipe("", "", "def build_model(): ...")}, RecipeError),
    ],
)
def test_a_request_that_cannot_be_leaves_no_job(
    workbench: Workbench, wrong: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        workbench.jobs.submit(request(**wrong))
    assert workbench.store.page().total == 0


def test_limits_say_what_runs_and_waits_for_whom(workbench: Workbench) -> None:
    for requester in ("ann", "ann", "ann", "bob"):
        workbench.jobs.submit(request(requester=requester))
    limits = workbench.jobs.limits("ann")
    assert limits.cap == workbench.settings.max_jobs
    assert limits.running + limits.waiting == 4
    assert limits.mine_running + limits.mine_waiting == 3
    assert limits.mine_running == min(1, limits.per_requester)


def test_a_name_that_is_taken_becomes_its_next_version(workbench: Workbench, settings: Settings) -> None:
    from workbench.models import registry

    assert workbench.requests.next_version("digits") == 1
    registry.add("digits", lambda aside: Manifest(), settings)
    assert workbench.requests.next_version("digits") == 2
    with pytest.raises(BadInput, match="a model name is"):
        workbench.requests.next_version("No!")


def test_only_what_has_ended_is_tried_again(workbench: Workbench) -> None:
    id = workbench.jobs.submit(request())
    with pytest.raises(BadInput, match=f"job {id} is"):
        workbench.jobs.retry(id)
    with pytest.raises(NotFound):
        workbench.jobs.retry(id + 1)


def test_the_tutorial_comes_first_among_the_recipes_that_are_offered() -> None:
    offered = verbs_recipes.offered(from_environment())
    assert next(iter(offered)) == "00-mnist-cnn"
    assert {"mnist-mlp", "tabular"} <= offered.keys()
    assert "deploy_cluster" not in offered
    for path in offered.values():
        recipes.check(recipes.read(path))


def test_a_recipe_is_found_by_path_or_by_its_shipped_name(tmp_path: Path) -> None:
    assert verbs_recipes.find("tabular") == verbs_recipes.SHIPPED / "tabular"
    assert verbs_recipes.find(str(tmp_path)) == tmp_path
    with pytest.raises(NotFound, match="mnist-mlp"):
        verbs_recipes.find("nowhere")


def files() -> dict[str, bytes]:
    return {f"{field}.py": getattr(RECIPE, field).encode() for field in recipes.FIELDS}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_uploads_arrive_byte_for_byte_in_whatever_form(settings: Settings) -> None:
    cells = [
        {"cell_type": "code", "metadata": {"tags": [f]}, "source": [getattr(RECIPE, f)]}
        for f in recipes.FIELDS
    ]
    assert read_upload(files(), settings) == RECIPE
    assert read_upload({"mine.zip": zipped({f"mine/{n}": c for n, c in files().items()})}, settings) == RECIPE
    assert read_upload({"mine.ipynb": json.dumps({"cells": cells}).encode()}, settings) == RECIPE


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        ({}, "nothing"),
        ({"a.zip": b"no zip"}, "not a zip"),
        ({"a.zip": zipped({"other.txt": b""})}, "missing"),
        ({"a.zip": zipped({"helpers.py": bytes(9 * 1024**2)})}, "larger than"),
        ({"a.ipynb": b"{}"}, "not a notebook"),
        ({"training.py": b"\xff", "preprocessing.py": b""}, "UTF-8"),
        ({"preprocessing.py": b""}, "training.py is missing"),
        ({"training.py": bytes(9 * 1024**2), "preprocessing.py": b""}, "at most"),
    ],
)
def test_what_is_no_recipe_is_refused_in_words(
    upload: dict[str, bytes], said: str, settings: Settings
) -> None:
    with pytest.raises(BadInput, match=said):
        read_upload(upload, settings)


def finished(workbench: Workbench, training_s: float, epochs: int) -> Job:
    """A job that trained for so long, as a value."""
    id = workbench.jobs.submit(request())
    now = workbench.store.job(id).changes[0].t + 1
    workbench.store.apply(id, [Metric(now, "worker", 0, step=9, of=9, epoch=epochs)])
    job = workbench.store.job(id)
    states = [
        ("initializing", 0.0),
        ("training", 5.0),
        ("exporting", 5 + training_s),
        ("completed", 8 + training_s),
    ]
    changes = tuple(replace(job.changes[0], state=state, t=t) for state, t in states)
    return replace(job, state="completed", changes=changes, execution_s=8 + training_s)


def test_an_estimate_follows_former_jobs_and_the_epochs(workbench: Workbench) -> None:
    job = finished(workbench, training_s=20, epochs=2)
    assert estimate([job], None, None, 0.0).seconds == 28
    found = estimate([job], None, 6, 3600.0)
    assert (found.seconds, found.price) == (68, 68)
    assert f"job {job.id}" in found.basis
    assert estimate([job], CHECKED, None, 0.0).seconds == 28


def test_without_a_former_job_the_dry_run_tells_and_without_that_nobody() -> None:
    found = estimate([], CHECKED, None, 0.0)
    assert found.seconds == pytest.approx(STARTING_S + 2 * 50 * 0.1)
    assert found.price == 0
    assert "guess" in found.basis
    nobody = estimate([], None, None, 0.0)
    assert (nobody.seconds, nobody.price) == (None, 0.0)
    assert "nobody knows" in nobody.basis
    assert estimate([], None, None, 1.0).price is None


def test_another_layout_is_estimated_from_a_former_job_and_the_model_that_it_made(
    workbench: Workbench, settings: Settings
) -> None:
    id = workbench.jobs.submit(request(workers=1))
    workbench.store.move(id, "initializing", "training")
    at = workbench.store.job(id).times["training"]
    workbench.store.apply(id, [Metric(at + 1, "worker", 0, step=9, of=9, epoch=3)])
    workbench.store.move(id, "training", "exporting")
    workbench.store.move(id, "exporting", "completed", version=1)
    assert workbench.requests.estimate(request(ps=1, workers=2)).seconds is None, "its version is not here"

    version = settings.models / "digits" / "1"
    version.mkdir(parents=True)
    (version / "model.onnx").write_bytes(bytes(4000))
    rewrite(version, {"name": "digits", "version": 1})
    found = workbench.requests.estimate(request(ps=1, workers=2))
    assert f"with one process in job {id}" in found.basis
    assert "cores" in found.basis
    assert workbench.requests.estimate(request()).basis.startswith("measured")


def write_log(settings: Settings, text: str, name: str = "worker-0") -> Path:
    path = settings.home / "jobs" / "7" / "machines" / name / "stdout.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def a_log(settings: Settings, index: int = 0) -> logs.MachineLog:
    return logs.MachineLog(Place("worker", index), "stdout", settings.home / "jobs" / "7")


def test_logs_are_listed_by_machine_and_read_by_whole_lines(settings: Settings) -> None:
    path, log = write_log(settings, "one\ntwo\nthr"), a_log(settings)
    write_log(settings, "", "chief-0")
    assert [str(log.place) for log in logs.list_logs(7, settings)] == ["chief 0", "worker 0"]
    assert logs.list_logs(8, settings) == []
    lines, offset = logs.read_lines(log)
    assert (lines, offset) == (["one", "two"], 8)
    with path.open("a") as file:
        file.write("ee\n")
    assert logs.read_lines(log, offset) == (["three"], 14)
    path.write_text("new\n")
    assert logs.read_lines(log, offset) == (["new"], 4)


def test_the_end_of_a_log_begins_with_a_whole_line(settings: Settings) -> None:
    write_log(settings, "first\nsecond\nthird\n")
    assert logs.read_end(a_log(settings)) == ("first\nsecond\nthird\n", True)
    assert logs.read_end(a_log(settings), most=10) == ("third\n", False)
    assert logs.read_end(a_log(settings, 9)) == ("", True)


def test_a_log_that_is_a_link_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("token\n")
    path = write_log(settings, "")
    path.unlink()
    path.symlink_to(secret)
    assert logs.read_end(a_log(settings)) == ("", True)
    assert logs.read_lines(a_log(settings)) == ([], 0)
    assert logs.list_logs(7, settings) == []
