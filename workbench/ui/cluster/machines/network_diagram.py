"""The application on AWS as a diagram: the network, its machines, who may reach whom, and the clusters. Pure functions."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from workbench.machines import Machine
from workbench.ui.cluster.machines.diagram import HEAD, LEFT, PER_ROW, draw_arrow, draw_clusters

if TYPE_CHECKING:
    from workbench.verbs.application import App, AppMachine

BOX_W, BOX_H = 150, 58
FRONT, WORKING, BACK = (196, 86), (196, 196), (400, 86)
SHOWN = {"frontend": "front end", "working": "working machine", "backend": "back end"}
TOP = 86
"""Top of the first cluster."""


def draw_network(app: "App", machines: Sequence[Machine]) -> str:
    """Draw the stack that exists, with the training machines beside it."""
    left = LEFT + 130
    parts, bottom = draw_clusters(machines, TOP, left + 4)
    height = max(bottom + 30, 318)
    width = left + PER_ROW * 106 + 52
    by_role = {machine.role: machine for machine in app.machines}
    running = sum(machine.state == "running" for machine in app.machines)
    said = f"{running} of {len(app.machines)} machines of the application running, {len(machines)} training machines"
    fixed = [
        _frame(140, 8, width - 148, height - 16, f"VPC {app.vpc} 192.168.0.0/16"),
        _frame(176, 40, left - 194, height - 64, f"subnet {app.subnet} 192.168.0.0/24"),
        _frame(
            left - 10,
            40,
            width - left - 6,
            height - 64,
            "subnets of the clusters, 192.168.32.0/19 and 192.168.64.0/19",
        ),
        _note(BACK[0], BACK[1] - 8, "port 5000, from these two"),
        _note(FRONT[0], FRONT[1] - 8, "port 80, from everywhere"),
        _note(WORKING[0], WORKING[1] + BOX_H + 18, "port 8888, from your address only"),
        _plain(4, 118, 108, "the internet", ""),
        _plain(120, 118, 40, "", "gateway"),
        *(
            _machine(by_role[role], at)
            for role, at in (("frontend", FRONT), ("working", WORKING), ("backend", BACK))
            if role in by_role
        ),
        draw_arrow(112, 141, 119, 141),
        draw_arrow(160, 134, 194, 118),
        draw_arrow(160, 150, 194, 216),
        draw_arrow(346, 108, BACK[0] - 2, 108),
        draw_arrow(346, 214, BACK[0] + 40, 146),
    ]
    return (
        '<div class="wb-diagram" tabindex="0" role="region" aria-label="The application on AWS, as a diagram">'
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(said)}">'
        f"{HEAD}{''.join(fixed)}{''.join(parts)}</svg></div>"
    )


def _frame(x: int, y: int, width: int, height: int, text: str) -> str:
    words = " ".join(text.split())
    return (
        f'<rect class="wb-frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>'
        f'<text class="wb-small" x="{x + 14}" y="{y + 20}">{escape(words)}</text>'
    )


def _note(x: int, y: int, text: str) -> str:
    return f'<text class="wb-small" x="{x}" y="{y}">{escape(text)}</text>'


def _plain(x: int, y: int, width: int, name: str, below: str) -> str:
    inside = f'<text x="{x + 14}" y="{y + 28}">{escape(name)}</text>' if name else ""
    under = f'<text class="wb-small" x="{x - 2}" y="{y + 60}">{escape(below)}</text>' if below else ""
    return f'<rect class="wb-box" x="{x}" y="{y}" width="{width}" height="46" rx="6"/>{inside}{under}'


def _machine(machine: "AppMachine", at: tuple[int, int]) -> str:
    x, y = at
    address = machine.public_address or machine.private_address
    return (
        f'<g data-state="{escape(machine.state)}"><title>{escape(machine.instance)}</title>'
        f'<rect class="wb-box" x="{x}" y="{y}" width="{BOX_W}" height="{BOX_H}" rx="6"/><circle cx="{x + 14}" cy="{y + 16}" r="4"/>'
        f'<text x="{x + 24}" y="{y + 20}">{escape(SHOWN.get(machine.role, machine.role))}</text>'
        f'<text class="wb-small" x="{x + 24}" y="{y + 36}">{escape(address)}</text>'
        f'<text class="wb-small" x="{x + 24}" y="{y + 50}">{escape(machine.type)}</text></g>'
    )
