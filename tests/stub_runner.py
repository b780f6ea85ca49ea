"""``workbench.runner`` with the stub node: a process of its own for each job, no TensorFlow anywhere."""

import json
import os
import signal
import sys

from tests.stub_tools import measures, passes
from workbench import runner
from workbench.jobs import Store
from workbench.machines import Provider
from workbench.machines.local.provider import LocalProvider
from workbench.runner import Rules
from workbench.runner.__main__ import end
from workbench.settings import PROJECT, Settings, from_environment
from workbench.system import detached

RULES = Rules(silent_s=float(os.environ.get("STUB_SILENT_S", "600")), settle_s=1.0, heartbeat_s=0.5)


def start(id: int, name: str, settings: Settings) -> None:
    """As ``runner.start_runner``, of this module."""
    environment = {
        **os.environ,
        "WORKBENCH_HOME": str(settings.home),
        "WORKBENCH_DATABASE_URL": settings.database_url,
        "WORKBENCH_ISOLATION": settings.isolation,
        "WORKBENCH_MAX_JOBS": str(settings.max_jobs),
        "WORKBENCH_MAX_JOBS_PER_REQUESTER": str(settings.max_jobs_per_requester),
        runner.MARK: f"{id}@{settings.home}",
    }
    command = [sys.executable, "-m", "tests.stub_runner", str(id), name]
    detached.start(command, environment, settings.logs / "runners.log", PROJECT)


def tick(store: Store, settings: Settings) -> list[int]:
    """As ``runner.tick``, with runners of this module."""
    return runner.tick(store, settings, lambda id, name: start(id, name, settings))


def _on_aws(settings: Settings) -> Provider:
    """The provider of AWS with the stub node; ``STUB_GROUND`` and ``STUB_TERMS`` say where and how long."""
    from tests.machines.aws.ground import make_stub_provider
    from workbench.machines.aws.controller.making import Ground
    from workbench.machines.aws.exchange.assignments import Terms

    told = json.loads(os.environ.get("STUB_GROUND", "null"))
    ground = Ground(told["template"], tuple(told["subnets"]), told["group"]) if told else None
    terms = Terms(**json.loads(os.environ.get("STUB_TERMS", "{}")))
    return make_stub_provider(settings, ground, terms=terms, spot=True, look_every_s=0.5)


def main(id: int, name: str) -> None:
    signal.signal(signal.SIGTERM, end)
    settings = from_environment()
    local = LocalProvider(settings, node="tests.stub_node", imported=["tests.stub_node"])
    with Store(settings.database_url) as store:
        runner.run(
            id,
            name,
            store,
            settings,
            provider=_on_aws(settings) if store.job(id).provider == "aws" else local,
            trials=local,
            check=passes,
            measure=measures,
            rules=RULES,
        )
        tick(store, settings)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
