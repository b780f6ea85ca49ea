"""``submit``, ``jobs``, ``job``, ``logs``, ``terminate`` and ``retry``."""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from workbench.cli import output
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.verbs.jobs import Job, JobMachine, Request
    from workbench.verbs.workbench import Workbench

POLL_S = 0.5
FOLLOW_S = 0.3
LINE_EVERY_S = 10.0
"""Between two plain lines of ``--wait`` where the output is no terminal."""


def add(verbs: output.Verbs) -> None:
    """Add the commands to the parser."""
    submit = verbs.add("submit", _submit, "ask for a training; prints the job's id")
    add_request(submit)
    submit.add_argument("--wait", action="store_true", help="show the progress; exit 0 only if it completes")
    jobs = verbs.add("jobs", _jobs, "the newest jobs", json=True)
    jobs.add_argument("--state", help="only those in this state")
    jobs.add_argument("--requester", metavar="R", help="only those of this requester")
    jobs.add_argument(
        "--limit", type=output.whole(1, output.MOST), default=50, metavar="N", help="how many at most (50)"
    )
    _with_id(verbs.add("job", _job, "one job: state, progress, machines, error", json=True))
    logs = _with_id(verbs.add("logs", _logs, "what a job's machines wrote"))
    logs.add_argument("--follow", action="store_true", help="go on until the job has ended")
    logs.add_argument("--role", choices=["chief", "ps", "worker"])
    logs.add_argument("--index", type=output.whole(0, output.MOST), metavar="I")
    _with_id(verbs.add("terminate", _terminate, "end a job and its machines; its checkpoint stays"))
    retry = _with_id(verbs.add("retry", _retry, "queue a failed or terminated job again"))
    retry.add_argument("--anew", action="store_true", help="from nothing instead of from its checkpoint")


def add_request(verb: argparse.ArgumentParser) -> None:
    """Add what a training asks for."""
    verb.add_argument(
        "recipe", metavar="RECIPE", help="a notebook, a folder, or the name of a shipped recipe"
    )
    verb.add_argument("--name", required=True, help="of the model that comes out of it")
    verb.add_argument("--ps", type=output.whole(0, output.MOST), metavar="P", help="parameter servers (0)")
    verb.add_argument("--workers", type=output.whole(1, output.MOST), metavar="W", help="workers (1)")
    verb.add_argument(
        "--epochs", type=output.whole(1, output.MOST), metavar="E", help="instead of the recipe's own"
    )
    verb.add_argument("--provider", choices=["local", "aws"], default="local")
    verb.add_argument("--type", metavar="T", help="of the instances, where the provider has types")
    verb.add_argument(
        "--cluster", metavar="NAME", help="a standing cluster, with its layout; else the job gets its own"
    )
    verb.add_argument("--requester", metavar="R", help="whose job it is")


def _with_id(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    verb.add_argument("id", metavar="ID", type=int)
    return verb


def request(arguments: argparse.Namespace, settings: Settings, workbench: "Workbench") -> "Request":
    """The training that the arguments ask for; on a standing cluster in its layout unless they say otherwise."""
    from workbench.verbs import recipes
    from workbench.verbs.jobs import Request

    ps, workers = arguments.ps, arguments.workers
    if arguments.cluster is not None:
        there = workbench.clusters.layout(arguments.cluster, arguments.provider)
        ps = there.ps if ps is None else ps
        workers = there.workers if workers is None else workers
    return Request(
        name=arguments.name,
        requester=arguments.requester or settings.requester,
        recipe=recipes.read(arguments.recipe),
        ps=ps or 0,
        workers=1 if workers is None else workers,
        epochs=arguments.epochs,
        provider=arguments.provider,
        cluster=arguments.cluster,
        instance_type=arguments.type,
    )


def _submit(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        id = workbench.jobs.submit(request(arguments, settings, workbench))
        print(id, flush=True)
        return _wait(id, workbench) if arguments.wait else 0


def _wait(id: int, workbench: "Workbench") -> int:
    """Show the job's progress until it has ended."""
    from workbench.verbs.jobs import has_ended

    line = Line(sys.stderr)
    try:
        for job in workbench.jobs.follow(id, every_s=POLL_S):
            if not has_ended(job):
                line.show(_progress(job, workbench), stage=job.state)
    except KeyboardInterrupt:
        line.end(f"job {id} goes on; see: workbench job {id}, workbench terminate {id}")
        raise
    if job.state == "completed":
        accuracy = f", {output.percent(job.accuracy)} right" if job.accuracy is not None else ""
        line.end(f"job {id} completed: {job.name}:{job.version}{accuracy}, {duration(job.execution_s)}")
        return 0
    line.end(f"job {id} {job.state}{_because(job)}")
    return 1


def _progress(job: "Job", workbench: "Workbench") -> str:
    if job.state == "queued":
        return f"job {job.id} waits, place {workbench.store.position(job.id) or 1} in the queue"
    if job.state != "training" or job.progress is None:
        phases = ", ".join(f"{m.role} {m.index} {m.phase or m.state}" for m in job.machines)
        return f"job {job.id} {job.state}" + (f" ({phases})" if phases else "")
    now = job.progress
    parts = [f"step {now.step} of {now.of}"]
    if now.images_per_s is not None:
        parts.append(f"{now.images_per_s:,.0f} images/s")
    if now.loss is not None:
        parts.append(f"loss {now.loss:.4f}")
    if now.accuracy is not None:
        parts.append(f"accuracy {output.percent(now.accuracy)}")
    if now.eta_s is not None:
        parts.append(f"{duration(now.eta_s)} left")
    return f"job {job.id} training, " + ", ".join(parts)


def _jobs(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.workbench import open_store

    with open_store(settings) as store:
        found = store.jobs(state=arguments.state, requester=arguments.requester, limit=arguments.limit)
    if arguments.json:
        output.json([job.as_json() for job in found])
    elif not found and (arguments.requester or arguments.state):
        whose = f" of {arguments.requester}" if arguments.requester else ""
        print(
            f"no jobs{whose}{f' that are {arguments.state}' if arguments.state else ''}; all: workbench jobs"
        )
    elif not found:
        print("no jobs yet; begin with: workbench submit notebooks/00-mnist-cnn.ipynb --name mnist-cnn")
    else:
        head = ("ID", "NAME", "REQUESTER", "LAYOUT", "STATE", "STEP", "ACCURACY", "TIME")
        print(output.columns([head, *(_row(job) for job in found)]))


def _row(job: "Job") -> tuple[str, ...]:
    step = f"{job.step}/{job.of}" if job.step is not None else "–"
    accuracy = output.percent(job.accuracy)
    layout = f"{job.ps}+{job.workers}"
    return (
        str(job.id),
        job.name,
        job.requester,
        layout,
        job.state,
        step,
        accuracy,
        duration(job.execution_s),
    )


def _job(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        job = workbench.store.job(arguments.id)
        position = workbench.store.position(job.id)
        download = workbench.jobs.link(job)
    if arguments.json:
        output.json({**job.as_json(), "position": position, "download": download})
        return
    rows = [
        ("job", f"{job.id}, {job.name}, by {job.requester}"),
        ("state", job.state + (f", place {position} in the queue" if position else "")),
        ("layout", f"{job.ps} ps, {job.workers} workers, {job.provider}"),
        ("time", duration(job.execution_s)),
        *((("step", f"{job.step} of {job.of}"),) if job.step is not None else ()),
        *((("accuracy", output.percent(job.accuracy)),) if job.accuracy is not None else ()),
        *((("version", f"{job.name}:{job.version}"),) if job.version is not None else ()),
        *((("cost", f"${job.cost:.2f}"),) if job.cost else ()),
        *((("download", download),) if download else ()),
        *((f"{m.role} {m.index}", _machine(m)) for m in job.machines),
        *_times(job),
    ]
    print(output.columns(rows))
    if job.error:
        print(output.plain(f"\n{_because(job)[2:]}\n{job.error.traceback}".rstrip()))


def _times(job: "Job") -> list[tuple[str, str]]:
    """When it came into each state, and for how long it was in it."""
    from workbench.verbs.jobs import ENDED

    ends = [*(change.t for change in job.changes[1:]), time.time()]
    rows = []
    for change, end in zip(job.changes, ends, strict=True):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(change.t))
        lasted = "" if change.state in ENDED else f", for {duration(max(0.0, end - change.t))}"
        rows.append((change.state, when + lasted))
    return rows


def _machine(machine: "JobMachine") -> str:
    where = [f"instance {machine.instance}"] if machine.instance else []
    where += [f"process {machine.pid}"] if machine.pid else []
    return ", ".join([machine.state, *where])


def _because(job: "Job") -> str:
    if job.error is None:
        return ""
    return f": {job.error.role} {job.error.index}: {job.error.message}"


def _logs(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import jobs, logs
    from workbench.verbs.workbench import open_store

    offsets: dict[logs.MachineLog, int] = {}
    with open_store(settings) as store:
        while True:
            job = store.job(arguments.id)
            ended = jobs.has_ended(job)
            for log in logs.list_logs(arguments.id, settings):
                if arguments.role in (None, log.place.role) and arguments.index in (None, log.place.index):
                    lines, offsets[log] = logs.read_lines(log, offsets.get(log, 0))
                    print(
                        "".join(f"{log.place}  {output.plain(line)}\n" for line in lines), end="", flush=True
                    )
            if ended or not arguments.follow:
                break
            time.sleep(FOLLOW_S)
    if not offsets and not arguments.follow:
        print("its machines have written nothing yet", file=sys.stderr)


def _terminate(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        job = workbench.jobs.terminate(arguments.id)
    print(f"job {job.id} is {job.state}")


def _retry(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        workbench.jobs.retry(arguments.id, anew=arguments.anew)
    print(
        f"job {arguments.id} is queued again"
        + (", from nothing" if arguments.anew else ", from its checkpoint")
    )


def duration(seconds: float) -> str:
    """Seconds as ``48 s``, ``3 min 5 s`` or ``2 h 4 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
    )


class Line:
    """One line that is written again and again in a terminal; elsewhere a plain line now and then."""

    def __init__(self, stream: TextIO) -> None:
        self.stream: Any = stream
        self.live = stream.isatty()
        self.stage = ""
        self.told = 0.0

    def show(self, text: str, stage: str) -> None:
        now = time.monotonic()
        if self.live:
            print(f"\r\x1b[K{text}", end="", file=self.stream, flush=True)
        elif stage != self.stage or now - self.told >= LINE_EVERY_S:
            print(text, file=self.stream, flush=True)
            self.stage, self.told = stage, now

    def end(self, text: str) -> None:
        print(f"\r\x1b[K{text}" if self.live else text, file=self.stream, flush=True)
