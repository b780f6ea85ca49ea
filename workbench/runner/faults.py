"""What to do about what a job's machines show: decided here, done by the runner.

| what happened | what is done |
| --- | --- |
| a worker beside parameter servers ends | it is started again and rejoins; training goes on meanwhile |
| a parameter server ends | it and the chief are started again; the chief goes on from its checkpoint |
| the chief ends | a new one attaches to the others; those that were done already are started, too |
| one of several synchronous workers ends | all are started again from the checkpoint |
| the only machine ends | it is started again from the checkpoint |
| the recipe's own code fails, or a machine uses too much memory | the job fails: it would happen again |
| nothing is heard for long | the job fails, with the place where it hangs |
| a machine ends again and again without a step in between | the job fails |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.events import Error
from workbench.machines import Layout, Machine, Place, scarcity

DONE, RECIPE_FAILED, CLUSTER_BROKE = 0, 3, 4
"""Exit codes of a node."""
STOPPED = "stopped"
"""Why a machine ended that was asked to."""


@dataclass(frozen=True)
class Rules:
    """How patient a runner is."""

    silent_s: float = 900.0
    """Without any event from any machine, after which a job counts as hanging."""
    settle_s: float = 8.0
    """Given to the others to say what went wrong, when a machine ends because it lost a peer."""
    free_s: float = float("inf")
    """For machines, where a provider has none free; meanwhile a person, or a cap of costs, may end the job."""
    free_pauses_s: tuple[float, ...] = scarcity.PAUSES_S
    """Between two requests for machines of which none is free; the last one again and again."""
    restarts: int = 3
    """Of one machine without a step in between."""
    restarts_in_all: int = 20
    heartbeat_s: float = 5.0
    """Between two signs of life of the runner; see ``jobs.LEASE_S``."""
    last_resort_s: float = 5.0
    """After somebody asked to terminate, until the machines are ended whatever the runner is doing."""


@dataclass(frozen=True)
class Restart:
    """Machines that were started again."""

    t: float
    places: frozenset[Place]
    step: int


@dataclass(frozen=True)
class View:
    """All that is known of a job at a moment.

    Attributes
    ----------
    machines
        What the provider says.
    phases, errors
        What each machine reported last in this attempt.
    step
        The most steps that were ever done.
    broken_since
        When the first machine was seen that had ended though it should not, or ``None``.
    heard
        When the last event came, or the last machine was started.
    exported
        The leading machine has left a whole export.
    """

    layout: Layout
    machines: Sequence[Machine]
    phases: Mapping[Place, str]
    errors: Mapping[Place, Error]
    step: int
    restarts: Sequence[Restart]
    now: float
    broken_since: float | None
    heard: float
    exported: bool


@dataclass(frozen=True)
class Wait:
    """Nothing is to be done."""


@dataclass(frozen=True)
class Publish:
    """The export is there; the machines are not needed any more."""


@dataclass(frozen=True)
class Again:
    """Stop some machines, then start some."""

    stop: frozenset[Place]
    start: frozenset[Place]
    why: str


@dataclass(frozen=True)
class Fail:
    """The job cannot go on."""

    place: Place
    message: str
    error: Error | None = None
    """What the machine said itself."""


@dataclass(frozen=True)
class Hangs:
    """Nothing is heard of any machine: ask them where they are, then fail."""

    silent_s: float


Action = Wait | Publish | Again | Fail | Hangs


def ended(view: View) -> list[Machine]:
    """The machines that do not run though they have more to do, the likeliest cause first."""
    broken = [
        machine
        for machine in view.machines
        if machine.state not in ("running", "pending")
        and not (machine.exit and machine.exit.code == DONE and view.phases.get(machine.place) == "done")
    ]
    return sorted(broken, key=lambda m: m.exit is not None and m.exit.code == CLUSTER_BROKE)


def decide(view: View, rules: Rules) -> Action:
    """What is to be done now."""
    leader = next((m for m in view.machines if m.place == view.layout.leader), None)
    if view.exported and (leader is None or leader.state != "running"):
        return Publish()
    if leader and leader.exit and leader.exit.code == DONE and view.phases.get(leader.place) == "done":
        return Fail(leader.place, f"{leader.place} was done but left no model")
    broken = ended(view)
    if not broken:
        if view.now - view.heard > rules.silent_s:
            return Hangs(view.now - view.heard)
        return Wait()
    for machine in broken:
        if failure := _its_own_fault(machine, view):
            return failure
    symptoms = all(m.exit is not None and m.exit.code == CLUSTER_BROKE for m in broken)
    unsettled = view.broken_since is None or view.now - view.broken_since < rules.settle_s
    if symptoms and unsettled and len(broken) < len(view.machines):
        return Wait()  # whoever caused it has not said so yet
    again = _restart(broken, view)
    return _give_up(broken, again, view, rules) or again


def _its_own_fault(machine: Machine, view: View) -> Fail | None:
    """The failure that starting again would only repeat."""
    if machine.exit is None:
        return None
    error = view.errors.get(machine.place)
    if machine.exit.code == RECIPE_FAILED:
        message = error.message if error else "the recipe's code failed and nothing says how"
        return Fail(machine.place, message, error)
    if machine.exit.reason and machine.exit.reason != STOPPED:
        return Fail(machine.place, f"{machine.place} {machine.exit.reason}", error)
    return None


def _restart(broken: Sequence[Machine], view: View) -> Again:
    places = frozenset(machine.place for machine in broken)
    everywhere = frozenset(view.layout.places)
    first = broken[0]
    why = f"{first.place} ended: {first.exit or 'nobody knows how'}"
    if view.layout.ps == 0:
        return Again(everywhere, everywhere, why)
    chief = frozenset({view.layout.leader})
    served = any(place.role == "ps" for place in places)
    if served or chief <= places:  # it waits for all the others, those that had been done among them
        gone = frozenset(m.place for m in view.machines if m.state not in ("running", "pending"))
        return Again(chief if served else frozenset(), places | chief | gone, why)
    return Again(frozenset(), places, why)


def _give_up(broken: Sequence[Machine], again: Again, view: View, rules: Rules) -> Fail | None:
    place = broken[0].place
    error = view.errors.get(place)
    why = f"{again.why} ({error.message})" if error else again.why
    mine = [r for r in view.restarts if place in r.places]
    in_vain = [r for r in mine if r.step >= view.step]
    if len(in_vain) >= rules.restarts:
        return Fail(place, f"{why}; {len(in_vain)} new starts came no step further", error)
    if len(mine) >= rules.restarts_in_all:
        return Fail(place, f"{why}; it was started again {len(mine)} times already", error)
    return None
