"""A data set to look at: a few examples, the balance of its classes, each column's figures, as HTML."""

import base64
import html
import io
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from workbench.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from workbench.verbs.datasets import Column, DatasetManifest

EXAMPLES = 12
ROWS = 8
LEAST_SERIES = 8
MOST_CHANNELS = 6
"""Of an array that is shown as lines."""
SIDE = 72


@dataclass(frozen=True)
class Shown:
    """A piece of HTML, which notebooks show by themselves."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def look(manifest: "DatasetManifest", settings: Settings) -> Shown:
    """Show a version: what it is, some examples, its classes, its columns."""
    train, test = manifest.train.examples, manifest.test.examples
    text = f"{manifest}: {manifest.kind}, {train:,} examples to train and {test:,} to test with"
    parts = [
        f"<p><strong>{html.escape(str(manifest))}</strong>: {manifest.kind}, {train:,} examples to train and {test:,} to test with</p>",
        examples(manifest, settings),
        balance(manifest),
        table(manifest.columns),
    ]
    return Shown('<div class="wb-dataset">' + "".join(parts) + "</div>", text)


def examples(manifest: "DatasetManifest", settings: Settings, first: int = EXAMPLES) -> str:
    """Some examples of the training part: pictures with their class, rows, beginnings of texts."""
    from workbench.datasets.kept import loading

    found = loading.columns(manifest, manifest.train, settings, first)
    if manifest.kind == "pictures":
        picture = next(c.name for c in manifest.columns if c.kind == "pixels")
        label = next((c.name for c in manifest.columns if c.role == "target"), None)
        shown = [
            f'<figure><img alt="{html.escape(str(found[label][n]) if label else "")}" width="{SIDE}" src="{_data_url(pixels)}">'
            f"<figcaption>{html.escape(str(found[label][n]) if label else '')}</figcaption></figure>"
            for n, pixels in enumerate(found[picture])
        ]
        return f'<div class="wb-examples">{"".join(shown)}</div>'
    names = [c.name for c in manifest.columns][:12]
    dates = {c.name for c in manifest.columns if c.kind == "date"}
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    count = min(ROWS, *(len(found[name]) for name in names))
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{series(found[name][n]) or html.escape(_cell(found[name][n], name in dates))}</td>"
            for name in names
        )
        + "</tr>"
        for n in range(count)
    )
    return f'<div class="wb-rows" tabindex="0" role="region" aria-label="Examples"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def balance(manifest: "DatasetManifest", most: int = 30) -> str:
    """How many examples of each class there are, as bars; empty where the target is a number."""
    if not manifest.labels:
        return ""
    counts = [
        (label, manifest.train.classes[n], manifest.test.classes[n])
        for n, label in enumerate(manifest.labels)
    ]
    largest = max(1, *(train + test for _, train, test in counts))
    rows = "".join(
        f"<tr><th>{html.escape(label)}</th><td>{train:,}</td><td>{test:,}</td>"
        f'<td class="wb-bar"><span style="width:{100 * (train + test) / largest:.1f}%"></span></td></tr>'
        for label, train, test in counts[:most]
    )
    more = f"<p>… and {len(counts) - most} more classes</p>" if len(counts) > most else ""
    return f'<table class="wb-balance"><thead><tr><th>Class</th><th>train</th><th>test</th><th></th></tr></thead><tbody>{rows}</tbody></table>{more}'


def table(columns: "tuple[Column, ...]") -> str:
    """Each column with its kind, what is missing, and its histogram."""
    rows = "".join(
        f"<tr><th>{html.escape(c.name)}</th><td>{c.kind} {'×'.join(map(str, c.shape))}</td><td>{c.role}</td>"
        f"<td>{f'{c.missing:,}' if c.missing else '–'}</td><td>{html.escape(values(c))}</td><td>{histogram(c)}</td></tr>"
        for c in columns
    )
    head = "".join(f"<th>{name}</th>" for name in ("Column", "Kind", "Role", "Missing", "Values", ""))
    return f'<div class="wb-columns" tabindex="0" role="region" aria-label="Columns"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def values(column: "Column") -> str:
    """The values of a column in a few words."""
    if column.kind == "category":
        return ", ".join(column.categories[:4]) + (", …" if len(column.categories) > 4 else "")
    if column.low is None or column.high is None or column.mean is None:
        return ""
    far = f", {column.outliers:,} far out" if column.outliers else ""
    if column.kind == "date":
        return f"{date(column.low)} to {date(column.high)}{far}"
    return f"{column.low:.4g} to {column.high:.4g}, mean {column.mean:.4g}{far}"


def date(days: float) -> str:
    """Days since 1970 as a date, with the time of day where there is one.

    >>> date(19723), date(19723.5), date(float("nan")), date(1e12)
    ('2024-01-01', '2024-01-01 12:00:00', '', '1e+12')
    """
    if days != days:
        return ""
    try:
        when = datetime(1970, 1, 1) + timedelta(seconds=round(days * 86400))
    except OverflowError:
        return f"{days:.6g}"
    return f"{when:%Y-%m-%d}" if when.time() == time() else f"{when:%Y-%m-%d %H:%M:%S}"


def histogram(column: "Column", width: int = 120, height: int = 24) -> str:
    """The counts of a column as a small picture."""
    counts = column.counts[:40]
    if not any(counts):
        return ""
    step = width / len(counts)
    bars = "".join(
        f'<rect x="{n * step:.1f}" y="{height - height * count / max(counts):.1f}" width="{max(1.0, step - 1):.1f}" '
        f'height="{height * count / max(counts):.1f}"/>'
        for n, count in enumerate(counts)
        if count
    )
    return f'<svg class="wb-histogram" role="img" aria-label="histogram" width="{width}" height="{height}" fill="currentColor">{bars}</svg>'


def series(value: object, width: int = 160, height: int = 32) -> str:
    """An array ``(length,)`` or ``(length, channels)`` as a line for each channel; empty for what is none.

    >>> series(3.5), series("words")
    ('', '')
    """
    import numpy as np

    if not isinstance(value, np.ndarray) or value.ndim not in (1, 2) or value.dtype.kind not in "iuf":
        return ""
    length, channels = value.shape[0], value.size // max(1, value.shape[0])
    if length < LEAST_SERIES or not 0 < channels <= MOST_CHANNELS:
        return ""
    places = np.unique(np.linspace(0, length - 1, min(length, width)).astype(int))
    taken = value.reshape(length, channels)[places].astype("f8")
    good = np.isfinite(taken)
    if not good.any():
        return ""
    low, high = taken[good].min(), taken[good].max()
    x = places / (length - 1) * width
    y = 1 + (height - 2) * (1 - (taken - low) / ((high - low) or 1))
    lines = "".join(
        f'<polyline points="{" ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x[there], column[there], strict=True))}"/>'
        for column, there in zip(y.T, good.T, strict=True)
    )
    said = f"{length} values" + (f" of {channels} channels" if channels > 1 else "")
    return (
        f'<svg class="wb-series" role="img" aria-label="{said}, from {low:.4g} to {high:.4g}" width="{width}" '
        f'height="{height}" fill="none" stroke="currentColor">{lines}</svg>'
    )


def _data_url(pixels: "np.ndarray") -> str:
    import numpy as np
    from PIL import Image

    flat = pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels[:, :, :3]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(flat)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _cell(value: object, is_date: bool = False) -> str:
    if isinstance(value, str):
        return value[:120] + ("…" if len(value) > 120 else "")
    shape = getattr(value, "shape", ())
    if shape:
        return f"array {'×'.join(map(str, shape))}"
    number = float(value)  # type: ignore[arg-type]
    if is_date:
        return date(number)
    return "" if number != number else f"{number:.6g}"
