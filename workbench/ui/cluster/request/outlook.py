"""The outlook of a request, in small words below its fields: its version, its machines, and when it would start."""

from html import escape

from workbench.errors import WorkbenchError
from workbench.estimates.estimate import Estimate
from workbench.ui.cluster.fields import RequestFields
from workbench.ui.widgets.formats import duration, money
from workbench.ui.widgets.pieces import banner, sentence
from workbench.verbs.workbench import Workbench

WHO = "Say who you are first, at the top of the page"


class Outlook:
    """Reads the fields and asks the workbench; changes nothing."""

    def __init__(self, workbench: Workbench, fields: RequestFields) -> None:
        self._workbench, self._fields = workbench, fields

    def read(self, requester: str) -> tuple[str, str]:
        """Give the hints as HTML, and why the request cannot be sent; that is empty where it can."""
        lines = [self._version(), self._machines(), self._queue(requester)]
        wrong = any("wb-bad" in line for line in lines)
        if not requester:
            lines.append("<b>Say who you are</b>, at the top of the page, to train")
        html = f'<ul class="wb-hints">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'
        why_not = (
            WHO if not requester else "Something above is not right: see the words in red" if wrong else ""
        )
        return html, why_not

    def _version(self) -> str:
        name = self._fields.name.value.strip()
        try:
            return f"Will become <b>{escape(name)}:{self._workbench.requests.next_version(name)}</b>"
        except WorkbenchError as error:
            return _bad(error if name else "give the model a name")

    def _machines(self) -> str:
        fields = self._fields
        try:
            _ = fields.wanted_epochs  # said here when it is no number
            layout = fields.wanted_layout
            plan = self._workbench.machines.plan(str(fields.provider.value), layout)
        except WorkbenchError as error:
            return _bad(error)
        kinds = [("chief", min(1, layout.ps)), ("parameter server", layout.ps), ("worker", layout.workers)]
        machines = ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in kinds if n)
        how = "asynchronous" if layout.ps else "one process" if layout.workers == 1 else "synchronous"
        return f"<b>{machines}</b>, {how}, {plan.price}"

    def _queue(self, requester: str) -> str:
        try:
            limits = self._workbench.jobs.limits(requester)
        except WorkbenchError as error:
            return _bad(error)
        most = f"{_jobs(limits.cap)} at a time, {limits.per_requester} of each requester"
        if limits.running >= limits.cap:
            return f"{most}: <b>would wait</b>, {limits.running} run and {limits.waiting} wait"
        if limits.mine_running >= limits.per_requester:
            return f"{most}: <b>would wait</b> for yours that runs"
        return f"{most}: <b>starts at once</b>"


def describe_estimate(found: Estimate) -> str:
    """Show how long a training may take, what it may cost, and how that is known."""
    time = "Time unknown" if found.seconds is None else f"About {duration(found.seconds)}"
    price = "price unknown" if found.price is None else f"about {money(found.price)}"
    if found.price == 0:
        price = "costs nothing: this computer"
    said = " ".join(f"{sentence(text)}." for text in (found.basis, found.hint) if text)
    return banner(f"{time}; {price}", said, kind="note")


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


def _bad(error: object) -> str:
    return f'<span class="wb-bad">{escape(sentence(str(error)))}</span>'
