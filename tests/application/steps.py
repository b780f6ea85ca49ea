"""What a user does with AWS, each step in a process of its own that can be killed; prepared, so that it is quick."""

import contextlib
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

from tests.emulator import Emulator
from tests.emulator.asking import Account
from tests.emulator.calls import ACCOUNT, REGION
from tests.stub_tools import measures, passes

PREPARED = [
    "workbench.cli",
    "workbench.jobs",
    "workbench.runner",
    "tests.machines.aws.ground",
    "boto3",
    "botocore.session",
    "tests.application.warmed",
]
ROLES = ("working", "frontend", "backend")
TIMEOUT_S = 180.0
APP = ["app", "--provider", "aws"]


@dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    code: int
    """Negative: the signal; ``-999``: it did not end within ``TIMEOUT_S``."""
    said: str
    """Standard output and error."""


class User:
    """Somebody with an account on an emulator and a home."""

    def __init__(self, emulator: Emulator, home: Path) -> None:
        self.emulator = emulator
        self.home = home
        home.mkdir(parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Let the application's machines say that they are ready, and do nothing else."""
        from workbench.aws import names

        bucket = names.bucket(ACCOUNT, REGION)
        self.emulator.pretend(
            "role", ROLES, bucket, names.machine_key("workbench", "{id}"), '{"state": "ready"}'
        )

    @property
    def environ(self) -> dict[str, str]:
        # Two attempts: a throttled call fails in a second, and a cut connection is still tried again.
        return {**self.emulator.environ, "WORKBENCH_HOME": str(self.home), "AWS_MAX_ATTEMPTS": "2"}

    def do(self, *arguments: str, **environ: str) -> Outcome:
        """Run ``workbench …``; ``job`` alone runs a stub's job to its end."""
        said = self.home / "said"
        told = {**self.environ, **environ}
        process = _context().Process(target=_run, args=(list(arguments), told, str(said)))
        process.start()
        process.join(TIMEOUT_S)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            code = -999
        return Outcome(code, said.read_text())

    def launch(self) -> Outcome:
        return self.do("launch", *APP, "--from", "203.0.113.7/32")

    def cluster(self) -> Outcome:
        return self.do("launch", "cluster", "--provider", "aws", "--name", "standing", "--workers", "1")

    def release_cluster(self) -> Outcome:
        return self.do("release", "cluster", "--provider", "aws", "--name", "standing")

    def job(self) -> Outcome:
        return self.do("job")

    def machines(self) -> Outcome:
        """A job, too; what is done with its machines' calls is another thing."""
        return self.job()

    def stop(self) -> Outcome:
        return self.do("stop", *APP)

    def start(self) -> Outcome:
        return self.do("start", *APP)

    def strays(self) -> Outcome:
        """Leave an address and a disk that nobody owns, as a hand at AWS's own pages does."""
        ec2 = Account(self.emulator).ec2
        tags = [{"Key": "project", "Value": "workbench"}]
        ec2.allocate_address(Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}])
        ec2.create_volume(
            AvailabilityZone=f"{REGION}a",
            Size=8,
            TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
        )
        return Outcome(0, "")

    def audit(self) -> Outcome:
        return self.do("audit", "--fix", "--yes")

    def adopt(self) -> Outcome:
        """Go on from another computer with what this home has."""
        tags = [one["tags"] for one in self.emulator.instances().values()]
        lost = next(of["workbench:home"] for of in tags if "workbench:home" in of)
        return self.do("adopt", lost, WORKBENCH_HOME=str(self.home / "another"))

    def release(self) -> Outcome:
        return self.do("release", *APP)

    def left(self) -> dict[str, list[str]]:
        """What is left of us, apart from the bucket, which stays until it is named."""
        return {kind: names for kind, names in self.emulator.resources().items() if kind != "bucket"}


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PREPARED)
    return context


def _run(arguments: list[str], environ: dict[str, str], said: str) -> None:
    for name in [n for n in os.environ if n.startswith(("AWS_", "WORKBENCH_"))]:
        del os.environ[name]
    os.environ.update(environ)
    stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    verb: Callable[[], int] = _stub_job if arguments == ["job"] else lambda: _command(arguments)
    code = verb()
    sys.stdout.flush()
    os._exit(code)


def _command(arguments: Sequence[str]) -> int:
    from workbench import cli

    return cli.main(arguments)


def _stub_job() -> int:
    from tests.machines.aws.ground import make_stub_provider
    from workbench import runner
    from workbench.jobs import Store
    from workbench.recipes import Recipe
    from workbench.settings import from_environment

    settings = from_environment()
    settings.logs.mkdir(parents=True, exist_ok=True)
    with Store(settings.database_url) as store:
        id = store.submit(name="net", requester="ann", recipe=Recipe("", "", "STEPS = 5\n"), provider="aws")
        turns: dict[int, str] = {}  # an ended one, too, whose machines could not be ended
        runner.tick(store, settings, turns.__setitem__)
        with contextlib.suppress(runner.Lost):
            runner.run(
                id,
                turns[id],
                store,
                settings,
                provider=make_stub_provider(settings, look_every_s=0.5),
                check=passes,
                measure=measures,
                rules=runner.Rules(silent_s=30, settle_s=0.5, heartbeat_s=0.5, free_s=0),
            )
        job = store.job(id)
    print(json.dumps({"state": job.state, "error": job.error.message if job.error else None}))
    return 0 if job.state == "completed" else 1
