"""The button that deploys a version, wherever one is shown, and what is said then."""

from collections.abc import Callable

from workbench.manifest import drawn_at
from workbench.ui.widgets.actions import Action, Message
from workbench.verbs.models import Version


def deploy_action(do: Callable[[], str], message: Message) -> Action:
    """Make it; ``do`` deploys and says what came of it, which stands in ``message``."""
    return Action(
        "Deploy",
        do,
        message,
        working="Deploying …",
        doing="Sending the version; the back end checks it before it answers …",
        tooltip="Let the back end answer with this version",
        primary=True,
    )


def deployed(version: Version, page: str = "the drawing page") -> str:
    """Say where a version that was deployed can be asked now."""
    if drawn_at.recognises(version.manifest):
        return f"{version} answers on {page} now"
    return f"{version} answers now: ask it on Models and serving, or by the back end's /serve"
