"""What is there when all have had time to settle: jobs, corrections, versions, services."""

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.chain import answers
from tests.soak.world import World
from workbench import artifact
from workbench.errors import WorkbenchError
from workbench.jobs import ENDED, Store
from workbench.models import registry
from workbench.settings import PROJECT

LOAD = """
import json, sys
import keras
for folder in sys.argv[1:]:
    try:
        why = "" if keras.saving.load_model(f"{folder}/model.keras", compile=False).count_params() else "it is empty"
    except Exception as error:
        why = repr(error)
    print(json.dumps([folder, why]))
"""


@dataclass(frozen=True)
class End:
    """How things stand."""

    jobs: dict[int, dict[str, Any]]
    loads: dict[int, str]
    """Completed jobs: why the version cannot be used, or ''."""
    corrections: list[str]
    services: list[dict[str, Any]]
    machine_restarts: int
    runner_restarts: int
    settled_s: float


def settle(world: World, patience_s: float) -> End:
    """Wait until every job has ended and every service answers, or patience is at an end; then look."""
    began = time.monotonic()
    give_up = began + patience_s
    while time.monotonic() < give_up and not (_is_up(world) and _are_done(world)):
        time.sleep(0.5)
    settled_s = time.monotonic() - began
    jobs = {
        job["id"]: job
        for job in json.loads(world.chain.workbench("jobs", "--json", "--limit", "10000").stdout)
    }
    kept = json.loads(world.chain.workbench("corrections", "--json").stdout)
    words = _count_words(world)
    return End(
        jobs=jobs,
        loads=_load(world, {id: job for id, job in jobs.items() if job["state"] == "completed"}),
        corrections=[correction["id"] for correction in kept],
        services=list(world.chain.status().values()),
        machine_restarts=words["again"],
        runner_restarts=words["takes up"],
        settled_s=settled_s,
    )


def _is_up(world: World) -> bool:
    return (
        answers(f"{world.chain.page}/api/readyz")
        and (world.small or answers(f"{world.chain.dashboard}/api"))
        and all(row["state"] == "ready" for row in world.chain.status().values())
    )


def _are_done(world: World) -> bool:
    try:
        with Store(world.settings.database_url) as store:
            return all(job.state in ENDED and job.lease is None for job in store.jobs(limit=10_000))
    except WorkbenchError:
        return False  # asked again until patience is at an end, and what is there then is judged


def _load(world: World, jobs: dict[int, dict[str, Any]]) -> dict[int, str]:
    """Check the sums of each version, and load its model where it is one."""
    why, folders = {}, {}
    for id, job in jobs.items():
        try:
            version = registry.find(f"{job['name']}:{job['version']}", world.settings)
            artifact.verify(version.folder)
            why[id] = "" if version.manifest.job == id else f"it is of job {version.manifest.job}"
            folders[str(version.folder)] = id
        except WorkbenchError as error:
            why[id] = str(error)
    if folders and not world.small:
        done = subprocess.run(
            [sys.executable, "-c", LOAD, *folders], capture_output=True, text=True, cwd=PROJECT, check=True
        )
        for line in done.stdout.splitlines():
            if line.startswith("["):
                folder, said = json.loads(line)
                why[folders[folder]] = why[folders[folder]] or said
    return why


def _count_words(world: World) -> Counter[str]:
    """How often runners' diaries say that machines were started again, and that a runner took a job up."""
    count: Counter[str] = Counter()
    for diary in world.settings.logs.glob("job-*.jsonl"):
        text = diary.read_text(errors="replace")
        count["again"] += text.count(' again"')
        count["takes up"] += text.count("takes up ")
    return count
