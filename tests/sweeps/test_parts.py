"""The sweep's form and panel in a kernel: estimated before it is begun, shown while it goes on, stopped."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import ipywidgets
import pytest

from tests.chain import threads_end, wait_until
from tests.sweeps.fake_queue import RECIPE, Queue, run
from workbench.recipes import Recipe
from workbench.tasks.check import Checked
from workbench.ui.cluster.sweeps.form import SweepForm
from workbench.ui.cluster.sweeps.panel import SweepsPanel
from workbench.ui.draft import SWEEP
from workbench.ui.widgets.actions import Action
from workbench.ui.widgets.visitor.browser import Browser
from workbench.verbs.requests import Request
from workbench.verbs.sweeps import Sweeps, kept

FOUND = Checked(
    100, 10, (4,), (3,), steps_per_epoch=50, parameters=9, largest=6, epochs=4, batch_size=2, step_s=0.1
)


@dataclass
class Parts:
    queue: Queue
    recipe: Recipe = RECIPE
    begun: list[str] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        workbench = self.queue.workbench
        self.known = Sweeps(workbench, lambda id, _: None)
        self.form = SweepForm(
            workbench,
            self.known,
            recipe=lambda: self.recipe,
            request=lambda: Request("net", "ann", self.recipe),
            begun=self.begun.append,
            failed=lambda error: None,
        )
        self.panel = SweepsPanel(self.known, open_job=self.opened.append)

    def press(self, action: Action) -> str:
        wait_until(lambda: not action.button.disabled, 60, "a button that can be pressed")
        action.button.click()
        wait_until(lambda: not action.busy, 60, "its end")
        return self.form.message.html + self.panel.message.html


@pytest.fixture
def parts(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    monkeypatch.setattr(queue.workbench.requests, "check", lambda *_: FOUND)
    with threads_end():
        yield Parts(queue)


def shown(widget: ipywidgets.Widget) -> bool:
    return bool(widget.layout.display != "none")


def test_settings_of_the_code_are_offered_and_what_was_typed_stays(parts: Parts) -> None:
    parts.form.widget.selected_index = 0
    assert parts.form.settings.field("UNITS").placeholder == "now 8; try 4,8,16"
    assert parts.form.settings.field("BATCH_SIZE").placeholder.startswith("try")
    parts.form.settings.field("UNITS").value = "8,32"
    parts.recipe = Recipe("", "def load_data(): ...", "RATE = (\ndef build_model(): ...")
    parts.form.refresh()
    assert parts.form.settings.wanted == {"UNITS": "8,32"}, "half typed"
    parts.recipe = Recipe("", "def load_data(): ...", "LABELS = ['a']\nRATE = 1e-2\ndef build_model(): ...")
    parts.form.refresh()
    assert parts.form.settings.wanted == {}
    assert [one.description for one in parts.form.settings.widget.children] == [
        "RATE",
        "EPOCHS",
        "BATCH_SIZE",
        "PATIENCE",
    ]
    parts.recipe = RECIPE
    parts.form.refresh()
    assert parts.form.settings.wanted == {"UNITS": "8,32"}


def test_what_is_asked_for_is_there_as_code_and_kept_in_the_browser(parts: Parts) -> None:
    browser = Browser(SWEEP)
    parts.form.keep_in(browser)
    browser._told({"kind": "here", "values": {}, "visible": True})
    form = parts.form
    form.widget.selected_index = 0
    form.as_code._told({"kind": "open", "open": True})
    assert "say what to try" in form.as_code.problem
    form.settings.field("UNITS").value, form.trials.value, form.max_price.value = "8,32", "2", "$2.50"
    form.method.value = "random"
    (line,) = form.as_code.lines
    assert line["shell"] == (
        "workbench sweep my-recipe --name net --method random --trials 2 --max-price 2.5 --requester ann --set UNITS=8,32"
    )
    kept = browser[SWEEP]
    assert kept["settings"] == {"UNITS": "8,32"}
    again = Parts(parts.queue).form
    other = Browser(SWEEP)
    again.keep_in(other)
    other._told({"kind": "here", "values": {SWEEP: kept}, "visible": True})
    again.widget.selected_index = 0
    assert again.settings.wanted == {"UNITS": "8,32"}
    assert (again.method.value, again.trials.value, again.max_price.value) == ("random", "2", "$2.50")
    assert other[SWEEP] == kept
    for odd in ("x", {"settings": [], "method": "no such"}, {"settings": {"UNITS": None}}):
        other._told({"kind": "here", "values": {SWEEP: odd}, "visible": True})
        again._restore(other)


def test_time_and_price_come_first_and_hold_for_what_was_estimated_alone(parts: Parts) -> None:
    form = parts.form
    form.widget.selected_index = 0
    assert form.start.button.disabled
    assert "Say what to try" in parts.press(form.estimate)
    form.settings.field("UNITS").value = "8,32,16"
    form.max_price.value = "lots"
    assert "US dollars" in parts.press(form.estimate)
    form.max_price.value = "$2.50"
    said = parts.press(form.estimate)
    assert "3 trials: about" in said
    assert "costs nothing" in said
    assert "cost $2.50" in said
    assert not form.start.button.disabled
    form.trials.value = "2"
    assert form.start.button.disabled, "something else is asked for"
    assert "2 trials" in parts.press(form.estimate)
    assert "has begun" in parts.press(form.start)
    (id,) = parts.begun
    assert kept.read(id, parts.queue.settings).options.trials == 2
    assert form.start.button.disabled


def test_the_panel_shows_a_sweep_from_its_begin_to_its_version(parts: Parts) -> None:
    panel, form = parts.panel, parts.form
    panel.refresh_now()
    assert not shown(panel.widget)
    form.widget.selected_index = 0
    form.settings.field("UNITS").value = "8,32"
    parts.press(form.estimate)
    parts.press(form.start)
    panel.open(parts.begun[0])
    assert shown(panel.widget)
    assert [entry.state for entry in parts.known.entries()] == ["waiting"]
    assert "No trial has a score yet" in panel.body.html
    assert shown(panel.stop.widget)
    asked = kept.read(parts.begun[0], parts.queue.settings).asked()
    sweep = run(parts.queue, asked)
    panel.refresh_now()
    assert not panel.moving
    (row,) = panel.table.page["rows"]
    assert (row["name"], row["state"], row["best"], row["progress"]) == (
        "net:1",
        "completed",
        "32.30 %",
        [1.0, "2 of 2"],
    )
    assert panel.body.html.count("<polyline") == 2
    assert f'data-open="{sweep.trials[0].job}"' in panel.body.html
    panel.body._handle_custom_msg({"open": str(sweep.trials[0].job)}, [])
    assert parts.opened == [sweep.trials[0].job]
    assert not shown(panel.stop.widget)
    assert not shown(panel.go_on.widget)


def test_a_stop_is_asked_for_twice_and_one_that_stopped_can_go_on(parts: Parts) -> None:
    panel, form = parts.panel, parts.form
    form.widget.selected_index = 0
    form.settings.field("UNITS").value = "8,32"
    parts.press(form.estimate)
    parts.press(form.start)
    panel.open(parts.begun[0])
    panel.stop.press()
    assert states(panel) == ["waiting"]
    panel.stop.yes.click()
    wait_until(lambda: states(panel) == ["stopping"], 60, "the wish")
    wait_until(lambda: not panel.stop.busy, 60, "the button's end")
    assert not shown(panel.stop.widget)


def states(panel: SweepsPanel) -> list[str]:
    return [row["state"] for row in panel.table.page["rows"]]
