"""Forms and buttons for notebooks: what they do is a call of this API, and nothing is done before they are pressed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.api.data import add_dataset
from workbench.api.trainings import submit
from workbench.api.versions import predict
from workbench.errors import BadInput
from workbench.settings import from_environment

if TYPE_CHECKING:
    from ipywidgets import Widget

    from workbench.ui import Section

__all__ = ["button", "form"]


def form(verb: Callable[..., Any]) -> "Widget":
    """Make a form for a call, shown as a cell's last line: its fields are the arguments, its button makes the call.

    Parameters
    ----------
    verb
        ``workbench.submit``, ``workbench.predict`` or ``workbench.add_dataset``.
    """
    from workbench.ui import parts

    forms = {submit: parts.request, predict: parts.ask, add_dataset: parts.adding}
    if verb not in forms:
        offered = ", ".join(f"workbench.{each.__name__}" for each in forms)
        raise BadInput(f"there is a form for each of {offered}. Received: {verb!r}")
    return forms[verb](from_environment())


def button(label: str) -> "Callable[[Callable[[], Any]], Section]":
    """Make a button of the function below it, which is called when somebody presses it, and never before.

    The function's docstring is said beside the button. What it gives is shown below, by ``show()`` where it has that; its name
    then stands for the section, whose ``value`` is what it gave.
    """
    from workbench.ui.tutorial.sections import on_press

    return on_press(label)
