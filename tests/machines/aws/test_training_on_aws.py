"""A real training on machines of AWS: TensorFlow with a parameter server and two workers, on the emulator's instances.

What a recipe brings travels there, too: packages by their lock, files and modules beside the code byte for byte.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.chain import make_settings
from tests.emulator import Emulator
from tests.machines.aws.ground import make_ground
from tests.packages import made
from tests.stub_tools import passes
from workbench import recipes, runner
from workbench.aws.session import Session
from workbench.machines.aws.controller.provider import AwsProvider
from workbench.machines.local.provider import LocalProvider, end_all
from workbench.models import registry
from workbench.verbs import recipes as verbs_recipes
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench, open_store

BROUGHT = """
import tiny_rows
from nets.scale import FACTOR

_whole = load_data


def load_data():
    with open("data/shift.txt", encoding="utf-8") as file:
        shift = float(file.read())
    print(f"brought: {tiny_rows.ROWS} rows, {FACTOR}, {shift}", flush=True)
    (x, y), test = _whole()
    return (x[: 100 * tiny_rows.ROWS] * FACTOR + shift, y[: 100 * tiny_rows.ROWS]), test
"""


def bring(folder: Path) -> recipes.Recipe:
    """A shipped recipe with a package, a module and a file of its own."""
    shutil.copytree(verbs_recipes.find("tabular"), folder)
    with (folder / "preprocessing.py").open("a") as code:
        code.write(BROUGHT)
    for name, text in {
        "requirements.txt": "tiny-rows\n",
        "nets/__init__.py": "",
        "nets/scale.py": "FACTOR = 1.0\n",
        "data/shift.txt": "0.0",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return recipes.read(folder)


def test_a_recipe_trains_with_its_packages_and_files_on_a_parameter_server_and_two_workers(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.index(tmp_path / "index", monkeypatch)
    settings = make_settings(tmp_path / "home")
    settings.logs.mkdir(parents=True)
    ground = make_ground(Session.open(settings))
    provider = AwsProvider(settings, find_ground=lambda *_: ground)
    recipe = bring(tmp_path / "tabular")
    try:
        with open_store(settings) as store:
            workbench = Workbench(
                settings, store, start=lambda id, name: None, open_provider=lambda *_: provider
            )
            request = Request("tabular", "ann", recipe, ps=1, workers=2, epochs=1, provider="aws")
            id = workbench.jobs.submit(request)
            lease = store.job(id).lease
            assert lease
            runner.run(
                id,
                lease.runner,
                store,
                settings,
                provider=provider,
                trials=LocalProvider(settings),
                check=passes,
            )

            job = store.job(id)
            folder = settings.home / "jobs" / str(id)
            logs = "\n".join(
                p.read_text()[-2000:] for p in sorted((folder / "machines").glob("*/stderr.log"))
            )
            assert job.state == "completed", f"{job.error}\n{logs}"
            assert job.accuracy is None or job.accuracy > 0
            assert job.cost
            assert job.step == job.of
            version = registry.find(f"tabular:{job.version}", settings)
            assert (version.folder / "model.keras").exists()
            assert store.curve(id).training, "the curves came while it trained"
            assert workbench.jobs.link(job)
            told = [p.read_text() for p in (folder / "machines").glob("*/stdout.log")]
            assert any("brought: 80 rows, 1.0, 0.0" in text for text in told), (
                "1.2 needs another NumPy than ours"
            )
        living = [
            t for t in emulator.instances().values() if t["state"] not in ("terminated", "shutting-down")
        ]
        assert living == [], json.dumps(living)
    finally:
        end_all(settings)
