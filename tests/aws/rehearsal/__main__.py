"""``python -m tests.aws.rehearsal [--cap 2] [--minutes 60] [--yes] [--emulator]``, and the next day ``… cost FOLDER``."""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.aws import rehearsal
from tests.aws.rehearsal import charged, replies, switch
from tests.aws.rehearsal.hands import Failed, Person, Said, write_recipe
from tests.aws.rehearsal.meter import Meter
from tests.aws.rehearsal.round import Round, Wish, counting
from workbench.aws import prices
from workbench.aws.session import Session
from workbench.errors import WorkbenchError
from workbench.settings import PROJECT, from_environment


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.aws.rehearsal", description=rehearsal.__doc__)
    parser.add_argument("what", nargs="?", choices=["run", "cost"], default="run")
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where what is found out is kept; of cost: was kept"
    )
    parser.add_argument("--cap", type=float, default=2.0, help="US dollars that it may cost (2)")
    parser.add_argument("--minutes", type=int, default=60, help="that it may take (60)")
    parser.add_argument("--type", default="t3.large", help="of the clusters' machines (t3.large)")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--emulator", action="store_true", help="not on AWS, but on the emulator here")
    told = parser.parse_args(arguments)
    folder = told.folder or PROJECT / "build" / "rehearsal" / time.strftime("%Y-%m-%d-%H%M", time.gmtime())
    try:
        if told.what == "cost":
            print(charged.compare(Session.open(from_environment()), folder))
            return 0
        with emulated(folder) if told.emulator else contextlib.nullcontext():
            return rehearse(folder.absolute(), told)
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 1


def rehearse(folder: Path, told: argparse.Namespace) -> int:
    """Say what will be done, ask, do it, and keep what was found out."""
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "home"
    if home.exists():
        print(f"{home} is there from an earlier rehearsal; name another folder", file=sys.stderr)
        return 2
    environ = {
        "WORKBENCH_HOME": str(home),
        "WORKBENCH_AWS_HOURS": str(max(1, round(told.minutes / 60))),
        "WORKBENCH_MAX_PRICE_PER_JOB": str(told.cap / 2),
        "WORKBENCH_REQUESTER": "rehearsal",
    }
    os.environ.update(environ)
    settings = from_environment()
    session = Session.open(settings)
    print(
        f"account {session.account}, region {session.region}: the application and clusters of {told.type}, for at most "
        f"{told.minutes} minutes and ${told.cap:.2f}, all released at the end; kept in {folder}"
    )
    if not told.yes and input("go on? [y/N] ").strip().lower() not in ("y", "yes"):
        return 1
    raw, beat = Path(tempfile.mkdtemp(prefix="replies-")), folder / "beat"
    why: list[str] = []
    over = threading.Event()

    def end(reason: str) -> None:
        why.append(reason)
        over.set()

    person = Person({**environ, **replies.environ(raw)}, over)
    known = prices.known(settings, session.region)
    deadline = time.monotonic() + told.minutes * 60
    watching = switch.watch(beat, folder / "switch.log")
    try:
        with counting(Meter(session, known, told.cap, end, deadline)) as meter:
            outside = os.environ.get("REHEARSAL_OUTSIDE")
            wish = Wish(
                node_type=told.type,
                minutes=told.minutes,
                page_port=8081 if told.emulator else 80,
                dashboard=f"{outside}/32" if outside else None,
            )
            rehearsed = Round(
                _UntilReleased(person, over),
                session,
                meter,
                wish,
                write_recipe(folder / "recipe"),
                _tell,
                lambda: "; ".join(why),
            )
            well = rehearsed.run()
        released = rehearsed.done[-1].ok
        if released:
            beat.unlink()
    finally:
        person.over.set()  # should the beat still be there, the other process goes on to release when this one has ended
    with contextlib.suppress(Failed):  # the process with which recipes were checked here
        Person(environ).types("down", limit_s=60)
    if released:
        watching.wait(60)
    rehearsed.write(folder / "round.json")
    meter.write(folder / "counted.json")
    kept = replies.tidy(replies.read(raw), account=session.account, names=["rehearsal"])
    replies.write(folder / "replies.jsonl", kept)
    shutil.rmtree(raw)
    for one in rehearsed.done:
        print(
            f"{'well  ' if one.ok else 'FAILED'}  {one.seconds:6.0f} s  ${one.dollars:6.3f}  {one.step}: {one.said}"
        )
    print(
        f"{len(kept)} of AWS's answers are kept; counted ${meter.dollars:.3f}; tomorrow: "
        f"python -m tests.aws.rehearsal cost {folder}"
    )
    return 0 if well else 1


class _UntilReleased(Person):
    """A person whom the end of the money stops, but not from releasing."""

    def __init__(self, person: Person, over: threading.Event) -> None:
        super().__init__(person.environ, over)
        self._free = Person(person.environ)

    def types(self, *arguments: str, limit_s: float, **environ: str) -> Said:
        frees = arguments[0] in ("release", "audit")
        return (self._free.types if frees else super().types)(*arguments, limit_s=limit_s, **environ)


@contextlib.contextmanager
def emulated(folder: Path) -> Iterator[None]:
    """Have the emulator in the place of AWS."""
    from tests.emulator import Emulator

    folder.mkdir(parents=True, exist_ok=True)
    with Emulator(folder.absolute() / "emulator") as emulator:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(emulator.environ, REHEARSAL_OUTSIDE=emulator.outside)
        yield


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
