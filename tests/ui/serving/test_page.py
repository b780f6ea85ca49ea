"""The serving page as a whole: an empty home, links to it, its poll."""

from typing import Any

from tests.browser.made_jobs import make_jobs
from tests.chain import threads_end, wait_until
from tests.ui.serving.stand import Account, Stand
from workbench.settings import Settings
from workbench.ui.serving import ServingPage
from workbench.verbs.workbench import Workbench, open_store


def test_an_empty_home_says_how_to_get_a_first_model(settings: Settings) -> None:
    with open_store(settings) as store:
        page = ServingPage(Workbench(settings, store), application=Account())
        page.poll.turn()
        assert page.models.table.page["total"] == 0
        assert "deploy_cluster.ipynb" in page.models.table.empty
        assert "Nothing trains here now" in page.live.status.html


def test_a_link_from_a_job_leads_to_drawing_at_it_and_back(settings: Settings) -> None:
    made = make_jobs(settings)
    with open_store(settings) as store, threads_end():
        page = ServingPage(Workbench(settings, store), application=Account())

        def arrive(**values: object) -> None:
            page.address._told({"kind": "here", "values": values})

        arrive(job=made["training"])
        page.poll.turn()
        assert page.live.job.value == made["training"], "and not the newest one"
        assert page.live.status.called == 1
        arrive(job=made["completed"])
        assert f"Job {made['completed']} trains no more: completed" in page.live.status.html
        assert f'href="deploy_cluster.ipynb?job={made["completed"]}"' in page.live.status.html
        arrive(job=999)
        assert "999" in page.live.message.html
        arrive(model="mnist-mlp:1")
        page.poll.turn()
        assert page.predict.model.published.value == "mnist-mlp:1"
        arrive(model="mnist-mlp:2")
        assert page.predict.model.published.value == "mnist-mlp:2"
        wait_until(lambda: "mnist-mlp:2" in page.models.version.head.html, 60, "the version")
        assert "mnist-mlp:2 cannot be taken home as a page: the manifest" in page.models.version.facts.html
        page.poll.close()


def test_a_poll_without_news_sends_nothing(stand: Stand) -> None:
    stand.open("mnist-cnn:2")
    stand.page.poll.turn()
    sent: list[Any] = []
    page = stand.page
    for widget in (
        page.models.table,
        page.models.version.head,
        page.models.version.history,
        page.predict.model.published,
        page.live.status,
    ):
        widget.observe(sent.append)
    for _ in range(3):
        page.poll.turn()
    assert sent == []
