"""What one does with data sets."""

import ast
import shutil
import tempfile
import urllib.parse
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workbench import recipes
from workbench.errors import BadInput, Conflict, NotFound, TooLarge
from workbench.fetching import Fetcher, shown
from workbench.jobs import Job, Store
from workbench.lineage import DatasetPin
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.datasets.kept.values import DatasetManifest
    from workbench.datasets.sources import How

FETCH_S = 6 * 3600.0
"""How long a source may take to come."""
MAX_GIVEN = 48 * 1024**2
"""Bytes of what a recipe's backbone has learned; all that travels beside a recipe has at most 50 MB."""
_OURS = ("mnist", "fashion-mnist", "pen-strokes")
Say = Callable[[str], None]


def add(
    name: str,
    source: str | Path,
    how: "How",
    settings: Settings,
    say: Say = lambda line: None,
    called: str | None = None,
) -> "DatasetManifest":
    """Add a version of a data set from a path, an ``https://`` or an ``s3://`` URL; the same data again give the version there is.

    Parameters
    ----------
    called
        How the source is called in the manifest, where that is not its path or URL.

    Raises
    ------
    BadInput, NotFound, NotFetched, Full, Unavailable
        Nothing was kept.
    """
    from workbench.datasets import adding  # NumPy comes with it

    text = str(source)
    if "://" not in text:
        return adding.add(name, Path(text).expanduser(), how, settings, source=called, say=say)
    settings.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.data, prefix=".fetched-") as aside:
        path = _fetch(text, Path(aside), settings, say)
        said = shown(text) if text.startswith("http") else text
        return adding.add(name, path, how, settings, source=said, say=say)


def how(
    *,
    by: str = "share",
    share: float = 0.2,
    column: str = "",
    seed: int = 0,
    kind: str | None = None,
    target: str | None = None,
    classes: bool | None = None,
    unused: Sequence[str] = (),
    size: tuple[int, int] | None = None,
    channels: int = 3,
    header: bool | None = None,
    licence: str = "",
) -> "How":
    """What is said about a source; see :class:`workbench.datasets.sources.How`.

    Raises
    ------
    BadInput
        A value that cannot be.
    """
    from workbench.datasets.kept.values import Split
    from workbench.datasets.sources import How

    for what, value, known in (
        ("kind", kind, (None, "pictures", "table", "text", "arrays")),
        ("by", by, ("share", "column", "group")),
        ("channels", channels, (1, 3)),
    ):
        if value not in known:
            raise BadInput(f"{what} must be one of {', '.join(map(str, known))}. Received: {value!r}")
    if by in ("column", "group") and not column:
        raise BadInput(f"a split by {by} needs the name of a column")
    return How(
        kind=cast(Any, kind),
        target=target,
        classes=classes,
        unused=tuple(unused),
        split=Split(by, share, column, seed),
        size=size,
        channels=cast(Any, channels),
        header=header,
        licence=licence,
    )


def versions(settings: Settings, name: str | None = None) -> "list[DatasetManifest]":
    """All versions, by name and number; only of ``name`` where one is given."""
    from workbench.datasets.kept import store

    return store.versions(settings, name)


def find(reference: str, settings: Settings) -> "DatasetManifest":
    """The version that ``NAME:V`` names, or the newest one of ``NAME``; raises ``NotFound``."""
    from workbench.datasets.kept import store

    return store.find(reference, settings)


def export(reference: str, folder: Path, settings: Settings) -> Path:
    """Write a version as files that others read, into a new folder; raises ``NotFound``, ``Conflict``."""
    from workbench.datasets import exporting

    return exporting.export(find(reference, settings), folder, settings)


def recipe(
    reference: str,
    folder: Path,
    settings: Settings,
    *,
    forecast: bool = False,
    backbone: str | None = None,
    weights: Path | None = None,
) -> list[Path]:
    """Write a recipe that is made from what a version is, into a new folder; its files.

    Parameters
    ----------
    forecast
        Tell the target of a later row from those of the rows before, by their date.
    backbone
        For pictures: a net of ``keras.applications`` whose ``weights`` are given, a ``.keras`` file, or a published ``NAME[:V]``.

    Raises
    ------
    NotFound, BadInput, Conflict
        There is no such data set, no recipe for it, or something at the folder.
    """
    from workbench.datasets.templates import forecasting, plain, transfer

    found = find(reference, settings)
    beside: dict[str, Path] = {}
    if forecast and backbone is not None:
        raise BadInput("a backbone is for pictures, which are not forecast: leave one of the two out")
    if weights is not None and backbone not in transfer.KNOWN:
        raise BadInput(f"weights are for a backbone of {', '.join(transfer.KNOWN)}. Received: {backbone}")
    if forecast:
        files = forecasting.make(found)
    elif backbone is not None:
        files = transfer.make(found, backbone)
        beside = _given(backbone, weights, settings)
    else:
        files = plain.make(found)
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise Conflict(f"there is something at {folder}; name a new folder")
    if not folder.parent.is_dir():
        raise BadInput(f"there is no folder {folder.parent}; make it first")
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    for name, source in beside.items():
        shutil.copyfile(source, folder / name)
    return [folder / name for name in (*files, *beside)]


def _given(backbone: str, weights: Path | None, settings: Settings) -> dict[str, Path]:
    """The file with what a backbone has learned, by the name that it has beside the recipe."""
    from workbench.datasets.templates import transfer

    if backbone in transfer.KNOWN:
        if weights is None:
            name = transfer.KNOWN[backbone].name
            raise BadInput(
                f"say where its weights are: --weights FILE; Keras offers those of {name} without its top, as a .h5 file"
            )
        name, source = transfer.WEIGHTS, weights
    elif Path(backbone).suffix == ".keras":
        name, source = transfer.OWN, Path(backbone)
    else:
        name, source = transfer.OWN, registry.find(backbone, settings).folder / "model.keras"
    try:
        size = source.stat().st_size
    except OSError as error:
        raise NotFound(f"there is no file {source}: {error.strerror}") from error
    if size > MAX_GIVEN:
        raise BadInput(f"{source} has {size:,} bytes; at most {MAX_GIVEN:,} travel beside a recipe")
    return {name: source}


@dataclass(frozen=True)
class Made:
    """What names a version of a data set: models, and jobs that may still become one."""

    models: tuple[str, ...]
    jobs: tuple[int, ...]

    def __str__(self) -> str:
        return ", ".join([*self.models, *(f"job {id}" for id in self.jobs)]) or "nothing yet"


def made_of(manifest: "DatasetManifest", settings: Settings, jobs: Store) -> Made:
    """Tell which models were trained with a version, and which jobs that have not ended are to be."""
    pin = DatasetPin(manifest.version, manifest.sha256)
    models = [str(v) for v in registry.versions(settings) if v.manifest.datasets.get(manifest.name) == pin]
    waiting = [
        job.id
        for job in _unfinished(jobs)
        if any(_name_of(name) == manifest.name and one == pin for name, one in job.datasets.items())
    ]
    return Made(tuple(models), tuple(waiting))


def remove(reference: str, settings: Settings, jobs: Store) -> "DatasetManifest":
    """Remove a version, and give back the disk that no other version shares.

    Raises
    ------
    Conflict
        A model or a job that has not ended names it.
    """
    from workbench.datasets.kept import store

    made = made_of(store.find(reference, settings), settings, jobs)
    return store.remove(reference, [*made.models, *(f"job {id}" for id in made.jobs)], settings)


def pins_of(recipe: Recipe, settings: Settings) -> dict[str, DatasetPin]:
    """The versions of data sets that a recipe means now, by how it names them.

    Raises
    ------
    NotFound
        It loads one that is not there.
    """
    asked = _named_in(recipe)
    if not asked and not (settings.data / "sets").is_dir():
        return {}
    from workbench.datasets.kept import store

    there = {one.name for one in store.versions(settings)} if (settings.data / "sets").is_dir() else set()
    texts = (
        _texts_of(recipe)
        if there and "datasets" in "".join(getattr(recipe, field) for field in recipes.FIELDS)
        else set()
    )
    wanted = {text for text in texts if _name_of(text) in there} | set(asked)
    found = {}
    for reference in sorted(wanted):
        try:
            one = store.find(reference, settings)
        except NotFound as error:
            raise NotFound(
                f"{asked.get(reference, 'the recipe')}: {error}; workbench data add NAME SOURCE adds one"
            ) from error
        found[reference] = DatasetPin(one.version, one.sha256)
    return found


def _named_in(recipe: Recipe) -> dict[str, str]:
    """What stands in ``datasets.load("…")`` and its like, but for our own, with the place where it does."""
    found: dict[str, str] = {}
    for field, tree in recipes.trees(recipe).items():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("load", "columns", "labels", "manifest", "feature_names")
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "datasets"
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
                and node.args[0].value not in _OURS
            ):
                found.setdefault(node.args[0].value, f"{field}, line {node.lineno}")
    return found


def _texts_of(recipe: Recipe) -> set[str]:
    return {
        node.value
        for tree in recipes.trees(recipe).values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _name_of(text: str) -> str:
    return text.partition(":")[0]


def _unfinished(jobs: Store) -> Collection[Job]:
    from workbench.jobs import ACTIVE

    return [job for state in ("queued", *sorted(ACTIVE)) for job in jobs.jobs(state=state, limit=10_000)]


def _fetch(url: str, folder: Path, settings: Settings, say: Say) -> Path:
    from workbench.datasets.sources.base import MOST_BYTES

    parts = urllib.parse.urlsplit(url)
    name = Path(urllib.parse.unquote(parts.path)).name or "data"
    path = folder / "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[-120:]
    say(f"fetching {shown(url)}")
    if parts.scheme in ("http", "https"):
        Fetcher(settings.allowed_hosts).fetch(url, path, max_bytes=MOST_BYTES, timeout_s=FETCH_S)
        return path
    if parts.scheme == "s3":
        return _fetch_object(parts.netloc, parts.path.lstrip("/"), path, settings, MOST_BYTES)
    raise BadInput(f"data come from a path, https:// or s3://. Received: {parts.scheme[:20]}://")


def _fetch_object(name: str, key: str, path: Path, settings: Settings, most_bytes: int) -> Path:
    from workbench.aws.bucket import Bucket  # boto3 takes its time
    from workbench.aws.session import Session

    if not name or not key:
        raise BadInput("name an object as s3://BUCKET/KEY")
    bucket = Bucket(Session.open(settings))
    bucket.name = name
    size = next((stored.size for stored in bucket.list(key) if stored.key == key), None)
    if size is None:
        raise NotFound(f"there is no object {key} in the bucket {name}")
    if size > most_bytes:
        raise TooLarge(f"s3://{name}/{key} has {size:,} bytes; at most {most_bytes:,} are taken")
    bucket.download(key, path)
    return path


def as_json(manifest: "DatasetManifest", made: Made | None = None) -> Mapping[str, object]:
    """What ``--json`` prints of a version."""
    told: Mapping[str, object] = manifest.as_json()
    return told if made is None else {**told, "models": list(made.models), "jobs": list(made.jobs)}
