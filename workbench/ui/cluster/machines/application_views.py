"""The application on AWS as HTML: its machines, and a plan with its costs and checks. Pure functions."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from workbench.ui.widgets.pieces import badge, banner, when

if TYPE_CHECKING:
    from workbench.verbs.application import App, AppMachine, AppPlan, Check


def state_words(app: "App") -> str:
    """Name the application's state."""
    return "no application" if app.state == "absent" else f"application {app.state.replace('_', ' ')}"


def an_hour(price: float | None) -> str:
    """Give a price an hour; nothing where there is none."""
    return "" if not price else f", ${price:.2f} an hour"


def page_link(app: "App") -> str:
    """Link to the drawing page, while it runs."""
    if not app.page_url or app.state == "stopped":
        return ""
    url = escape(app.page_url)
    return f'<p>Drawing page: <a href="{url}" target="_blank" rel="noopener">{url}</a></p>'


def machines_table(machines: Sequence["AppMachine"]) -> str:
    """Tabulate the machines."""
    rows = "".join(
        f"<tr><td>{escape(m.role)}</td><td>{badge(m.state)}</td><td>{_service(m)}</td><td>{escape(m.type)}</td>"
        f"<td>{when(m.created)}</td><td><code>{escape(m.private_address or '–')}</code></td>"
        f"<td><code>{escape(m.public_address or '–')}</code></td><td><code>{escape(m.instance)}</code></td>"
        f"<td>{'unknown' if m.price_per_hour is None else f'${m.price_per_hour:.3f}'}</td></tr>"
        for m in machines
    )
    heads = (
        "Role",
        "State",
        "Service",
        "Type",
        "Since",
        "Private address",
        "Public address",
        "Instance",
        "An hour",
    )
    return _scroll("The application's machines", heads, rows)


def _service(machine: "AppMachine") -> str:
    if not machine.service:
        return "–"
    said = f' title="{escape(machine.message)}"' if machine.message else ""
    return f"<span{said}>{escape(machine.service)}</span>"


def count_resources(plan: "AppPlan") -> str:
    """Say how many resources would be made."""
    count = len(plan.resources)
    return f"{count} resource{'' if count == 1 else 's'}"


def describe_plan(plan: "AppPlan") -> str:
    """Show what a launch costs, whether the account allows it, and what it makes."""
    costs = "".join(
        f"<tr><td>{escape(c.what)}</td><td>{'unknown' if c.per_hour is None else f'${c.per_hour:.4f}'}</td></tr>"
        for c in plan.costs
    )
    checks = "".join(
        f"<tr><td>{escape(c.what)}</td><td>{_mark(c)}</td><td class='wb-reason'>{escape(c.said)}</td></tr>"
        for c in plan.checks
    )
    resources = "".join(
        f"<li>{escape(r.name)} <span class=wb-muted>{escape(r.type)}</span></li>" for r in plan.resources
    )
    title = (
        f"${plan.price_per_hour:.2f} an hour, ${plan.price_per_month:.0f} for a month that it runs through"
    )
    return (
        banner(title, plan.price_source, kind="note")
        + _scroll("What it costs", ("Costs", "An hour"), costs)
        + _scroll("Whether the account allows it", ("Account", "Fine", "Why"), checks)
        + f'<details class="wb-more"><summary>{count_resources(plan)}</summary><ul>{resources}</ul></details>'
    )


def _mark(check: "Check") -> str:
    kind, word = {True: ("running", "yes"), False: ("failed", "no"), None: ("stopped", "unknown")}[check.ok]
    return badge(kind, word)


def _scroll(label: str, heads: Sequence[str], rows: str) -> str:
    cells = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="wb-scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="wb-list">'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
