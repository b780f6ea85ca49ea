"""A trained model becomes a published version, in a notebook or at the first start."""

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.arrays import Arrays
from workbench.models import registry
from workbench.models.registry import Version
from workbench.settings import Settings, from_environment

if TYPE_CHECKING:
    from workbench.models.measured import Evaluated
    from workbench.node.trained import Trained
    from workbench.recipes import Program


def publish(
    name: str,
    trained: "Trained",
    *,
    evaluation: "Evaluated",
    program: "Program",
    x: Arrays,
    job: int | None = None,
    settings: Settings | None = None,
) -> Version:
    """Export a trained model in every form, check each, and publish it as the next version of ``name``.

    Parameters
    ----------
    x
        The test part's inputs, the very ones that ``evaluation`` is about.

    Raises
    ------
    BadInput
        The name cannot be a model's name.
    ModelRefused
        A form that every version must have could not be made or answers differently; nothing was published.
    """
    from workbench.node import export  # TensorFlow takes its time

    home = settings or from_environment()
    return registry.add(
        name,
        lambda folder: replace(export.write_version(folder, trained, program, evaluation, x, home), job=job),
        home,
    )
