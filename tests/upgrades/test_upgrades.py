"""A home of 0.1, opened by this version: jobs, models, the deployment and corrections are as they were left."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

import workbench
from backend.app import create_app
from tests.backend import making
from workbench import artifact, cli, lineage
from workbench.jobs import Store
from workbench.models import published_evaluation, registry
from workbench.settings import Settings, from_environment

HOME = Path(__file__).parent / "home-0.1.0.tar.xz"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    with tarfile.open(HOME) as archive:
        archive.extractall(tmp_path / "home", filter="data")
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WORKBENCH_DEPLOY_TOKEN", making.TOKEN)
    return from_environment()


def test_jobs_are_as_they_were_with_recipes_curves_errors_and_machines(settings: Settings) -> None:
    for _ in range(2):  # brought up to date, and then found so
        with Store(settings.database_url) as store:
            found = {job.id: job for job in store.jobs()}
            states = {id: (job.name, job.requester, job.state) for id, job in found.items()}
            assert states == {
                1: ("digits", "ann", "completed"),
                2: ("broken", "bob", "failed"),
                3: ("digits", "ann", "queued"),
                4: ("ended", "bob", "terminated"),
            }
            done = store.job(1)
            assert (done.version, done.accuracy, done.ps, done.workers, done.epochs) == (1, 1.0, 1, 2, 2)
            assert (done.step, done.of) == (20, 20)
            assert [change.state for change in done.changes] == [
                "queued", "initializing", "training", "exporting", "completed",
            ]  # fmt: skip
            assert {(m.role, m.index) for m in done.machines} == {
                ("chief", 0),
                ("ps", 0),
                ("worker", 0),
                ("worker", 1),
            }
            assert done.recipe is not None
            assert "def load_data():" in done.recipe.preprocessing
            assert done.recipe.sha256 == done.recipe_sha256, "the same code has the same name as ever"
            assert done.datasets == {}
            assert [(len(c.training), len(c.validation)) for c in [store.curve(1)]] == [(20, 2)]
            assert found[2].error is not None
            assert (found[2].error.field, found[2].error.line) == ("training", 21)
            assert "no such layer" in store.errors(2)[-1].traceback
            assert store.positions() == {3: 1}


def test_a_job_that_waited_gets_its_turn_and_one_that_failed_is_tried_again(settings: Settings) -> None:
    with Store(settings.database_url) as store:
        claimed = store.claim("somebody", cap=1)
        assert claimed is not None
        assert claimed.id == 3
        store.release(3, "somebody")
        assert store.retry(2)
        assert store.job(2).attempt == 2
        assert (
            store.submit(
                name="digits", requester="ann", recipe=claimed.recipe or workbench.Recipe("", "", "")
            )
            == 5
        )


def test_a_version_is_whole_answers_and_is_counted_on_from(
    settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (version,) = registry.versions(settings)
    assert registry.damaged(settings) == []
    assert (str(version), version.manifest.job, version.manifest.accuracy) == ("digits:1", 1, 1.0)
    assert version.manifest.labels == tuple("0123456789")
    assert (version.manifest.parent, version.manifest.datasets) == (None, {})
    assert isinstance(version.manifest.corrections, lineage.CorrectedPart | None)
    artifact.verify(version.folder)
    evaluation = published_evaluation.read(version.folder)
    assert evaluation is not None
    examples = np.load(version.folder / "examples.npz")
    answers = workbench.model("digits").predict(examples["x"])
    np.testing.assert_allclose(answers, examples["y"], atol=1e-4)
    assert registry.next_number("digits", settings) == 2
    assert registry.download(version, tmp_path / "digits.zip").stat().st_size > 1000
    for command in (["models"], ["model", "digits"], ["jobs"], ["job", "1"], ["job", "2"], ["data"]):
        assert cli.main(command) == 0
    assert "ValueError: no such layer" in capsys.readouterr().out


def test_the_deployment_serves_and_corrections_keep_what_was_decided(settings: Settings) -> None:
    client = create_app(settings).test_client()
    bearer = {"Authorization": f"Bearer {making.TOKEN}"}
    assert client.get("/readyz").status_code == 200
    assert client.post("/predict/", data=making.data_url(making.png(making.seven()))).text.isdigit()
    (model,) = client.get("/models").json["models"]  # type: ignore[index]
    assert (model["name"], model["version"]) == ("digits", 1)
    found = client.get("/corrections", headers=bearer).json
    assert found is not None
    assert [(one["state"], one["predicted"], one["digit"]) for one in found["corrections"]] == [
        ("accepted", 3, 7), ("waiting", 3, 7), ("waiting", 3, 1),
    ]  # fmt: skip
    waiting = [one["id"] for one in found["corrections"] if one["state"] == "waiting"]
    done = client.post("/corrections:accept", json={"ids": waiting[:1]}, headers=bearer)
    assert done.status_code == 200
    counts = client.get("/corrections", headers=bearer).json["counts"]  # type: ignore[index]
    assert counts == {"waiting": 1, "accepted": 2, "rejected": 0}
    new = {"image": making.data_url(making.png(making.seven())).decode(), "predicted": 3, "digit": 7}
    assert client.post("/corrections", json=new).status_code == 201
