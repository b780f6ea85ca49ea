"""The request: which code, on how many machines, under which name; estimated, sent, and kept until then."""

from collections.abc import Callable
from dataclasses import replace

import ipywidgets

from workbench.errors import BadInput, RecipeError
from workbench.machines import Layout
from workbench.recipes import Recipe
from workbench.ui.as_code import AsCode, Line
from workbench.ui.as_code import lines as as_code
from workbench.ui.cluster.fields import RequestFields, StandingClusters
from workbench.ui.cluster.hints import Hints
from workbench.ui.cluster.request.code import RecipeForm, model_name
from workbench.ui.cluster.request.layouts import LayoutChart
from workbench.ui.cluster.request.outlook import Outlook, describe_estimate
from workbench.ui.cluster.sweeps.form import SweepForm
from workbench.ui.draft import DRAFT, HANDED, Draft, handed_recipe
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.pieces import banner
from workbench.ui.widgets.poll import Newest
from workbench.ui.widgets.visitor.address import Address
from workbench.ui.widgets.visitor.browser import Browser
from workbench.ui.widgets.visitor.requester import Requester
from workbench.verbs.requests import Request
from workbench.verbs.sweeps import Sweeps
from workbench.verbs.workbench import Workbench


class RequestForm:
    """A form around ``Workbench.submit``; what stands in it survives a reload.

    Parameters
    ----------
    workbench
        Checks, estimates and submits.
    known
        Begins sweeps.
    submitted, begun
        Called with the id of each new job, of each new sweep.
    """

    def __init__(
        self,
        workbench: Workbench,
        requester: Requester,
        browser: Browser,
        address: Address,
        known: Sweeps,
        *,
        submitted: Callable[[int], None] = lambda id: None,
        begun: Callable[[str], None] = lambda id: None,
    ) -> None:
        self._workbench, self._requester, self._browser = workbench, requester, browser
        self._address, self._submitted = address, submitted
        self._filling = False
        self._led_here = False
        self.message, self.hints = Message(), Hints()
        self.layouts, self._estimated = LayoutChart(self._take_layout), ""
        self.sweep = SweepForm(
            workbench,
            known,
            recipe=lambda: self.recipe,
            request=self._request,
            begun=begun,
            failed=lambda error: self.code.mark(error),
            offered=lambda: self.code.unchanged,
        )
        self.fields = RequestFields(self._changed)
        self.code = RecipeForm(
            workbench,
            self.message,
            workers=lambda: self.fields.wanted_workers,
            began=self._began,
            uploaded=lambda recipe: self._show(self._draft_with(recipe)),
            changed=self._changed,
        )
        self._outlook = Outlook(workbench, self.fields)
        self._hinting = Newest(self._hint)
        self._make_actions()
        self.as_code = AsCode(self._lines, "This request")
        self._lay_out()
        self.load(next(iter(self.code.offered)))
        requester.on_name(lambda _: self.refresh())
        browser.on_ready(self._restore)
        self.sweep.keep_in(browser)
        address.on_arrival(self._arrived)
        self.refresh()

    @property
    def recipe(self) -> Recipe:
        """The code in the editors."""
        return self.code.recipe

    def load(self, name: str) -> None:
        """Begin with one of the recipes that are offered."""
        self._show(Draft.of(self.code.read(name), name=model_name(name), provider="local", start=name))

    def fill(self, request: Request) -> None:
        """Put a request into the form, as when a job is cloned."""
        self._show(
            Draft.of(
                request.recipe,
                name=request.name,
                ps=str(request.ps),
                workers=str(request.workers),
                epochs="" if request.epochs is None else str(request.epochs),
                provider=request.provider,
                type=request.instance_type or "",
            )
        )

    def take(self, request: Request) -> None:
        """Put a request into the form and lead the visitor there, as when a job is cloned."""
        self.fill(request)
        self.message.html = banner(
            f"The request of {request.name} stands here",
            "Change what you like, and press Train.",
            kind="note",
        )
        self.message.come_into_sight()

    def wanted(self) -> tuple[str, Layout]:
        """Give the provider and the layout; raises ``BadInput`` where they cannot be."""
        _ = self.fields.wanted_epochs  # a number or nothing
        return str(self.fields.provider.value), self.fields.wanted_layout

    def offer(self, clusters: StandingClusters) -> None:
        """Offer the standing clusters, by provider and name, on which the job may run."""
        self.fields.offer(clusters)

    def refresh(self) -> None:
        """Read the outlook of the request again: others may have taken the name or the machines."""
        self._hinting.ask()

    def _make_actions(self) -> None:
        self.check = self.code.check
        self.estimate = Action(
            "Estimate", self._estimate, self.message, tooltip="How long, and what it costs"
        )
        self.train = Action(
            "Train",
            self._train,
            self.message,
            working="Sending …",
            tooltip="Queue this training",
            primary=True,
        )

    def _lay_out(self) -> None:
        buttons = ipywidgets.HBox([a.widget for a in (self.estimate, self.check, self.train)])
        buttons.add_class("wb-buttons")
        order = ipywidgets.HBox([self.hints, buttons])
        order.add_class("wb-order")
        above = [*self.code.widgets, self.fields.widget, self.sweep.widget]
        parts = [*above, self.as_code, self.message, self.layouts, order]
        self.widget = ipywidgets.VBox(parts)
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide").add_class("wb-request")

    # The draft, which the browser keeps

    def _draft_with(self, recipe: Recipe, start: str = "") -> Draft:
        return Draft.of(recipe, start=start, **self.fields.texts)

    def _show(self, draft: Draft) -> None:
        self._filling = True
        try:
            self.fields.show(draft)
            self.code.show(draft.recipe, draft.start)
        finally:
            self._filling = False
        self._changed()

    def _changed(self) -> None:
        if self._filling:
            return
        self._forget_estimate()
        self.sweep.forget()
        if self._browser.ready:
            self._browser[DRAFT] = self._draft_with(self.recipe, str(self.code.start.value)).keep()
        self.refresh()

    def _restore(self) -> None:
        handed, draft = handed_recipe(self._browser[HANDED]), Draft.parse(self._browser[DRAFT])
        self._browser[HANDED] = None
        if handed is not None:
            self._arrived({"recipe": handed})
        if draft is not None and not self._led_here:
            self._show(draft)

    def _arrived(self, values: dict[str, str]) -> None:
        if (name := values.get("recipe")) is None:
            return
        self._address.put("recipe", None)
        try:
            self.load(name)
        except BadInput as error:
            self.message.fail(error, "Loading the recipe")
        else:
            self._led_here = True

    def _began(self, name: str, recipe: Recipe) -> None:
        draft = self._draft_with(recipe, name)
        self._show(replace(draft, name=model_name(name)) if name else draft)
        self.message.clear()

    # Sending it

    def _request(self) -> Request:
        """Read the request as it stands; raises ``BadInput`` with words for the field that is wrong."""
        if not self._requester.name:
            raise BadInput("say who you are first, at the top of the page: jobs carry a name")
        fields = self.fields
        layout = fields.wanted_layout
        return Request(
            name=fields.name.value.strip(),
            requester=self._requester.name,
            recipe=self.recipe,
            ps=layout.ps,
            workers=layout.workers,
            epochs=fields.wanted_epochs,
            provider=str(fields.provider.value),
            cluster=fields.cluster.value or None,
            instance_type=layout.instance_type,
        )

    def _lines(self) -> list[Line]:
        return [as_code.submit(self._request(), self.code.unchanged)]

    def _estimate(self) -> None:
        request = self._request()
        found = self._workbench.requests.estimate(request, self.code.found(request.recipe))
        self.message.html = self._estimated = describe_estimate(found)
        self.layouts.show(found.choices)

    def _take_layout(self, ps: int, workers: int) -> None:
        """Ask for another layout, on machines of its own, and estimate that."""
        self.fields.cluster.value = ""
        self.fields.ps.value, self.fields.workers.value = str(ps), str(workers)
        self.estimate.press()

    def _forget_estimate(self) -> None:
        """Take back what was said of another request."""
        if self._estimated and self.message.html == self._estimated:
            self.message.clear()
        self._estimated = ""
        self.layouts.clear()

    def _train(self) -> None:
        try:
            id = self._workbench.jobs.submit(self._request())
        except RecipeError as error:
            self.code.mark(error)
            raise
        self.code.mark(None)
        self.layouts.clear()
        self.message.html = banner(f"Job {id} is in the queue", "It is opened below.", kind="done")
        self._submitted(id)
        self.refresh()

    def _hint(self) -> None:
        self.as_code.refresh()
        self.sweep.refresh()
        self.hints.html, why_not = self._outlook.read(self._requester.name)
        for action in (self.estimate, self.train):
            action.allow(not why_not, why_not)
