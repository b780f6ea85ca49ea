"""Standing clusters: machines that somebody launches under a name, and that jobs have one after the other."""

import re
from collections.abc import Callable, Sequence
from functools import partial

from workbench.errors import BadInput, NotFound
from workbench.machines import Layout, Machine, Provider, scarcity

_A_JOBS_OWN = re.compile(r"(job|task|check)-")


def launch(
    provider: Provider, name: str, layout: Layout, tell: Callable[[str], object] | None = None
) -> list[Machine]:
    """Make a standing cluster; its machines stand ready.

    Parameters
    ----------
    tell
        Called with a line whenever no machine is free: it is then asked for again, until there is one or this call is
        interrupted. Without it that is an error.

    Raises
    ------
    BadInput
        The name is taken, is no name, or is kept for the clusters that jobs make for themselves.
    """
    check_name(name)
    if tell is None:
        return provider.launch(name, layout)
    return scarcity.until_free(
        partial(provider.launch, name, layout), tell, how="until there is one; Ctrl-C ends the asking"
    )


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
