"""A diagram of what exists: services, clusters with their machines, and who talks to whom. Pure functions."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

from workbench.machines import Machine

BOX_W, BOX_H = 128, 46
GAP = 14
MACHINE_W, MACHINE_H = 92, 40
MOST_DIGITS = 12
"""Of a job's number; a check that somebody asked for has a longer random one."""
PER_ROW = 4
LEFT = 444
"""Left edge of the clusters."""
HEAD = (
    '<defs><marker id="wb-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
)
"""Of the arrows; once in each diagram."""
ROLES = {"chief": 0, "ps": 1, "worker": 2, "task": 3}


def draw_machines(services: Mapping[str, bool], machines: Sequence[Machine]) -> str:
    """Draw this computer; ``services`` says which of them answer."""
    clusters = {machine.cluster for machine in machines}
    parts, bottom = draw_clusters(machines, 44, LEFT)
    height = max(bottom + 14, 246)
    width = LEFT + PER_ROW * (MACHINE_W + GAP) + GAP + 14
    fixed = [
        f'<rect class="wb-frame" x="136" y="8" width="{width - 144}" height="{height - 16}" rx="10"/>',
        '<text class="wb-small" x="150" y="28">this computer, 127.0.0.1</text>',
        _box(4, 96, 112, "your browser", "", None),
        _box(152, 44, BOX_W, "drawing page", "Apache", services.get("frontend")),
        _box(152, 148, BOX_W, "dashboard", "Jupyter, Voilà", services.get("dashboard")),
        _box(298, 44, BOX_W, "back end", "ONNX Runtime", services.get("backend")),
        _box(298, 148, BOX_W, "jobs", "store, queue", True),
        draw_arrow(116, 108, 150, 70),
        draw_arrow(116, 128, 150, 168),
        draw_arrow(280, 67, 296, 67),
        draw_arrow(280, 171, 296, 171),
        draw_arrow(362, 148, 362, 92, "versions"),
        draw_arrow(426, 171, LEFT - 2, 130 if not clusters else 90),
    ]
    live = sum(m.state == "running" for m in machines)
    said = (
        f"{live} training machine{'' if live == 1 else 's'} in {len(clusters)} cluster{'' if len(clusters) == 1 else 's'}"
        if clusters
        else "no training machines"
    )
    answers = ", ".join(f"{name} {'answers' if up else 'does not answer'}" for name, up in services.items())
    return (
        f'<div class="wb-diagram" tabindex="0" role="region" aria-label="What there is, as a diagram">'
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(f"{said}; {answers}")}">'
        f"{HEAD}{''.join(fixed)}{''.join(parts)}</svg></div>"
    )


def draw_clusters(machines: Sequence[Machine], top: int, left: int) -> tuple[list[str], int]:
    """Draw the clusters one below the other, or that there are none, and where they end."""
    parts: list[str] = []
    for name, found in groupby(sorted(machines, key=lambda m: m.cluster), key=lambda m: m.cluster):
        ordered = sorted(found, key=lambda m: (ROLES.get(m.role, 9), m.index))
        drawn, top = _cluster(name, ordered, top, left)
        parts += drawn
    if not parts:
        parts.append(
            f'<rect class="wb-frame" x="{left}" y="{top}" width="{PER_ROW * (MACHINE_W + GAP) + GAP}" height="108" rx="8"/>'
            f'<text class="wb-small" x="{left + 20}" y="{top + 58}">No training machines now: a job brings its own.</text>'
        )
        top += 108 + GAP
    return parts, top


def _cluster(name: str, machines: Sequence[Machine], top: int, left: int) -> tuple[list[str], int]:
    """Draw a frame with its machines; give where the next one begins."""
    rows = -(-len(machines) // PER_ROW)
    height = 30 + rows * (MACHINE_H + 10) + 4
    width = PER_ROW * (MACHINE_W + GAP) + GAP
    parts = [
        f'<rect class="wb-frame" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>',
        f'<text class="wb-small" x="{left + GAP}" y="{top + 19}">{escape(title(name))}</text>',
    ]
    for n, machine in enumerate(machines):
        x = left + GAP + (n % PER_ROW) * (MACHINE_W + GAP)
        y = top + 28 + (n // PER_ROW) * (MACHINE_H + 10)
        port = machine.address.rpartition(":")[2]
        parts.append(
            f'<g data-state="{escape(machine.state)}"><rect class="wb-box" x="{x}" y="{y}" width="{MACHINE_W}" '
            f'height="{MACHINE_H}" rx="6"/><circle cx="{x + 12}" cy="{y + 13}" r="4"/>'
            f'<text x="{x + 22}" y="{y + 17}">{escape(machine.role)} {machine.index}</text>'
            f'<text class="wb-small" x="{x + 22}" y="{y + 32}">{escape(f":{port}" if port else machine.state)}</text></g>'
        )
    return parts, top + height + GAP


def title(cluster: str) -> str:
    """Name a cluster as people say it.

    >>> title("job-12"), title("check-12"), title("check-ab12"), title("task-preview-12"), title("big")
    ('job 12', "job 12's check", 'a check of a recipe', 'preview of job 12', 'big')
    """
    kind, _, rest = cluster.partition("-")
    number = rest.removeprefix("preview-")
    if kind == "task" and number != rest:
        return f"preview of job {number}" if number.isdecimal() else "a preview"
    if kind == "job" and rest.isdecimal():
        return f"job {rest}"
    if kind == "check" and rest.isdecimal() and len(rest) < MOST_DIGITS:
        return f"job {rest}'s check"
    return "a check of a recipe" if kind in ("check", "task") else cluster


def _box(x: int, y: int, width: int, name: str, what: str, up: bool | None) -> str:
    state = "" if up is None else f' data-state="{"running" if up else "failed"}"'
    dot = "" if up is None else f'<circle cx="{x + 14}" cy="{y + 16}" r="4"/>'
    indent = 14 if up is None else 24
    middle = y + (20 if what else 28)
    small = f'<text class="wb-small" x="{x + indent}" y="{y + 36}">{escape(what)}</text>' if what else ""
    return (
        f'<g{state}><rect class="wb-box" x="{x}" y="{y}" width="{width}" height="{BOX_H}" rx="6"/>{dot}'
        f'<text x="{x + indent}" y="{middle}">{escape(name)}</text>{small}</g>'
    )


def draw_arrow(x1: int, y1: int, x2: int, y2: int, text: str = "") -> str:
    word = (
        f'<text class="wb-small" x="{x1 + 6}" y="{(y1 + y2) // 2 + 4}">{escape(text)}</text>' if text else ""
    )
    return f'<path d="M{x1} {y1} L{x2} {y2}" marker-end="url(#wb-head)"/>{word}'
