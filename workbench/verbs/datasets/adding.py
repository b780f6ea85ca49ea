"""Data sets added: from a path, from the web or from a bucket."""

import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workbench.errors import BadInput
from workbench.fetching import Fetcher, shown
from workbench.settings import Settings
from workbench.system import scratch

if TYPE_CHECKING:
    from workbench.datasets.kept.values import DatasetManifest
    from workbench.datasets.sources import How

FETCH_S = 6 * 3600.0
"""How long a source may take to come."""
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
    with scratch.folder(settings.data) as aside:
        path = _fetch(text, aside, settings, say)
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


def read_size(text: str) -> tuple[int, int]:
    """Read the width and height of pictures.

    >>> read_size("96x64")
    (96, 64)

    Raises
    ------
    BadInput
        It says something else.
    """
    width, cross, height = text.lower().replace("×", "x").partition("x")
    if not (cross and width.strip().isdecimal() and height.strip().isdecimal()):
        raise BadInput(f"the size of pictures is WIDTHxHEIGHT, for instance 96x96. Received: {text[:40]}")
    return int(width), int(height)


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
    if not name or not key:
        raise BadInput("name an object as s3://BUCKET/KEY")
    from workbench.aws import objects  # boto3 takes its time

    objects.fetch(name, key, path, settings, most_bytes)
    return path
