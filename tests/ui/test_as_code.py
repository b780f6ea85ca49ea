"""Buttons as code: what is copied is a call that the API and the commands take."""

import ast
import inspect
import shlex
from dataclasses import replace
from typing import Any

import pytest

import workbench
from tests.sweeps.fake_queue import RECIPE as SWEPT
from workbench import cli
from workbench.api.data import Dataset
from workbench.api.trainings import Job
from workbench.api.versions import Version
from workbench.errors import BadInput
from workbench.recipes import Recipe
from workbench.ui.as_code import AsCode, Line, lines
from workbench.verbs import datasets
from workbench.verbs.requests import Request
from workbench.verbs.sweeps import Options, ask

RECIPE = Recipe("a", "b", "c")
PLAIN = Request("digits", "ann", RECIPE)
RICH = Request("my 'net'", 'Ann "A" O’Hara', RECIPE, 1, 3, 7, "aws", "big one; rm -rf", "t3.large")
EVERY = [
    lines.submit(PLAIN, "mnist-mlp"),
    lines.submit(PLAIN, ""),
    lines.submit(RICH, "00-mnist-cnn"),
    lines.sweep(ask(Request("digits", "ann", SWEPT), {"UNITS": "8,32"}), "mnist-mlp"),
    lines.sweep(
        ask(
            replace(RICH, name="net", epochs=None, recipe=SWEPT),
            {"UNITS": "8, 16"},
            Options(at_once=2, max_price=2.5),
        ),
        "",
    ),
    *lines.job(12, goes_on=True, may_retry=True),
    *lines.version("mnist-cnn:3"),
    *lines.version("mnist-cnn:3", reason="it's $(better)", canary=12.5, to="aws"),
    lines.ask(),
    lines.ask("http://127.0.0.1:5001"),
    lines.ask_by_name("several:1", '{"sizes": [1, 2], "words": "it\'s so"}'),
    lines.ask_by_name("several:1", "{}", "aws"),
    *lines.review(),
    lines.add_dataset("", "", datasets.how()),
    lines.add_dataset(
        "a", "my file.csv", datasets.how(target="it's", classes=True, share=0.3, licence='"MIT"', header=True)
    ),
    lines.add_dataset(
        "a",
        "b.csv",
        datasets.how(
            target="y", classes=False, by="group", column="who is it", unused=["id", "it's"], header=False
        ),
    ),
    lines.add_dataset("a", "b.csv", datasets.how(kind="text", by="column", column="part")),
    lines.add_dataset("a", "b.zip", datasets.how(kind="pictures", size=(96, 64), channels=1)),
    *lines.dataset("flowers:2"),
]


def called(node: ast.expr) -> Any:
    """What a call of the API calls."""
    if isinstance(node, ast.Name):
        assert node.id == "workbench"
        return workbench
    if isinstance(node, ast.Call):
        found = called(node.func)
        bound = inspect.signature(found).bind(
            *([None] if "self" in inspect.signature(found).parameters else []),
            *map(ast.literal_eval, node.args),
            **{str(k.arg): ast.literal_eval(k.value) for k in node.keywords},
        )
        assert bound
        return {"job": Job, "model": Version, "dataset": Dataset}.get(found.__name__, object)
    assert isinstance(node, ast.Attribute)
    return getattr(called(node.value), node.attr)


@pytest.mark.parametrize("line", EVERY, ids=lambda line: line.python or line.shell)
def test_what_is_copied_is_a_call_of_the_api_and_a_command(line: Line) -> None:
    if line.python:
        (statement,) = ast.parse(line.python).body
        assert isinstance(statement, ast.Assign | ast.Expr)
        call = statement.value
        assert isinstance(call, ast.Call)
        if isinstance(call.func, ast.Name):  # print(…)
            (inner,) = call.args
            assert isinstance(inner, ast.Call)
            call = inner
        called(call)
    if line.shell:
        program, *words = shlex.split(line.shell)
        assert program == "workbench"
        assert cli.make_parser()[0].parse_args(words).run


def test_what_a_form_says_arrives_as_it_was_said() -> None:
    asked = cli.make_parser()[0].parse_args(shlex.split(lines.submit(RICH, "00-mnist-cnn").shell)[1:])
    assert (asked.name, asked.requester, asked.cluster) == (RICH.name, RICH.requester, RICH.cluster)
    assert (asked.ps, asked.workers, asked.epochs, asked.type) == (1, 3, 7, "t3.large")
    deployed = lines.version("m:1", reason="it's $(better)", canary=12.5)[0]
    told = cli.make_parser()[0].parse_args(shlex.split(deployed.shell)[1:])
    assert (told.reason, told.canary) == ("it's $(better)", 12.5)
    (statement,) = ast.parse(lines.submit(RICH, "x").python).body
    assert isinstance(statement, ast.Assign)
    assert isinstance(statement.value, ast.Call)
    keywords = {k.arg: ast.literal_eval(k.value) for k in statement.value.keywords}
    assert keywords["requester"] == RICH.requester


def test_code_that_was_changed_says_what_to_save_first() -> None:
    assert "training.py" in lines.submit(PLAIN, "").note
    assert lines.submit(PLAIN, "mnist-mlp").note == ""


def test_the_lines_are_asked_for_when_the_fold_is_open_and_follow_the_form() -> None:
    asked: list[str] = []

    def read() -> list[Line]:
        asked.append("")
        if len(asked) == 2:
            raise BadInput("workers: a whole number from 1. Received: 0")
        return [lines.ask()]

    fold = AsCode(read)
    fold.refresh()
    assert (asked, fold.lines) == ([], [])
    fold._told({"kind": "open", "open": True})
    assert fold.lines[0]["python"] == 'workbench.predict("picture.png")'
    fold.refresh()
    assert (fold.lines, fold.problem) == ([], "Not yet: workers: a whole number from 1. Received: 0")
    fold._told({"kind": "open", "open": False})
    fold.refresh()
    assert len(asked) == 2
