"""A data set that somebody brought, on its way to machines: by its content, once, whole, the pinned version."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chain import make_settings
from tests.datasets import bringing
from tests.machines.aws.memory_bucket import MemoryBucket
from workbench import datasets
from workbench.datasets import adding
from workbench.datasets.sources import How
from workbench.errors import Unavailable
from workbench.lineage import DatasetPin
from workbench.machines import Place
from workbench.machines.aws.exchange import requests
from workbench.machines.aws.exchange.assignments import AssignedJob
from workbench.machines.aws.on_machine.disk import Disk

pytest.importorskip("pyarrow")
PREFIX = "clusters/_jobs/h/job-7/"


def test_its_files_travel_once_and_a_machine_loads_the_pinned_version(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "home")
    first = adding.add("garden", bringing.garden(tmp_path / "a.csv"), How(), settings)
    second = adding.add("garden", bringing.garden(tmp_path / "b.csv", more=400), How(), settings)
    adding.add("other", bringing.garden(tmp_path / "c.csv", 90), How(), settings)
    bucket: Any = MemoryBucket()
    folder, machine = tmp_path / "job", tmp_path / "machine"
    (folder / "recipe").mkdir(parents=True)
    (folder / "job.json").write_text("{}")
    (folder / "recipe" / "preprocessing.py").write_text("datasets.load('garden')")
    data: tuple[str, ...] = ()
    for version in (second, first):
        pins = {"garden": DatasetPin(version.version, version.sha256)}
        data = requests.give_data(bucket, settings.data, folder / "recipe", pins)
        before = set(bucket.objects)
        assert requests.give_data(bucket, settings.data, folder / "recipe", pins) == data
        assert set(bucket.objects) == before, "nothing goes twice"
    shared = {s.sha256 for s in first.shards} & {s.sha256 for s in second.shards}
    kept = [key for key in bucket.objects if "/blobs/" in key]
    assert len(kept) == len({s.sha256 for one in (first, second) for s in one.shards})
    assert len({key.rpartition("/")[2] for key in kept} & shared) == len(shared)
    assert not [key for key in bucket.objects if "other" in key]

    requests.give(bucket, PREFIX, folder, {}, settings.data)
    for name in ("home/data", "jobs"):
        (machine / name).mkdir(parents=True)
    disk = Disk(machine, bucket)
    work = AssignedJob(PREFIX, "g", 1, 1, data)
    bucket.refuses.add(("get", "manifest.json"))
    with pytest.raises(Unavailable):
        disk.get_job(work, Place("worker", 0))  # as if it were killed on the way
    disk.get_job(work, Place("worker", 0))
    there = make_settings(machine / "home")
    with datasets.pinned(pins):
        (x, y), (x_test, _) = datasets.load("garden", there)
    (x_here, y_here), _ = datasets.load("garden:1", settings)
    np.testing.assert_array_equal(x, x_here)
    np.testing.assert_array_equal(y, y_here)
    assert len(x_test) == first.test.examples


def test_a_damaged_manifest_is_told_before_any_machine_costs(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "home")
    made = adding.add("garden", bringing.garden(tmp_path / "a.csv"), How(), settings)
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    pins = {"garden": DatasetPin(made.version, made.sha256)}
    said = settings.data / "sets" / "garden" / "1" / "manifest.json"
    said.chmod(0o644)
    said.write_text(said.read_text().replace(made.shards[0].sha256, "../../../deploy_token"))
    with pytest.raises(Unavailable, match="damaged"):
        requests.give_data(MemoryBucket(), settings.data, recipe, pins)  # type: ignore[arg-type]
    shutil.rmtree(said.parent)
    with pytest.raises(Unavailable, match="garden:1 cannot be read"):
        requests.give_data(MemoryBucket(), settings.data, recipe, pins)  # type: ignore[arg-type]
