"""The cluster's page in the kernel: what it shows comes from the store, what it does goes through ``Workbench``."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.browser.made_jobs import make_jobs
from tests.chain import threads_end, wait_until
from tests.recipes.importing.notebooks import PICTURES, notebook
from tests.ui.test_widgets import connect
from workbench import film, recipes
from workbench.errors import RecipeError, Unavailable
from workbench.jobs import Job
from workbench.machines import Layout
from workbench.machines.fake import FakeProvider
from workbench.recipes import Recipe
from workbench.settings import Settings
from workbench.tasks.check import Checked
from workbench.tasks.child import Stopped
from workbench.ui.cluster import ClusterPage
from workbench.ui.cluster.machines_diagram import draw_machines
from workbench.ui.draft import DRAFT, HANDED, Draft
from workbench.ui.film import Film
from workbench.verbs import models
from workbench.verbs import recipes as verbs_recipes
from workbench.verbs.requests import Requests
from workbench.verbs.workbench import Workbench, open_store

CHECKED = Checked(
    100, 10, (4,), (3,), steps_per_epoch=50, parameters=9, largest=6, epochs=2, batch_size=2, step_s=0.1
)


@dataclass
class Stand:
    """A page whose jobs are started by nobody, on machines in memory."""

    page: ClusterPage
    provider: FakeProvider
    started: list[int] = field(default_factory=list)

    @property
    def said(self) -> str:
        return self.page.request.message.html

    def arrive(self, **values: Any) -> None:
        """What the browser of a visitor tells."""
        self.page.browser._told({"kind": "here", "values": values, "visible": True})

    def press(self, action: Any) -> None:
        """Click and wait for the end of what that does."""
        wait_until(lambda: not action.button.disabled, 60, "a button that can be pressed")
        action.button.click()
        wait_until(lambda: not action.busy, 60, "the action's end")


class SaidRequests(Requests):
    """With a dry run that is said, not done."""

    checks: Exception | Checked | None = CHECKED
    """``None`` takes until it is stopped."""

    def check(self, recipe: Recipe, workers: int = 1, stop: Callable[[], bool] = lambda: False) -> Checked:
        if isinstance(self.checks, Exception):
            raise self.checks
        if self.checks is None:
            wait_until(stop, 60, "the wish to stop")
            raise Stopped("stopped")
        return self.checks


@pytest.fixture
def stand(settings: Settings) -> Iterator[Stand]:
    provider, started = FakeProvider(), []

    def open_provider(name: str, _: Settings) -> FakeProvider:
        if name != "local":
            raise Unavailable(f"there is no provider {name!r} here")
        return provider

    with open_store(settings) as store, threads_end():
        workbench = Workbench(
            settings, store, start=lambda id, _: started.append(id), open_provider=open_provider
        )
        workbench.requests = SaidRequests(settings, store, workbench.machines)
        page = ClusterPage(workbench)
        yield Stand(page, provider, started)
        page.poll.close()


def job(stand: Stand) -> Job:
    (found,) = stand.page.workbench.store.jobs()
    return stand.page.workbench.store.job(found.id)


def hints(stand: Stand, words: str) -> None:
    wait_until(lambda: words in stand.page.request.hints.html, 5, f"{words!r} among the hints")


def test_the_form_begins_with_the_tutorials_recipe_and_starts_nothing(stand: Stand) -> None:
    assert stand.page.request.recipe == recipes.read(recipes.DEFAULT)
    assert stand.page.request.fields.name.value == "mnist-cnn"
    hints(stand, "Will become <b>mnist-cnn:1</b>")
    assert stand.page.workbench.store.page().total == 0


def test_train_wants_to_know_who_asks(stand: Stand) -> None:
    form = stand.page.request
    wait_until(lambda: form.train.button.disabled, 60, "a button that cannot be pressed")
    assert "who you are" in form.train.button.tooltip
    stand.page.requester.name = "ann"
    wait_until(lambda: not form.train.button.disabled, 60, "the button")


def test_train_queues_what_stands_in_the_form_and_opens_its_page(stand: Stand) -> None:
    form, page = stand.page.request, stand.page
    page.requester.name = "ann"
    code = "# 'ü' \"\\n\" 🎉\r\nx = 1\n"
    form.code.editor.values = {**form.code.editor.values, "helpers": code}
    form.fields.name.value, form.fields.ps.value, form.fields.workers.value, form.fields.epochs.value = (
        "mine",
        "1",
        "2",
        "3",
    )
    hints(stand, "1 chief, 1 parameter server, 2 workers")
    stand.press(form.train)
    asked = job(stand)
    assert (asked.name, asked.requester, asked.ps, asked.workers, asked.epochs) == ("mine", "ann", 1, 2, 3)
    assert asked.recipe is not None
    assert asked.recipe.helpers == code
    assert stand.started == [asked.id]
    wait_until(lambda: page.jobs.page.id == asked.id, 60, "the job's page")
    assert page.address.values == {"job": str(asked.id)}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("workers", "0", "workers: a whole number from 1. Received: 0"),
        ("workers", "", "Received: nothing"),
        ("ps", "-1", "parameter servers: a whole number from 0"),
        ("epochs", "many", "epochs: a whole number from 1"),
        ("workers", "1001", "at most 1000 machines"),
        ("name", "My Model", "a model name is"),
        ("name", "", "give the model a name"),
        ("provider", "aws", "there is no provider"),
    ],
)
def test_what_cannot_be_is_said_in_words_and_not_sent(
    stand: Stand, name: str, value: str, words: str
) -> None:
    stand.page.requester.name = "ann"
    wait_until(lambda: not stand.page.request.train.button.disabled, 60, "a button that can be pressed")
    getattr(stand.page.request.fields, name).value = value
    hints(stand, words)
    wait_until(lambda: stand.page.request.train.button.disabled, 60, "a button that cannot be pressed")
    stand.page.request.train.press()
    assert stand.page.workbench.store.page().total == 0


def test_code_that_cannot_be_read_is_marked_at_its_line_in_its_tab(stand: Stand) -> None:
    form = stand.page.request
    stand.page.requester.name = "ann"
    form.code.editor.values = {**form.code.editor.values, "helpers": "a = 1\nb = (\n"}
    stand.press(form.train)
    assert form.code.editor.shown == "helpers"
    (mark,) = form.code.editor.marks["helpers"]
    assert mark["line"] == 2
    assert "helpers, line 2" in stand.said
    assert stand.page.workbench.store.page().total == 0


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = 1\nb = (\n", 2, "'(' was never closed"),
        ("def build_model():\nreturn 1\n", 2, "expected an indented block"),
        ("x = 1\nreturn x\n", 2, "'return' outside function"),
        ("%matplotlib inline\n", 1, "a magic of IPython"),
        ("a = '\x00'\n", None, "null bytes"),
        ("raise SystemExit('it was run')\n", None, None),
    ],
)
def test_a_fault_of_syntax_is_told_while_it_is_typed_and_nothing_is_run(
    stand: Stand, text: str, line: int | None, said: str | None
) -> None:
    editor = stand.page.request.code.editor
    wire = connect(editor)

    def type_it(**other: object) -> None:
        content = {"kind": "typed", "question": 7, "field": "helpers", "text": text, **other}
        wire.receive({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    type_it()
    answer = wire.messages[-1]["content"]
    assert (answer["kind"], answer["question"], answer["field"]) == ("slip", 7, "helpers")
    if said is None:
        assert answer["slip"] is None
    else:
        assert (answer["slip"]["line"], said in answer["slip"]["message"]) == (line, True)
    sent = len(wire.messages)
    for strange in ({"field": "no such"}, {"text": 3}, {"kind": "else"}):
        type_it(**strange)
    assert len(wire.messages) == sent


def test_the_mark_of_a_fault_of_syntax_goes_once_it_is_mended(stand: Stand) -> None:
    form = stand.page.request
    stand.page.requester.name = "ann"
    form.code.editor.values = {**form.code.editor.values, "helpers": "b = (\n"}
    stand.press(form.train)
    assert form.code.editor.marks["helpers"]
    form.code.editor._typed({"kind": "typed", "field": "helpers", "text": "b = (", "question": 1})
    assert form.code.editor.marks["helpers"]
    form.code.editor._typed({"kind": "typed", "field": "helpers", "text": "b = ()", "question": 2})
    assert form.code.editor.marks == {}


def test_check_shows_what_it_found_or_marks_the_line(stand: Stand) -> None:
    form = stand.page.request
    stand.page.workbench.requests.checks = RecipeError("training, line 3: no", field="training", line=3)  # type: ignore[attr-defined]
    stand.press(form.check)
    assert form.code.editor.marks == {"training": [{"line": 3, "message": "training, line 3: no"}]}
    assert form.code.editor.shown == "training"
    stand.page.workbench.requests.checks = CHECKED  # type: ignore[attr-defined]
    stand.press(form.check)
    assert form.code.editor.marks == {}
    assert "100 examples to learn from" in stand.said


def test_a_check_can_be_stopped(stand: Stand) -> None:
    check = stand.page.request.check
    stand.page.workbench.requests.checks = None  # type: ignore[attr-defined]
    assert check.widget.children == (check.button,)
    check.press()
    assert check.widget.children == (check.button, check.stop)
    check.stop.click()
    wait_until(lambda: not check.busy, 60, "the check's end")
    assert "Stopped" in stand.said
    assert check.widget.children == (check.button,)


def test_an_instance_type_is_asked_for_only_where_there_are_types(stand: Stand) -> None:
    form = stand.page.request
    assert form.fields.type.layout.display == "none"
    form.fields.provider.value = "aws"
    assert form.fields.type.layout.display == ""
    form.fields.type.value = "c5.xlarge"
    assert form.wanted() == ("aws", Layout(0, 1, "c5.xlarge"))
    form.fields.provider.value = "local"
    assert form.wanted() == ("local", Layout(0, 1))


def test_an_estimate_says_how_it_knows_and_that_it_does_not(stand: Stand) -> None:
    form = stand.page.request
    stand.page.requester.name = "ann"
    stand.press(form.estimate)
    assert "Time unknown; costs nothing" in stand.said
    stand.press(form.check)
    stand.press(form.estimate)
    assert "About 22 s" in stand.said
    assert "A guess: 100 steps of 100 ms" in stand.said


def test_an_estimate_is_a_chart_over_layouts_of_which_one_click_takes_another(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    form = stand.page.request
    stand.page.requester.name = "ann"
    stand.press(form.check)
    form.fields.ps.value, form.fields.workers.value = "1", "3"
    stand.press(form.estimate)
    rows = {(row["ps"], row["workers"]): row for row in form.layouts.choices}
    assert list(rows) == [(0, 1), (0, 2), (1, 2), (1, 3)]
    assert [place for place, row in rows.items() if row["chosen"]] == [(1, 3)]
    assert rows[1, 3]["name"] == "1 ps + 3 workers"
    assert rows[0, 1]["said"] == "22 s, free"
    other = (0, 2)
    form.layouts._pressed({"ps": 9, "workers": 9})  # what is not offered
    assert form.fields.ps.value == "1"
    form.layouts._pressed({"ps": 0, "workers": 2})
    wait_until(
        lambda: [(r["ps"], r["workers"]) for r in form.layouts.choices if r["chosen"]] == [other],
        60,
        "the estimate of the layout that was taken",
    )
    assert form.wanted() == ("local", Layout(*other))
    wait_until(lambda: not form.estimate.busy, 60, "the estimate")
    form.fields.epochs.value = "7"
    assert form.layouts.choices == [], "what was said of another request is taken back"
    assert stand.said == ""


def test_a_name_that_is_taken_becomes_the_next_version(stand: Stand, settings: Settings) -> None:
    make_jobs(settings)
    stand.page.request.fields.name.value = "mnist-mlp"
    hints(stand, "mnist-mlp:3")


def test_a_draft_survives_a_reload_and_a_link_to_a_recipe_wins(stand: Stand) -> None:
    form = stand.page.request
    draft = {"name": "mine", "ps": "2", "workers": "3", "epochs": "", "helpers": "h = 1", "training": "t"}
    stand.arrive(draft=draft)
    assert (form.fields.name.value, form.fields.ps.value, form.recipe.helpers, form.recipe.training) == (
        "mine",
        "2",
        "h = 1",
        "t",
    )
    form.fields.name.value = "other"
    assert stand.page.browser[DRAFT]["name"] == "other"
    stand.page.address._told({"kind": "here", "values": {"recipe": "tabular"}})
    assert form.recipe == recipes.read(verbs_recipes.SHIPPED / "tabular")
    assert "recipe" not in stand.page.address.values


def test_what_was_made_of_a_recipe_is_there_again_when_it_is_chosen_again(stand: Stand) -> None:
    code = stand.page.request.code
    first = str(code.start.value)
    original = stand.page.request.recipe
    assert code.other.layout.display == "none"
    code.editor.values = {**code.editor.values, "helpers": "mine = 1\n"}
    assert (code.other.layout.display, code.other.description) == ("", "Back to the original")
    code.start.value = "tabular"
    assert stand.page.request.recipe == recipes.read(verbs_recipes.SHIPPED / "tabular")
    assert code.other.layout.display == "none"
    code.start.value = first
    assert stand.page.request.recipe.helpers == "mine = 1\n"
    code.other.click()
    assert stand.page.request.recipe == original
    assert code.other.description == "Back to my changes"
    code.other.click()
    assert stand.page.request.recipe.helpers == "mine = 1\n"


def test_a_clone_stands_in_the_form_and_leaves_what_was_there_to_come_back_to(
    stand: Stand, made: dict[str, int]
) -> None:
    form, panel = stand.page.request, stand.page.jobs
    first = str(form.code.start.value)
    form.code.editor.values = {**form.code.editor.values, "helpers": "mine = 1\n"}
    panel.open(made["completed"])
    wait_until(lambda: "completed" in panel.page.head.html, 60, "the job's page")
    stand.press(panel.page.clone)
    assert "stands here" in form.message.html
    assert form.message.called == 1, "the browser goes there"
    assert form.recipe.helpers != "mine = 1\n"
    form.code.start.value = first
    assert form.recipe.helpers == "mine = 1\n"


def test_a_missing_package_is_offered_as_a_line_and_the_tab_says_what_is_here(stand: Stand) -> None:
    code = stand.page.request.code
    code.mark(
        RecipeError(
            "helpers, line 1: ModuleNotFoundError: No module named 'sklearn'", field="helpers", line=1
        )
    )
    assert (code.packages.add.layout.display, code.packages.note.layout.display) == ("", "none")
    assert code.packages.add.description == "Add scikit-learn to the packages"
    code.editor.values = {**code.editor.values, "requirements": "pandas"}
    code.packages.add.click()
    assert stand.page.request.recipe.requirements == "pandas\nscikit-learn\n"
    assert (code.packages.add.layout.display, code.packages.note.layout.display) == ("none", "")
    assert "<code>keras</code>" in code.packages.note.value
    code.mark(RecipeError("the requirements cannot be installed", field="requirements", line=1))
    assert code.editor.shown == "requirements"
    assert code.packages.add.layout.display == "none"


@pytest.mark.parametrize(("minutes", "taken"), [(1, True), (60, False), (None, False)])
def test_a_link_in_jupyterlab_hands_its_recipe_over_once_and_soon(
    stand: Stand, minutes: float | None, taken: bool
) -> None:
    draft = {"name": "mine", "ps": "2", "workers": "3", "training": "t"}
    stand.arrive(handed={"recipe": "tabular", "t": minutes and time.time() - 60 * minutes}, draft=draft)
    form = stand.page.request
    tabular = recipes.read(verbs_recipes.SHIPPED / "tabular").training
    assert (form.fields.name.value, form.recipe.training) == (
        ("tabular", tabular) if taken else ("mine", "t")
    )
    assert stand.page.browser[HANDED] is None


def test_an_upload_goes_into_the_editors_and_what_is_none_is_refused(stand: Stand) -> None:
    form = stand.page.request
    upload = {
        "name": "x.txt",
        "content": memoryview(b"?"),
        "type": "",
        "size": 1,
        "last_modified": datetime.now(UTC),
    }
    form.code.upload.value = ({**upload, "name": "x.zip"},)
    assert "not a zip" in stand.said
    files = {"training.py": "def build_model(): ...", "preprocessing.py": "# é\n"}
    form.code.upload.value = tuple(
        {**upload, "name": n, "content": memoryview(c.encode())} for n, c in files.items()
    )
    assert form.recipe == Recipe("", "# é\n", "def build_model(): ...")


def test_a_notebook_with_fit_is_made_a_recipe_and_the_page_says_what_became_of_it(stand: Stand) -> None:
    form, content = stand.page.request, notebook(*PICTURES)
    form.code.upload.value = (
        {
            "name": "colab.ipynb",
            "content": memoryview(content),
            "type": "",
            "size": len(content),
            "last_modified": datetime.now(UTC),
        },
    )
    assert form.recipe.training.startswith("EPOCHS = 2\nBATCH_SIZE = 20\nPATIENCE = 3")
    assert "colab.ipynb became a recipe" in stand.said
    assert "ModelCheckpoint is left out" in stand.said


def test_other_uploads_go_beside_the_code_and_stay_there_until_they_are_taken_away(stand: Stand) -> None:
    form = stand.page.request
    code = form.recipe.training
    form.code.upload.value = tuple(
        {
            "name": name,
            "content": memoryview(content),
            "type": "",
            "size": len(content),
            "last_modified": datetime.now(UTC),
        }
        for name, content in (("rows.csv", b"1,2"), ("mylib.py", b""), ("requirements.txt", b"pandas\n"))
    )
    assert (form.recipe.training, form.recipe.requirements) == (code, "pandas\n")
    assert [one.path for one in form.recipe.files] == ["mylib.py", "rows.csv"]
    stand.arrive()
    draft = Draft.parse(stand.page.browser[DRAFT] or form._draft_with(form.recipe).keep())
    assert draft is not None
    assert draft.recipe == form.recipe
    form.code.beside.tags.value = ["rows.csv"]
    assert [one.path for one in form.recipe.files] == ["rows.csv"]
    form.code.start.value = "tabular"
    assert (form.recipe.files, form.code.beside.widget.layout.display) == ((), "none")


@pytest.fixture
def made(stand: Stand, settings: Settings) -> dict[str, int]:
    """Jobs of every state, and ann who looks at them."""
    found = make_jobs(settings)
    stand.page.requester.name = "ann"
    return found


def opened(stand: Stand, id: int) -> Any:
    stand.page.jobs.open(id)
    panel = stand.page.jobs.page
    refreshing = stand.page.jobs._refreshing

    def there() -> bool:
        return panel.id == id and panel._job is not None and not refreshing._working

    wait_until(there, 60, "the job's page")
    return panel


def test_the_table_is_the_stores_page(stand: Stand, made: dict[str, int]) -> None:
    table = stand.page.jobs.table
    table.fetch_now()
    assert [row["id"] for row in table.page["rows"]] == sorted(made.values(), reverse=True)
    states = dict(table.page["facets"]["state"])
    assert states["completed"] == 2
    assert " ".join(states) == "queued initializing training completed failed terminated"
    table.query = {**table.query, "facets": {"state": ["failed"], "requester": ["ann"]}}
    wait_until(lambda: table.page["total"] == 1, 60, "the failed job")
    assert "modle" in table.page["rows"][0]["note"]


def test_a_completed_job_shows_how_good_it_is_and_can_be_deployed(stand: Stand, made: dict[str, int]) -> None:
    panel = opened(stand, made["completed"])
    assert panel.progress.state == "done"
    assert "95 % interval" in panel.evaluation.html
    assert "worst mistakes" in panel.evaluation.html
    assert "/workbench/models/mnist-mlp/1.zip" in panel.links.html
    assert 'href="serve_and_predict.ipynb?model=mnist-mlp:1">Draw at it' in panel.links.html
    assert panel.deploy.widget.layout.display == ""
    assert panel.terminate.widget.layout.display == "none"
    assert len(panel.charts.loss.series) == 2
    assert panel.machines.html.count(">finished</span>") == 4, "its machines ended as they were to"
    assert ">terminated<" not in panel.machines.html
    assert "1 parameter server, 2 workers" in panel.head.html
    stand.press(panel.deploy)
    assert "no back end answers" in panel.message.html


def test_what_a_visitor_may_not_press_says_why_beside_it(stand: Stand, made: dict[str, int]) -> None:
    stand.page.requester.name = ""
    panel = opened(stand, made["completed"])
    assert panel.deploy.button.disabled
    assert "Say who you are, at the top of the page" in panel.why_not.html
    stand.page.requester.name = "bob"
    wait_until(lambda: "ann" in panel.why_not.html, 60, "whose it is")
    assert panel.deploy.button.disabled
    assert "ann" in panel.deploy.button.tooltip
    stand.page.requester.name = "ann"
    wait_until(lambda: not panel.deploy.button.disabled, 60, "a button that can be pressed")
    assert panel.why_not.html == ""


def test_a_failed_job_shows_the_users_line_and_the_traceback(stand: Stand, made: dict[str, int]) -> None:
    panel = opened(stand, made["failed"])
    assert "Worker 0 failed" in panel.error.html
    assert "class=wb-here" in panel.error.html
    assert "return modle" in panel.error.html
    stand.press(panel.retry)
    assert stand.page.workbench.store.job(made["failed"]).state == "queued"


def test_terminate_asks_first_and_twice_is_fine(stand: Stand, made: dict[str, int]) -> None:
    store = stand.page.workbench.store
    panel = opened(stand, made["queued"])
    panel.terminate.button.click()
    assert store.job(made["queued"]).state == "queued"
    panel.terminate.no.click()
    assert store.job(made["queued"]).state == "queued"
    panel.terminate.button.click()
    panel.terminate.yes.click()
    wait_until(lambda: not panel.terminate.busy, 60, "the end")
    assert store.job(made["queued"]).state == "terminated"
    stand.page.workbench.jobs.terminate(made["queued"])
    assert store.job(made["queued"]).state == "terminated"


def test_others_jobs_can_be_looked_at_and_cloned_only(stand: Stand, made: dict[str, int]) -> None:
    panel = opened(stand, made["initializing"])
    assert panel.terminate.button.disabled
    assert "bob" in panel.terminate.button.tooltip
    panel.terminate.press()
    panel = opened(stand, made["terminated"])
    assert panel.retry.button.disabled
    stand.press(panel.clone)
    form = stand.page.request
    assert (form.fields.name.value, form.fields.ps.value, form.fields.workers.value) == (
        "mnist-mlp",
        "2",
        "3",
    )
    assert form.recipe == stand.page.workbench.store.job(made["terminated"]).recipe


def test_several_jobs_are_drawn_over_each_other(stand: Stand, made: dict[str, int]) -> None:
    panel = stand.page.jobs
    panel.table.selected = [made["completed"], made["second"]]
    wait_until(lambda: len(panel.compared.loss.series) == 4, 60, "the curves")
    named = [s["name"] for s in panel.compared.loss.series if s["named"]]
    assert named == [f"{made['completed']} mnist-mlp", f"{made['second']} mnist-mlp"]
    assert len({s["color"] for s in panel.compared.loss.series}) == 2
    wait_until(lambda: "byte for byte" in panel.compared_code.html, 60, "the code")
    told = panel.compared_figures.html
    assert "1 parameter server, 2 workers" in told
    assert "<b>98.20 %</b>" in told, "the better one is marked"
    assert 'class="wb-same"><th scope="row">Steps' in told
    assert "95 % interval" in told
    assert 'href="serve_and_predict.ipynb?model=mnist-mlp:1"' in told
    panel.table.selected = [made["completed"], made["failed"], made["second"]]
    wait_until(lambda: "of the first two" in panel.compared_code.html, 60, "two of three")
    panel.table.selected = []
    wait_until(lambda: panel.compared_figures.html == "", 60, "nothing to compare")


def test_a_jobs_film_grows_while_it_trains_and_is_its_versions_afterwards(
    stand: Stand, made: dict[str, int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(Film, "send", lambda self, content, buffers=None: told.append((content, buffers)))
    frames = [film.Frame(0, b"ab"), film.Frame(1, b"cd"), film.Frame(2, b"ef")]
    recorder = film.Recorder(settings.home / "jobs" / str(made["training"]) / "checkpoints" / "film")
    recorder.follow(film.Film({"format": 1}, (frames[0],)))
    panel = opened(stand, made["training"])
    wait_until(lambda: len(told) > 1, 60, "the first frame")
    assert told[-2:] == [
        ({"kind": "form", "form": {"format": 1}}, None),
        ({"kind": "frame", "step": 0, "kept": [0]}, [b"ab"]),
    ]
    recorder.follow(film.Film({"format": 1}, tuple(frames[:2])))
    panel.refresh()
    panel.refresh()
    assert told[-1] == ({"kind": "frame", "step": 1, "kept": [0, 1]}, [b"cd"])
    assert len([content for content, _ in told if content["kind"] == "frame"]) == 2
    version = models.find("mnist-mlp:1", settings)
    film.write(film.Film({"format": 1}, tuple(frames)), version.folder)
    del told[:]
    opened(stand, made["completed"])
    wait_until(lambda: len(told) > 3, 60, "the version's frames")
    assert [content.get("step") for content, _ in told] == [None, 0, 1, 2]
    opened(stand, made["failed"])
    wait_until(lambda: told[-1][0] == {"kind": "clear"}, 60, "no film")


def test_a_jobs_page_says_once_why_its_network_has_no_film(
    stand: Stand, made: dict[str, int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(Film, "send", lambda self, content, buffers=None: told.append(content))
    recorder = film.Recorder(settings.home / "jobs" / str(made["training"]) / "checkpoints" / "film")
    recorder.follow(film.absent("memory is a layer of the kind LSTM"))
    panel = opened(stand, made["training"])
    said = {"kind": "form", "form": {"format": 1, "missing": "memory is a layer of the kind LSTM"}}
    wait_until(lambda: said in told, 60, "the reason")
    panel.refresh()
    panel.refresh()
    assert told.count(said) == 1
    assert told[-1] == said


def test_logs_are_text_of_the_machine_that_was_chosen(stand: Stand, made: dict[str, int]) -> None:
    panel = opened(stand, made["training"])
    assert f'href="serve_and_predict.ipynb?job={made["training"]}">Draw at it' in panel.links.html
    assert panel.logs.text == "", "a log that nobody sees is not sent"
    panel.logs.unfolded = True
    # The page fills in a thread, and its logs come last.
    wait_until(lambda: panel.logs.text.startswith("chief-0 is ready\n<script>"), 60, "the chief's log")
    panel.logs.chosen = "worker 1 stdout"
    assert panel.logs.text.startswith("worker-1 is ready")
    panel.logs.following = False
    panel.logs.chosen = "ps 0 stdout"
    assert panel.logs.text.startswith("worker-1 is ready"), "held still"


def test_a_poll_without_news_sends_nothing(stand: Stand, made: dict[str, int]) -> None:
    opened(stand, made["completed"])
    stand.page.poll.turn()
    sent: list[Any] = []
    panel = stand.page.jobs
    for widget in (panel.table, panel.page.head, panel.page.figures, panel.page.evaluation, panel.page.logs):
        widget.observe(sent.append)
    for _ in range(3):
        stand.page.poll.turn()
    assert sent == []


def test_a_link_to_a_job_opens_it_and_one_to_none_says_so(stand: Stand, made: dict[str, int]) -> None:
    stand.page.address._told({"kind": "here", "values": {"job": str(made["failed"])}})
    wait_until(lambda: "mnist-broken" in stand.page.jobs.page.head.html, 60, "the job")
    stand.page.address._told({"kind": "here", "values": {"job": "4711"}})
    wait_until(lambda: "there is no job 4711" in stand.page.jobs.page.message.html, 60, "the error")


def test_machines_are_what_the_provider_shows(stand: Stand) -> None:
    stand.provider.launch("job-7", Layout(ps=1, workers=2))
    stand.page.machines.refresh()
    shown = stand.page.machines.list.html
    assert shown.count("<tr>") == 5
    assert "job 7" in shown
    assert "there is no provider" not in stand.page.machines.providers.html, "nobody asked for that one"
    stand.page.request.fields.provider.value = "aws"
    stand.page.machines.refresh()
    assert "there is no provider" in stand.page.machines.providers.html
    stand.provider.terminate("job-7")
    stand.page.machines.refresh()
    assert stand.page.machines.list.html == ""
    assert "No training machines now" in stand.page.machines.diagram.html


def test_the_diagram_says_in_words_what_it_shows() -> None:
    provider = FakeProvider()
    provider.launch("job-1", Layout(ps=1, workers=6))
    drawn = draw_machines({"backend": True, "frontend": False}, provider.machines())
    assert 'aria-label="8 training machines in 1 cluster; backend answers, frontend does not answer"' in drawn
    assert drawn.count('data-state="running"') >= 8


def test_a_standing_cluster_is_launched_chosen_and_released(stand: Stand) -> None:
    machines, form = stand.page.machines, stand.page.request
    stand.page.requester.name = "ann"
    machines.clusters.launch.button.click()
    machines.clusters.launch.yes.click()
    wait_until(lambda: "give the cluster a name" in machines.message.html, 60, "the error")
    machines.clusters.name.value, machines.clusters.ps.value, machines.clusters.workers.value = (
        "evening",
        "1",
        "3",
    )
    machines.clusters.launch.button.click()
    assert stand.provider.machines() == []
    machines.clusters.launch.yes.click()
    wait_until(lambda: "evening stands, with 5 machines" in machines.message.html, 60, "the cluster")
    assert ("evening", "evening") in form.fields.cluster.options
    form.fields.cluster.value = "evening"
    assert (form.fields.ps.value, form.fields.workers.value) == ("1", "3")
    form.fields.workers.value = "2"
    stand.press(form.train)
    assert "the job asks for 1 and 2" in stand.said
    form.fields.workers.value = "3"
    stand.press(form.train)
    assert job(stand).cluster == "evening"
    machines.clusters.release.button.click()
    machines.clusters.release.yes.click()
    wait_until(lambda: "is at work on evening" in machines.message.html, 60, "the error")
    stand.page.workbench.store.move(job(stand).id, "initializing", "terminated")
    machines.clusters.release.button.click()
    machines.clusters.release.yes.click()
    wait_until(lambda: "is released" in machines.message.html, 60, "the end")
    assert stand.provider.machines() == []
    assert form.fields.cluster.value == ""
