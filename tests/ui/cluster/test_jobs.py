"""The jobs on the cluster's page: the table, the page of one, several compared."""

from typing import Any

import pytest

from tests.chain import wait_until
from tests.ui.cluster.stand import Stand, opened
from tests.ui.pressing import press
from workbench import film
from workbench.settings import Settings
from workbench.ui.film import Film
from workbench.verbs import models


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
    press(panel.deploy)
    assert "No back end answers" in panel.message.html


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
    press(panel.retry)
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
    press(panel.clone)
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
    wait_until(lambda: "mnist-broken" in panel.compared_figures.html, 60, "all three")
    assert "<b>5 s</b>" not in panel.compared_figures.html, "what failed early was not fast"
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
    wait_until(lambda: "There is no job 4711" in stand.page.jobs.page.message.html, 60, "the error")
