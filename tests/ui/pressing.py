"""A button of a page, pressed as somebody does who waits for what it does."""

from tests.chain import wait_until
from workbench.ui.widgets.actions import Action


def press(action: Action) -> None:
    """Click once that is possible, say yes where that is asked, and wait for the end of what it does."""
    wait_until(lambda: not (action.busy or action.button.disabled), 60, "a button that can be pressed")
    action.button.click()
    if action._confirm is not None:
        action.yes.click()
    wait_until(lambda: not action.busy, 60, "the action's end")
