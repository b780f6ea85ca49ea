"""The application on AWS as pages see it: what it is, what it would cost, and the verbs; boto3 comes with first use."""

import threading
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.application.plan import AppPlan
    from workbench.application.stack import App
    from workbench.aws.session import Session

ROLES = ("working", "frontend", "backend")
Tell = Callable[[str], None]
"""Called with one line whenever something has happened."""


class Application:
    """One stack in one account. Threads may share it.

    Each verb may be called again after a kill at any point; all raise ``Unavailable`` where there are no credentials
    or AWS refuses, with what to do.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self._opened: Session | None = None

    def look(self) -> "App":
        """What exists now, as AWS says."""
        from workbench.application import stack

        return stack.app(self._session(), self._settings)

    def plan(self) -> "AppPlan":
        """What a launch would make, cost and need; changes nothing."""
        from workbench.application import plan as planning
        from workbench.application import template

        return planning.plan(self._session(), self._settings, template.Wish())

    def launch(self, tell: Tell) -> "App":
        """Make it, or finish what an earlier launch began; returns once its services answer."""
        from workbench.application import launch as launching
        from workbench.application import template

        return launching.launch(self._session(), self._settings, template.Wish(), tell)

    def start(self, tell: Tell, only: Collection[str] = ROLES) -> None:
        """Start the machines that are stopped, and wait until their services answer."""
        from workbench.application import power

        power.start(self._session(), self._settings, tell, only)

    def stop(self, tell: Tell, only: Collection[str] = ROLES) -> None:
        """Stop the machines and keep them, their disks and addresses."""
        from workbench.application import power

        power.stop(self._session(), self._settings, tell, only)

    def release(self, tell: Tell) -> None:
        """End the application and its clusters; the bucket with the models is kept."""
        from workbench.application import release as releasing

        releasing.release(self._session(), self._settings, tell)

    def _session(self) -> "Session":
        from workbench.aws.session import Session

        with self._opening:
            if self._opened is None:
                self._opened = Session.open(self._settings)
            return self._opened
