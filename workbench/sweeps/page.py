"""A sweep as one HTML page: parallel coordinates, importances and the table of trials; it loads nothing from anywhere."""

import html
from collections.abc import Callable, Mapping, Sequence

from workbench.sweeps.results import Sweep, Trial
from workbench.sweeps.spaces import Choice, Domain

WIDTH, HEIGHT, TOP, SIDE = 720, 300, 34, 70
PAGE_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; color: light-dark(#1c2733, #e6edf3); background: light-dark(#fff, #12181f);
 margin: 0 auto; max-width: 60rem; padding: 1rem }
h1 { font-size: 1.4rem }
"""
STYLE = """
body[data-jp-theme-light="true"] .wb-sweep { color-scheme: light } body[data-jp-theme-light="false"] .wb-sweep { color-scheme: dark }
.wb-sweep { --ink: var(--wb-text, light-dark(#1c2733, #e6edf3)); --soft: var(--wb-muted, light-dark(#5b6b7b, #9aa7b4));
 --line: var(--wb-line, light-dark(#d5dde5, #34404c)); --best: var(--wb-accent, light-dark(#0b6bcb, #5fb0ff));
 --bad: light-dark(#c9a36a, #7d6033); color: var(--ink) }
.wb-sweep h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; font-weight: 600 } .wb-sweep p { color: var(--soft) }
.wb-sweep .wide { overflow-x: auto } .wb-sweep svg { min-width: 34rem; width: 100%; height: auto; display: block }
.wb-sweep svg text { fill: var(--soft); font-size: 12px; paint-order: stroke; stroke: var(--wb-surface, Canvas); stroke-width: 4px } .wb-sweep svg .name { fill: var(--ink); font-weight: 600 }
.wb-sweep svg line { stroke: var(--line) } .wb-sweep svg polyline { fill: none; stroke-width: 2; opacity: .75 }
.wb-sweep svg g:hover polyline, .wb-sweep svg g:focus polyline { stroke-width: 5; opacity: 1 } .wb-sweep svg g:focus { outline: none }
.wb-sweep svg .best { stroke-width: 4; opacity: 1 } .wb-sweep svg .over { stroke-dasharray: 3 4; opacity: .45 }
.wb-sweep table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
.wb-sweep th, .wb-sweep td { color: var(--ink); text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap }
.wb-sweep tr.best td { font-weight: 600; color: var(--best) } .wb-sweep a { color: var(--best) }
.wb-sweep .bar { display: grid; grid-template-columns: minmax(6rem, 12rem) 1fr 3.5rem; gap: .7rem; align-items: center }
.wb-sweep .bar i { display: block; height: .8rem; background: var(--best); border-radius: 2px; min-width: 2px }
"""


def make_page(sweep: Sweep) -> str:
    """The whole page."""
    title = html.escape(f"Sweep of {sweep.name}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<meta name="viewport" '
        f'content="width=device-width, initial-scale=1">\n<title>{title}</title>\n<style>{PAGE_STYLE}</style></head>\n'
        f"<body><h1>{title}</h1>\n{make_body(sweep)}\n</body></html>\n"
    )


def make_body(sweep: Sweep, link: Callable[[int], str] | None = None) -> str:
    """What stands on the page below its title, as a notebook and the cluster's page show it, too.

    Parameters
    ----------
    link
        Gives the address of a job by its id.
    """
    over = sum(trial.is_over for trial in sweep.trials)
    best = sweep.best
    said = f"{over} of {sweep.wanted} trials have ended, by {sweep.method}."
    if best is not None:
        said += f" The best, {best.number}, has {sweep.metric} {show_score(sweep, best.score)} on the validation part"
        said += f" and is {sweep.version}." if sweep.version else "."
    return (
        f"<div class=wb-sweep><style>{STYLE}</style><p>{html.escape(said)}</p>\n<h2>Parallel coordinates</h2>\n<div class=wide>{_coordinates(sweep)}</div>\n"
        f"<h2>How much each setting matters</h2>\n{_importances(sweep)}\n"
        f"<h2>Trials</h2>\n<div class=wide>{_table(sweep, link)}</div></div>"
    )


def show_score(sweep: Sweep, score: float | None) -> str:
    """A score in words: an accuracy as percents."""
    if score is None:
        return "–"
    return f"{100 * score:.2f} %" if sweep.metric == "accuracy" else f"{score:.4g}"


def last_score(trial: Trial) -> float | None:
    """The score of a trial, also of one that has none of a version."""
    return trial.score if trial.score is not None or not trial.scores else trial.scores[max(trial.scores)]


def _coordinates(sweep: Sweep) -> str:
    shown = [trial for trial in sweep.ranking if last_score(trial) is not None]
    if not shown:
        return "<p>No trial has a score yet.</p>"
    scores = [score for trial in shown if (score := last_score(trial)) is not None]
    low, high = min(scores), max(scores)
    names = [*sweep.space, sweep.metric]
    at = {name: SIDE + n * (WIDTH - 2 * SIDE) / max(1, len(names) - 1) for n, name in enumerate(names)}
    axes, lines = [], []
    for name, domain in sweep.space.items():
        axes.append(_axis(at[name], name, _ticks(domain, [trial.settings[name] for trial in shown])))
    axes.append(
        _axis(at[sweep.metric], sweep.metric, [(0.0, show_score(sweep, low)), (1.0, show_score(sweep, high))])
    )
    best = sweep.best
    for trial in reversed(shown):
        score = last_score(trial) or 0.0
        share = _share(score, low, high)
        heights = [_place(domain, trial.settings[name]) for name, domain in sweep.space.items()] + [share]
        points = " ".join(
            f"{at[name]:.1f},{_y(height):.1f}" for name, height in zip(names, heights, strict=True)
        )
        good = 100 * (1 - share if sweep.metric == "loss" else share)
        classes = (
            "best" if best and trial.number == best.number else "" if trial.state == "completed" else "over"
        )
        told = html.escape(
            f"trial {trial.number}: {_settings(trial.settings)}; {show_score(sweep, score)}, {trial.state}"
        )
        lines.append(
            f'<g tabindex="0"><title>{told}</title><polyline class="{classes}" points="{points}" '
            f'style="stroke: color-mix(in oklab, var(--best) {good:.0f}%, var(--bad))"/></g>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Each line is one trial: its settings from left to '
        f'right, its {sweep.metric} at the right end.">{"".join(lines + axes)}</svg>'
    )


def _axis(x: float, name: str, ticks: Sequence[tuple[float, str]]) -> str:
    marks = "".join(
        f'<text x="{x + 6:.1f}" y="{_y(height) + 4:.1f}">{html.escape(text)}</text>' for height, text in ticks
    )
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_y(0)}" y2="{_y(1)}"/><text class="name" text-anchor="middle" '
        f'x="{x:.1f}" y="16">{html.escape(name)}</text>{marks}'
    )


def _y(height: float) -> float:
    return HEIGHT - 20 - height * (HEIGHT - 20 - TOP)


def _ticks(domain: Domain, values: Sequence[object]) -> list[tuple[float, str]]:
    if isinstance(domain, Choice):
        return [(_place(domain, value), str(value)[:16]) for value in domain.values[:12]]
    return [(0.0, f"{domain.low:g}"), (1.0, f"{domain.high:g}")]


def _place(domain: Domain, value: object) -> float:
    """The height of a value on its axis, 0 to 1."""
    if isinstance(domain, Choice):
        return [repr(one) for one in domain.values].index(repr(value)) / max(1, len(domain.values) - 1)
    return domain.share(float(str(value)))


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _settings(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in settings.items())


def _importances(sweep: Sweep) -> str:
    if not (found := sweep.importances):
        return "<p>Too few trials have a score to tell.</p>"
    bars = "".join(
        f'<div class=bar><span>{html.escape(name)}</span><i style="width: {100 * share:.1f}%"></i>'
        f"<span>{100 * share:.0f} %</span></div>"
        for name, share in found.items()
    )
    return f"{bars}<p>The share of the differences between scores that a setting explains by itself.</p>"


def _table(sweep: Sweep, link: Callable[[int], str] | None) -> str:
    best = sweep.best
    heads = ["trial", "job", *sweep.space, sweep.metric, "held-out", "epochs", "time", "state"]
    rows = []
    for trial in sweep.ranking:
        cells = [
            str(trial.number),
            _job(trial.job, link),
            *(html.escape(str(trial.settings[name])) for name in sweep.space),
            show_score(sweep, last_score(trial)),
            "–" if trial.accuracy is None else f"{100 * trial.accuracy:.2f} %",
            str(max(trial.scores, default=0)),
            f"{trial.execution_s:.0f} s",
            html.escape(trial.state),
        ]
        mark = " class=best" if best and trial.number == best.number else ""
        told = f' title="{html.escape(trial.error)}"' if trial.error else ""
        rows.append(f"<tr{mark}{told}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _job(id: int | None, link: Callable[[int], str] | None) -> str:
    if id is None or link is None:
        return str(id or "–")
    return f'<a href="{html.escape(link(id))}" data-open="{id}">{id}</a>'
