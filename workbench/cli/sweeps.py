"""``sweep`` and ``sweeps``: one recipe with other values of its settings."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cli import jobs, output
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.verbs.sweeps import Entry, Forecast, Sweep, Trial


def add(verbs: output.Verbs) -> None:
    """Add the command to the parser."""
    sweep = verbs.add(
        "sweep", _sweep, "train a recipe with other values of its settings; keep the best", json=True
    )
    jobs.add_request(sweep)
    sweep.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUES",
        help="what a setting of the recipe may be: UNITS=64,128 RATE=1e-4..1e-1:log DROPOUT=0..0.5 SIZE=16..256:16",
    )
    sweep.add_argument(
        "--method",
        choices=["grid", "random", "tpe"],
        help="each combination, by chance, or what earlier trials speak for (grid where all values are named, else tpe)",
    )
    sweep.add_argument(
        "--trials", type=output.whole(1, 1000), metavar="N", help="how many (all of a grid, else 20)"
    )
    sweep.add_argument(
        "--seed", type=output.whole(0, output.MOST), default=0, metavar="N", help="of chance (0)"
    )
    sweep.add_argument(
        "--metric", choices=["accuracy", "loss"], help="of the validation part, by which the best is chosen"
    )
    sweep.add_argument("--all-epochs", action="store_true", help="end no trial early, however poor it is")
    sweep.add_argument(
        "--at-once",
        type=output.whole(1, output.MOST),
        metavar="N",
        help="trials at a time, within the queue's limits",
    )
    sweep.add_argument(
        "--max-price", type=_dollars, metavar="USD", help="what all trials together may cost; then it ends"
    )
    sweep.add_argument(
        "--detach", action="store_true", help="print its id and return; a process of its own goes on with it"
    )
    sweep.add_argument("--plan", action="store_true", help="only say what it takes; train nothing")
    sweep.add_argument("--html", type=Path, metavar="FILE", help="write the page of the sweep, as it goes on")
    listing = verbs.add("sweeps", _sweeps, "the newest sweeps, or one of them", json=True)
    listing.add_argument("id", metavar="ID", nargs="?", help="of one sweep; all where none is given")
    listing.add_argument(
        "--stop", action="store_true", help="end its trials; the best so far becomes a version"
    )
    listing.add_argument(
        "--go-on", action="store_true", help="go on with one that was stopped or interrupted"
    )
    listing.add_argument("--html", type=Path, metavar="FILE", help="write its page")


def _dollars(text: str) -> float:
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"must be US dollars above 0, such as 2.50. Received: {text[:40]}")
    return value


def _setting(text: str) -> tuple[str, str]:
    name, equals, values = text.partition("=")
    if not equals or not name.strip() or not values.strip():
        raise argparse.ArgumentTypeError(f"write NAME=VALUES, such as UNITS=64,128. Received: {text[:80]}")
    return name.strip(), values


def _sweep(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.errors import BadInput
    from workbench.verbs import sweeps
    from workbench.verbs.workbench import opened

    wanted = dict(arguments.set)
    if len(wanted) < len(arguments.set):
        raise BadInput("a setting is given twice by --set; write all its values in one: UNITS=64,128")
    with opened(settings) as workbench:
        asked = sweeps.ask(
            jobs.request(arguments, settings, workbench),
            wanted,
            sweeps.Options(
                method=arguments.method,
                trials=arguments.trials,
                seed=arguments.seed,
                metric=arguments.metric,
                early_stopping=not arguments.all_epochs,
                at_once=arguments.at_once,
                max_price=arguments.max_price,
            ),
        )
        foretold = sweeps.forecast(asked, workbench)
        print(_say(foretold, asked.method), file=sys.stderr)
        if arguments.plan:
            if arguments.json:
                output.json({"id": asked.id, "method": asked.method, **vars(foretold)})
            return 0
        if arguments.detach:
            id = sweeps.Sweeps(workbench).begin(asked)
            output.json({"id": id}) if arguments.json else print(id)
            return 0
        write = _writer(arguments.html)
        try:
            sweep = sweeps.run(asked, workbench, _Teller(write).tell)
        except KeyboardInterrupt:
            print(
                "\nthe trials that have begun go on; the same command goes on with the sweep; "
                "to end one: workbench terminate ID",
                file=sys.stderr,
            )
            raise
        finally:
            write(sweeps.look(asked, workbench))
    if arguments.json:
        output.json(sweep.as_json())
    else:
        _show(sweep)
    return 0


def _show(sweep: "Sweep") -> None:
    print(_table(sweep))
    if sweep.importances:
        told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in sweep.importances.items())
        print(f"\nhow much each setting matters: {told}")
    if sweep.best:
        print(
            f"\ntrial {sweep.best.number} is the best{f': {sweep.version}' if sweep.version else ' so far'}"
        )


def _sweeps(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.errors import BadInput
    from workbench.verbs import sweeps
    from workbench.verbs.workbench import opened

    if arguments.id is None and (arguments.stop or arguments.go_on or arguments.html):
        raise BadInput("name a sweep: workbench sweeps ID; without one all are listed")
    if arguments.stop and arguments.go_on:
        raise BadInput("take --stop or --go-on, not both")
    with opened(settings) as workbench:
        known = sweeps.Sweeps(workbench)
        if arguments.id is None:
            found = known.entries()
            if arguments.json:
                output.json([entry.as_json() for entry in found])
            else:
                print(_list(found))
            return 0
        if arguments.stop:
            known.stop(arguments.id)
        elif arguments.go_on:
            known.go_on(arguments.id)
        entry = known.entry(arguments.id)
    _writer(arguments.html)(entry.sweep)
    if arguments.json:
        output.json(entry.as_json())
        return 0
    print(f"{entry.id} is {entry.state}{f': {entry.said}' if entry.said else ''}\n")
    _show(entry.sweep)
    return 0


def _list(found: "list[Entry]") -> str:
    head = ("SWEEP", "REQUESTER", "PROVIDER", "STATE", "TRIALS", "BEST", "COST", "VERSION")
    rows = [
        (
            entry.id,
            entry.asked.request.requester,
            entry.asked.request.provider,
            entry.state,
            f"{sum(trial.is_over for trial in entry.sweep.trials)} of {entry.sweep.wanted}",
            _score(entry.sweep, entry.sweep.best.score if entry.sweep.best else None),
            f"${entry.cost:.2f}",
            entry.sweep.version or "–",
        )
        for entry in found
    ]
    return output.columns([head, *rows])


def _say(foretold: "Forecast", method: str) -> str:
    """Time and price in all, before anything is trained."""
    if not foretold.trials:
        return "every trial has ended"
    parts = [f"{foretold.trials} trials by {method}, {foretold.at_once} at a time"]
    if foretold.seconds is None:
        parts.append("nobody knows how long")
    else:
        parts.append(f"about {jobs.duration(foretold.seconds)} in all")
    parts.append("price unknown" if foretold.price is None else f"${foretold.price:.2f}")
    return f"{'; '.join(parts)} ({foretold.basis})"


def _writer(path: Path | None) -> "Callable[[Sweep], None]":
    from workbench.system import files
    from workbench.verbs.sweeps import make_page

    def write(sweep: "Sweep") -> None:
        if path is not None:
            files.write(path, make_page(sweep))

    return write


class _Teller:
    """One line in a terminal, and the page, whenever something has changed."""

    def __init__(self, write: "Callable[[Sweep], None]") -> None:
        self._line, self._write = jobs.Line(sys.stderr), write
        self._last: Sweep | None = None

    def tell(self, sweep: "Sweep") -> None:
        over = sum(trial.is_over for trial in sweep.trials)
        running = [trial for trial in sweep.trials if not trial.is_over]
        parts = [f"{over} of {sweep.wanted} trials have ended"]
        parts += [f"job {trial.job} {trial.state}" for trial in running if trial.job is not None]
        if sweep.best:
            parts.append(
                f"the best: trial {sweep.best.number}, {sweep.metric} {_score(sweep, sweep.best.score)}"
            )
        self._line.show(", ".join(parts), stage=str(over))
        if self._last is None or sweep.trials != self._last.trials:
            self._last = sweep
            self._write(sweep)


def _table(sweep: "Sweep") -> str:
    head = ("TRIAL", "JOB", *sweep.space, sweep.metric.upper(), "HELD-OUT", "EPOCHS", "TIME", "STATE")
    rows = [
        (
            str(trial.number),
            str(trial.job or "–"),
            *(str(trial.settings[name]) for name in sweep.space),
            _score(sweep, trial.score if trial.score is not None else _last(trial)),
            output.percent(trial.accuracy),
            str(max(trial.scores, default=0)),
            jobs.duration(trial.execution_s),
            trial.state + (f": {trial.error}" if trial.error else ""),
        )
        for trial in sweep.ranking
    ]
    return output.columns([head, *rows])


def _last(trial: "Trial") -> float | None:
    return trial.scores[max(trial.scores)] if trial.scores else None


def _score(sweep: "Sweep", score: float | None) -> str:
    if score is None:
        return "–"
    return output.percent(score) if sweep.metric == "accuracy" else f"{score:.4g}"
