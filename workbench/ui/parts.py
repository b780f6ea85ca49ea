"""The parts of pages that the public API's ``show()`` and ``form()`` give; those of one kernel belong together.

A job that is cloned in the list of jobs fills in the form of the same notebook, and one poll keeps all of them up to date.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import ipywidgets

from workbench.settings import Settings
from workbench.ui.cluster import ClusterPage, open_cluster_page
from workbench.ui.datasets import DatasetsPage, open_datasets_page
from workbench.ui.serving import ServingPage, open_serving_page

P = TypeVar("P", bound=ClusterPage | ServingPage | DatasetsPage)
_PAGES: dict[tuple[Any, Settings], Any] = {}


def request(settings: Settings) -> ipywidgets.Widget:
    """Ask for a training."""
    return cluster_page(settings).request_part()


def jobs(settings: Settings) -> ipywidgets.Widget:
    """Everybody's jobs."""
    return cluster_page(settings).jobs_part()


def machines(settings: Settings) -> ipywidgets.Widget:
    """What exists now, and clusters that stand."""
    return cluster_page(settings).machines_part()


def job(id: int, settings: Settings) -> ipywidgets.Widget:
    """One job, apart from the list of all."""
    return open_cluster_page(settings).job_part(id)


def models(settings: Settings) -> ipywidgets.Widget:
    """All versions, and what serves."""
    return serving_page(settings).models_part()


def version(reference: str, settings: Settings) -> ipywidgets.Widget:
    """One version, apart from the list of all."""
    return open_serving_page(settings).version_part(reference)


def ask(settings: Settings) -> ipywidgets.Widget:
    """Ask a model about a picture."""
    return serving_page(settings).predict_part()


def draw_at_jobs(settings: Settings, id: int | None = None) -> ipywidgets.Widget:
    """Draw at a job that trains."""
    return serving_page(settings).live_part(id)


def corrections(settings: Settings) -> ipywidgets.Widget:
    """What visitors corrected."""
    return serving_page(settings).corrections_part()


def adding(settings: Settings) -> ipywidgets.Widget:
    """Add a data set."""
    return datasets_page(settings).adding_part()


def datasets(settings: Settings) -> ipywidgets.Widget:
    """All data sets."""
    return datasets_page(settings).datasets_part()


def cluster_page(settings: Settings) -> ClusterPage:
    """The page that the parts about trainings belong to."""
    return _page(open_cluster_page, settings)


def serving_page(settings: Settings) -> ServingPage:
    """The page that the parts about models belong to."""
    return _page(open_serving_page, settings)


def datasets_page(settings: Settings) -> DatasetsPage:
    """The page that the parts about data sets belong to."""
    return _page(open_datasets_page, settings)


def _page(make: Callable[[Settings], P], settings: Settings) -> P:
    key = (make, settings)
    if key not in _PAGES:
        _PAGES[key] = make(settings)
    found: P = _PAGES[key]
    return found
