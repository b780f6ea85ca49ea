"""The calls of buttons, as one line of Python and one of a shell, ready to be copied."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.verbs.requests import Request
from workbench.verbs.sweeps import Asked

if TYPE_CHECKING:
    from workbench.verbs.datasets import How


@dataclass(frozen=True)
class Line:
    """A button as code; ``shell`` or ``python`` is empty where there is no such call."""

    label: str
    python: str
    shell: str
    note: str = ""
    """Said above, where something has to be done first."""


CHANGED = "my-recipe"
"""What code that was changed is called."""
SAVE = f"Save the three texts first: {CHANGED}/preprocessing.py, training.py and helpers.py."


def submit(request: Request, recipe: str) -> Line:
    """The request of a training; ``recipe`` is the name of one that is offered, or empty for code that was changed."""
    called, more = recipe or CHANGED, _unusual(request)
    return Line(
        "Train",
        f"job = {python('submit', called, name=request.name, **more)}",
        shell("submit", called, name=request.name, **_options(more)),
        "" if recipe else SAVE,
    )


def sweep(asked: Asked, recipe: str) -> Line:
    """A sweep; ``recipe`` is the name of one that is offered, or empty for code that was changed."""
    called, request = recipe or CHANGED, asked.request
    more = {
        "method": asked.method,
        "trials": asked.trials,
        "at_once": asked.options.at_once,
        "max_price": asked.options.max_price,
    }
    more |= _unusual(request)
    wanted = {name: values for name, values in asked.wanted.items() if isinstance(values, str)}
    settings = "".join(f" --set {shlex.quote(f'{name}={values}')}" for name, values in wanted.items())
    return Line(
        "Start sweep",
        f"sweep = {python('sweep', called, name=request.name, settings=wanted, **more)}",
        shell("sweep", called, name=request.name, **_options(more)) + settings,
        "" if recipe else SAVE,
    )


def _unusual(request: Request) -> dict[str, object]:
    """What a request asks for besides name and recipe, where that is not what it would be anyway."""
    usual = {"ps": 0, "workers": 1, "provider": "local"}
    more = {
        "ps": request.ps,
        "workers": request.workers,
        "epochs": request.epochs,
        "provider": request.provider,
        "cluster": request.cluster,
        "instance_type": request.instance_type,
        "requester": request.requester,
    }
    return {name: value for name, value in more.items() if value and value != usual.get(name)}


def _options(named: Mapping[str, object]) -> dict[str, object]:
    """Arguments of the API as a command calls them."""
    return {
        "type" if name == "instance_type" else name.replace("_", "-"): value for name, value in named.items()
    }


def job(id: int, *, goes_on: bool, may_retry: bool) -> tuple[Line, ...]:
    """What one does with a job; to end it while it goes on, to repeat it where that is offered."""
    called = f"workbench.job({id})"
    looks = (
        Line("Show", f"{called}.show()", shell("job", id)),
        Line("Logs", f"print({called}.logs())", shell("logs", id)),
    )
    ends = Line("Terminate", f"{called}.terminate()", shell("terminate", id))
    again = (
        Line("Retry", f"{called}.retry()", shell("retry", id)),
        Line("Retry anew", f"{called}.retry(anew=True)", f"{shell('retry', id)} --anew"),
    )
    return (*looks, *[ends] * goes_on, *again * may_retry)


def version(
    reference: str, *, reason: str = "", canary: float | None = None, to: str | None = None
) -> tuple[Line, ...]:
    """What one does with a version."""
    name, _, number = reference.partition(":")
    said = {"to": to, "reason": reason or "why, in a few words"}
    deployed = {**said, "canary": canary}
    file = f"{name}-{number}.zip"
    return (
        Line(
            "Deploy",
            f"workbench.model({quote(reference)}).deploy({arguments(**deployed)})",
            shell("deploy", reference, **deployed),
        ),
        Line("Roll back", python("rollback", name, **said), shell("rollback", name, **said)),
        Line(
            "Download",
            f"workbench.model({quote(reference)}).download({quote(file)})",
            shell("download", reference, file),
        ),
        Line("Evaluate", f"workbench.model({quote(reference)}).evaluate()", ""),
    )


def ask(to: str | None = None) -> Line:
    """A question about a picture, to the model that serves."""
    return Line("Ask", python("predict", "picture.png", to=to), shell("predict", "picture.png", to=to))


def ask_by_name(reference: str, inputs: str, to: str | None = None) -> Line:
    """A question about values by name, as JSON, to a version that serves."""
    return Line("Ask", "", shell("predict", model=reference, inputs=inputs, to=to))


def review(to: str | None = None) -> tuple[Line, ...]:
    """The review of corrections."""
    return (
        Line(
            "List",
            python("corrections", to=to, state="waiting"),
            shell("corrections", to=to, state="waiting"),
        ),
        Line("Accept", "", f"{shell('corrections', 'accept', to=to)} ID"),
        Line("Reject", "", f"{shell('corrections', 'reject', to=to)} ID"),
    )


def add_dataset(name: str, source: str, how: "How") -> Line:
    """A data set that is added, with what was said of its source."""
    split = how.split
    called, where = name or "flowers", source or "photos.zip"
    share = None if split.share == 0.2 else round(split.share, 4)
    both = {"kind": how.kind, "target": how.target, "licence": how.licence or None}
    in_python = python(
        "add_dataset",
        called,
        where,
        **both,
        classes=how.classes,
        unused=list(how.unused) or None,
        by=None if split.by == "share" else split.by,
        share=share,
        column=split.column or None,
        size=how.size,
        channels=None if how.channels == 3 else how.channels,
        header=how.header,
    )
    options = {
        "test-share": share,
        "split-column": split.column if split.by == "column" else None,
        "group": split.column if split.by == "group" else None,
        "size": f"{how.size[0]}x{how.size[1]}" if how.size else None,
    }
    flags = {
        "classes": how.classes is True,
        "number": how.classes is False,
        "header": how.header is True,
        "no-header": how.header is False,
        "ink": how.channels == 1,
    }
    more = [f"--unused {shlex.quote(one)}" for one in how.unused]
    more += [f"--{flag}" for flag, wanted in flags.items() if wanted]
    return Line("Add", in_python, " ".join([shell("data", "add", called, where, **both, **options), *more]))


def dataset(reference: str) -> tuple[Line, ...]:
    """What one does with a data set."""
    name = reference.partition(":")[0]
    called = f"workbench.dataset({quote(reference)})"
    return (
        Line("Look", f"{called}.show()", shell("data", "show", reference)),
        Line("Load", f"train, test = {called}.load()", ""),
        Line("Make a recipe", "", shell("data", "recipe", name, f"my-{name}")),
        Line("Remove", f"{called}.remove()", shell("data", "remove", reference)),
    )


def quote(text: object) -> str:
    """A value as Python writes it, texts in double quotes where that is the same.

    >>> quote("a b"), quote('say "a"'), quote(0.5)
    ('"a b"', '\\'say "a"\\'', '0.5')
    """
    said = repr(text)
    return f'"{text}"' if said == f"'{text}'" and '"' not in said else said


def arguments(*values: object, **named: object) -> str:
    """The arguments of a call, without those that are ``None``.

    >>> arguments("digits", workers=2, to=None)
    '"digits", workers=2'
    """
    return ", ".join([*map(quote, values), *(f"{n}={quote(v)}" for n, v in named.items() if v is not None)])


def python(verb: str, *values: object, **named: object) -> str:
    """A call of the public API.

    >>> python("submit", "mnist-mlp", name="digits", workers=2)
    'workbench.submit("mnist-mlp", name="digits", workers=2)'
    """
    return f"workbench.{verb}({arguments(*values, **named)})"


def shell(*words: object, **named: object) -> str:
    """A command, without the options that are ``None``.

    >>> shell("deploy", "digits:2", reason="better on sevens", to=None)
    "workbench deploy digits:2 --reason 'better on sevens'"
    """
    options = [
        part
        for n, v in named.items()
        if v is not None
        for part in (f"--{n}", f"{v:g}" if isinstance(v, float) else str(v))
    ]
    return shlex.join(["workbench", *map(str, words), *options])
