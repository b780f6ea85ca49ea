"""Standing clusters: machines that somebody launches under a name, and that jobs have one after the other."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from workbench.errors import BadInput, NotFound
from workbench.machines import Layout, Machine, Provider, scarcity

_A_JOBS_OWN = re.compile(r"(job|task|check)-")


@dataclass(frozen=True)
class Patience:
    """Asking for machines of which none is free, until there are some or somebody has had enough."""

    tell: Callable[[str], object]
    """Called with a line before each pause."""
    ends: str
    """How one ends the asking, in words."""
    wait: Callable[[float], object] = time.sleep
    """Lets so many seconds pass; whatever it raises ends the asking."""


def launch(provider: Provider, name: str, layout: Layout, patience: Patience | None = None) -> list[Machine]:
    """Make a standing cluster; its machines stand ready.

    Parameters
    ----------
    patience
        For where no machine is free; without it that is an error.

    Raises
    ------
    BadInput
        The name is taken, is no name, or is kept for the clusters that jobs make for themselves.
    """
    check_name(name)
    if patience is None:
        return provider.launch(name, layout)
    how = f"until there is one; {patience.ends} ends the asking"
    return scarcity.until_free(partial(provider.launch, name, layout), patience.tell, patience.wait, how=how)


def check_name(name: str) -> None:
    """Refuse the names of clusters that jobs make and end themselves: raises ``BadInput``."""
    if _A_JOBS_OWN.match(name):
        raise BadInput(
            f"clusters whose names begin with job-, task- or check- belong to jobs. Received: {name!r}"
        )


def standing(machines: Sequence[Machine]) -> dict[str, list[Machine]]:
    """Of these machines, those of standing clusters, by name."""
    found: dict[str, list[Machine]] = {}
    for machine in machines:
        if not _A_JOBS_OWN.match(machine.cluster):
            found.setdefault(machine.cluster, []).append(machine)
    return found


def layout_of(machines: Sequence[Machine], name: str) -> Layout:
    """The layout of a cluster, from its machines.

    Raises
    ------
    NotFound
        It has none.
    """
    if not machines:
        raise NotFound(
            f"no standing cluster is called {name!r}; launch it with: workbench launch cluster --name {name}"
        )
    count = {role: sum(machine.role == role for machine in machines) for role in ("ps", "worker")}
    return Layout(count["ps"], count["worker"])


def check_layout(machines: Sequence[Machine], name: str, layout: Layout) -> None:
    """Refuse a job whose layout is not the cluster's.

    Raises
    ------
    NotFound
        There is no such cluster.
    BadInput
        It has other machines than the job asks for.
    """
    there = layout_of(machines, name)
    if (there.ps, there.workers) != (layout.ps, layout.workers):
        raise BadInput(
            f"the cluster {name!r} has {there.ps} parameter servers and {there.workers} workers, "
            f"the job asks for {layout.ps} and {layout.workers}"
        )
