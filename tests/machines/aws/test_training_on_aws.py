"""A real training on machines of AWS: TensorFlow with a parameter server and two workers, on the emulator's instances."""

import json
from pathlib import Path

from tests.chain import make_settings
from tests.emulator import Emulator
from tests.machines.aws.ground import make_ground
from tests.stub_tools import passes
from workbench import recipes, runner
from workbench.aws.session import Session
from workbench.machines.aws.controller.provider import AwsProvider
from workbench.machines.local.provider import LocalProvider, end_all
from workbench.models import registry
from workbench.verbs import recipes as verbs_recipes
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench, open_store


def test_a_shipped_recipe_trains_with_a_parameter_server_and_two_workers(
    emulator: Emulator, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path / "home")
    settings.logs.mkdir(parents=True)
    ground = make_ground(Session.open(settings))
    provider = AwsProvider(settings, find_ground=lambda *_: ground)
    recipe = recipes.read(verbs_recipes.find("tabular"))
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
        living = [
            t for t in emulator.instances().values() if t["state"] not in ("terminated", "shutting-down")
        ]
        assert living == [], json.dumps(living)
    finally:
        end_all(settings)
