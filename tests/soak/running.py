"""One run: a world, visitors, acts, and what is to be said of it at the end."""

import shutil
import time
from pathlib import Path
from typing import Any

from tests.chain import end_chain
from tests.soak import acting, figures, judging, victims
from tests.soak.drawings import Visitors
from tests.soak.notes import Notes
from tests.soak.sampling import Sampler
from tests.soak.schedule import KINDS, Pace, plan
from tests.soak.settling import settle
from tests.soak.world import DIGITS, open_world
from workbench.settings import Settings

SMALL_KINDS = tuple(kind for kind in KINDS if kind not in ("jupyter", "queue", "mariadb"))
MOST_SHOWN = 40


def soak(
    home: Path, ports: list[int], seconds: float, seed: int, *,
    pace: Pace = Pace(), rate: float = 12.0, small: bool = False, patience_s: float = 300.0,  # noqa: B008
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """Shake a workbench for so many seconds; its figures, and what was not as promised."""
    notes = Notes()
    acts = plan(seed, seconds, pace, SMALL_KINDS if small else KINDS)
    with open_world(home, ports, small=small) as world:
        visitors, sampler = Visitors(world.settings.frontend_port, notes, rate), Sampler(world, notes)
        visitors.start()
        sampler.start()
        try:
            acting.act(world, notes, acts, seconds)
        finally:
            sampler.stop()
            visitors.stop()
        end = settle(world, patience_s)
        findings = [
            *judging.judge_answers(notes.answers, DIGITS, 1, notes.changes, notes.hits),
            *judging.judge_jobs(end.jobs, notes.submitted, notes.asked_to_end, end.loads, notes.hits),
            *judging.judge_corrections(notes.acknowledged, end.corrections),
            *(
                f"{row['name']} is {row['state']}: {row['message']}"
                for row in end.services
                if row["state"] != "ready"
            ),
        ]
        found = figures.collect(notes, end, seconds, seed, world.skipped)
        end_chain(world.chain)
        if world.chain.process.returncode != 0:
            findings.append(f"up ended with exit code {world.chain.process.returncode}")
        findings += [f"still there after the end: {words}" for words in _left(world.settings)]
        if findings:  # the disk is taken away with all that is on it
            shutil.copytree(world.settings.logs, logs_of(home), dirs_exist_ok=True)
    if not small:  # in less than minutes nothing grows
        findings += judging.judge_growth(found["growth"])
    found["findings"] = findings
    return found, findings[:MOST_SHOWN]


def logs_of(home: Path) -> Path:
    """Where the services' and runners' logs are after a run that did not keep what was promised."""
    return home.with_name(f"{home.name}-logs")


def _left(settings: Settings) -> list[str]:
    """What has not gone a moment after ``up`` has."""
    give_up = time.monotonic() + 60
    while (left := victims.left(settings)) and time.monotonic() < give_up:
        time.sleep(0.2)
    return left
