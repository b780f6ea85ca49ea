"""The button that puts a version behind the drawing page, wherever a version is shown."""

from collections.abc import Callable

from workbench.ui.widgets.actions import Action, Message


def deploy_action(do: Callable[[], str], message: Message) -> Action:
    """Make it; ``do`` deploys and says what came of it, which stands in ``message``."""
    return Action(
        "Deploy",
        do,
        message,
        working="Deploying …",
        doing="Sending the version; the back end checks it before it answers …",
        tooltip="Let the drawing page answer with this version",
        primary=True,
    )
