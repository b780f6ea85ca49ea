"""A notebook that trains with ``model.fit``, made into a recipe: which cells are which field, and what must change.

Nothing of the notebook is run: its statements are read, and what the training and its data need is followed back from
``fit``.
"""

from workbench.recipes.importing.proposing import Proposal, propose

__all__ = ["Proposal", "propose"]
