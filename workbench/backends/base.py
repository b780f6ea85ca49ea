"""The one interface to back ends, wherever they run: deploy, roll back, compare, ask, review corrections."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from workbench.backends.comparison_values import Comparison
from workbench.backends.correction_values import Correction, CorrectionPage, Counts, State, Verdict
from workbench.backends.how import SAYS_NOTHING, How
from workbench.backends.values import Change, Classified, Deployment, Prediction, Source
from workbench.models.registry import Version


class BackEnd(Protocol):
    """A back end as its clients see it. Threads may share it; it holds no connection between two calls.

    All raise ``Unavailable`` where nothing answers, and what it refuses as ``BadInput``, ``NotFound``,
    ``ModelRefused`` or ``WorkbenchError``, in its own words.
    """

    @property
    def url(self) -> str:
        """Address, as people may read it."""

    def models(self) -> tuple[Deployment, ...]:
        """List the models that serve now; the most recently activated is last."""

    def deploy(
        self,
        version: Version,
        *,
        who: str = "",
        reason: str = "",
        canary: float | None = None,
        anyway: bool = False,
    ) -> Deployment:
        """Push a version and let it answer from now on; give the model as it then serves.

        A version that is there already is not sent again, so deploying twice is fine.

        Parameters
        ----------
        canary
            Percent of the drawings that it shall answer beside the active version; 0 ends that. ``None``: it
            becomes the active version.
        anyway
            Also if it is a retraining that is worse than the active version on the held-out part.

        Raises
        ------
        ModelRefused
            The back end's own check failed, or it is worse; what served before goes on serving.
        NotFound
            A canary of a model of which nothing serves.
        """

    def rollback(self, name: str, *, who: str = "", reason: str = "") -> Deployment:
        """Let the version that served before answer again; give the model as it then serves.

        Raises
        ------
        NotFound
            No such model serves.
        """

    def history(self, name: str) -> tuple[Change, ...]:
        """Tell who changed what serves, when and why, the latest last; ``NotFound`` for a model that never served."""

    def compare(self, name: str, versions: tuple[int, int] | None = None) -> Comparison:
        """Tell two versions apart; without ``versions`` the active one and its canary, or the one before.

        Raises
        ------
        NotFound
            No such model serves, or a version was never pushed.
        """

    def predict(self, picture: bytes) -> Prediction:
        """Ask which digit a picture file shows; ``Unavailable`` where no model serves."""

    def serve(
        self,
        image: Source | None,
        *,
        model: Source | None = None,
        model_name: str | None = None,
        how: How = SAYS_NOTHING,
    ) -> Classified:
        """Ask any model about a picture.

        Parameters
        ----------
        image, model
            A URL or a file here; no picture where ``how`` has all inputs; ``model`` is a zip, ``.keras`` or ``.onnx`` file.
        model_name
            A model that serves there; beside ``model`` the labels: ``Mnist``, ``Cifar10`` or ``FashionMnist``.
        how
            What the model does not say of itself.
        """

    def link(self, version: Version, *, expires_s: int = 3600) -> str:
        """Send a version there without deploying it; a URL by which :meth:`serve` reads it for a while."""

    def corrections(
        self, state: State | None = None, *, most: int | None = None, pictures: bool = False
    ) -> CorrectionPage:
        """List what visitors corrected, in a state or in any, the oldest first, at most so many."""

    def counts(self) -> Counts:
        """Count the corrections in each state."""

    def review(self, ids: Sequence[str], verdict: Verdict) -> tuple[Correction, ...]:
        """Accept or reject corrections, or let them wait again; ids may be shortened to 6 characters.

        All or none, of each 500 of them.

        Raises
        ------
        NotFound, WorkbenchError
            No correction, or more than one, has an id that begins so.
        """

    def export(self, destination: Path) -> Path:
        """Write the accepted corrections as a zip: ``corrections.npz`` and ``manifest.json``.

        Raises
        ------
        WorkbenchError
            None is accepted yet.
        """
