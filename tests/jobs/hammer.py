"""One of several processes that use a job store at the same moment; ``test_together`` starts them.

``python -m tests.jobs.hammer URL NAME SEED``: reads one word a line and answers each with one line of JSON.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from workbench.errors import BadInput
from workbench.events import Error, Metric
from workbench.jobs import ACTIVE, Store
from workbench.recipes import Recipe

RECIPE = Recipe("", "def load_data(): ...", "def build_model(): ...")
ROUNDS = 40
CAP, PER_REQUESTER = 5, 3


class Hammer:
    """Does what runners and dashboards do, and notes each change that the store says was made by this process."""

    def __init__(self, url: str, name: str, seed: int) -> None:
        self.url, self.name = url, name
        self.random = random.Random(seed)
        self.done: list[tuple[str, int, int]] = []

    def open(self) -> str:
        """Open the store, which makes the tables if nobody else does."""
        self.store = Store(self.url)
        return "open"

    def claim(self) -> list[int]:
        """Claim as many jobs as there are to be had."""
        claimed = []
        while job := self.store.claim(self.name, CAP, PER_REQUESTER):
            claimed.append(job.id)
        return claimed

    def live(self) -> list[tuple[str, int, int]]:
        """Be a runner and a dashboard in turn; what changes this process made: the state, the job and its attempt."""
        for _ in range(ROUNDS):
            self.random.choice([self.submit, self.end, self.retry, self.run, self.run, self.meddle])()
        return self.done

    def submit(self) -> None:
        requester = self.random.choice(["ann", "bob", "cem"])
        id = self.store.submit(name="d", requester=requester, recipe=RECIPE, ps=1)
        self.done.append(("queued", id, 1))

    def end(self) -> None:
        if id := self.pick(self.store.jobs):
            self.store.ask_terminate(id)

    def retry(self) -> None:
        if id := self.pick(lambda: self.store.jobs({"failed", "terminated"})):
            try:
                if self.store.retry(id, anew=self.random.random() < 0.5):
                    self.done.append(("queued", id, 0))
            except BadInput:
                assert self.store.job(id).state == "completed"

    def run(self) -> None:
        """Take the next job through its life, as far as others let it."""
        job = self.store.claim(self.name, CAP, PER_REQUESTER)
        if job is None:
            return
        self.done.append(("initializing", job.id, job.attempt))
        began = time.time()
        for at, to in (("initializing", "training"), ("training", "exporting"), ("exporting", "completed")):
            self.store.heartbeat(job.id, self.name)
            metrics = [Metric(began + n, "chief", 0, step=n, of=9, epoch=1, loss=1.0) for n in range(9)]
            self.store.apply(job.id, self.random.choices(metrics, k=5))
            if self.store.terminate_asked(job.id):
                self.move(job.id, job.attempt, ACTIVE, "terminated")
                break
            self.move(job.id, job.attempt, {at}, to)
        self.store.release(job.id, self.name)

    def meddle(self) -> None:
        """Move a job that is another's, as a second dashboard or a runner that forgot its lease might."""
        if id := self.pick(lambda: self.store.jobs(ACTIVE)):
            attempt = self.store.job(id).attempt
            to = self.random.choice(["training", "exporting", "failed"])
            at = {"training": {"initializing"}, "exporting": {"training"}}.get(to, ACTIVE)
            self.move(id, attempt, at, to)

    def move(self, id: int, attempt: int, states: Any, to: str) -> None:
        error = Error(time.time(), "worker", 0, f"boom from {self.name}") if to == "failed" else None
        if self.store.move(id, states, to, version=1 if to == "completed" else None, error=error):
            self.done.append((to, id, attempt))

    def pick(self, listed: Callable[[], Any]) -> int | None:
        jobs = listed()
        return self.random.choice(jobs).id if jobs else None


def main() -> None:
    url, name, seed = sys.argv[1:]
    hammer = Hammer(url, name, int(seed))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(getattr(hammer, line.strip())()), flush=True)


if __name__ == "__main__":
    main()
