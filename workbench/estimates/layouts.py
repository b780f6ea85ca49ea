"""Layouts that one might ask for instead: how long each would take, what it would cost, and which would be better."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workbench.estimates.scaling import Hardware
from workbench.machines import Layout

MOST_MACHINES = 16
"""That are proposed, and at most for ``DEARER`` times the price."""
PS = (1, 2, 4)
"""Parameter servers that are proposed."""
DEARER = 2.0
WORTH = 0.1
"""Share of the time that another layout must save to be proposed."""
ALIKE = 0.05
"""Share of the time by which more machines must be faster than fewer ones to be proposed instead."""


@dataclass(frozen=True)
class Choice:
    """A layout that one might ask for.

    Attributes
    ----------
    seconds, price
        Of the whole job; the price in US dollars.
    chosen
        It is the one that is asked for.
    better
        It is the one to be taken instead.
    """

    layout: Layout
    seconds: float
    price: float
    chosen: bool
    better: bool


def choices(
    seconds: Callable[[Layout], float], layout: Layout, site: Hardware, price_per_hour: float
) -> tuple[Choice, ...]:
    """Give the layouts that the site allows, by their number of machines, and the one that is asked for among them.

    Parameters
    ----------
    seconds
        Says of a layout how long the job would take.
    price_per_hour
        Of the layout that is asked for; others cost as much a machine.
    """
    proposed = better(seconds, layout, site)
    asked = Layout(layout.ps, layout.workers)
    every = dict.fromkeys([*others(site), asked])
    each = price_per_hour / len(layout.places) / 3600
    found = []
    for one in sorted(every, key=lambda other: (len(other.places), other.ps)):
        took = seconds(one)
        price = each * len(one.places) * took
        found.append(Choice(one, took, price, one == asked, one == proposed))
    return tuple(found)


def better(seconds: Callable[[Layout], float], layout: Layout, site: Hardware) -> Layout | None:
    """Give the layout that would be faster by more than a little, for at most :data:`DEARER` times the price."""

    def price(other: Layout) -> float:
        return len(other.places) * seconds(other)

    affordable = [other for other in others(site) if site.shared or price(other) <= DEARER * price(layout)]
    if not affordable:
        return None
    least = min(map(seconds, affordable))
    alike = [other for other in affordable if seconds(other) <= (1 + ALIKE) * least]
    best = min(alike, key=lambda other: (len(other.places), seconds(other)))
    return best if seconds(best) < (1 - WORTH) * seconds(layout) else None


def others(site: Hardware) -> Iterator[Layout]:
    """Give what may be proposed."""
    most = min(MOST_MACHINES, site.cores) if site.shared else MOST_MACHINES
    for workers in (1, 2, 4, 8, 16):
        if workers <= most:
            yield Layout(workers=workers)
        for ps in PS:
            if workers > ps and 1 + ps + workers <= MOST_MACHINES and workers <= most:
                yield Layout(ps, workers)


def describe(layout: Layout) -> str:
    """Put a layout in words.

    >>> describe(Layout(1, 4)), describe(Layout(workers=2)), describe(Layout())
    ('1 parameter server and 4 workers', '2 synchronous workers', 'one process')
    """
    workers = (
        f"{layout.workers} {'' if layout.ps else 'synchronous '}worker{'' if layout.workers == 1 else 's'}"
    )
    if layout.ps:
        return f"{layout.ps} parameter server{'' if layout.ps == 1 else 's'} and {workers}"
    return "one process" if layout.workers == 1 else workers
