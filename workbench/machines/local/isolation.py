"""What machines of this computer must be kept from, and what is said where they cannot be."""

from workbench.machines.local.messages import FULL, NONE, USER, Standing

LEVELS = {"none": NONE, "user": USER, "full": FULL}
"""What ``WORKBENCH_ISOLATION`` says, the least first."""
_ORDER = tuple(LEVELS.values())
_WITHOUT = {
    USER: "their gRPC ports, and all that listens on this computer, can be reached by every recipe",
    NONE: "recipes would run with all rights of the user who runs the workbench, and read its tokens",
}


def refuse(there: Standing, wanted: str) -> str | None:
    """The sentence with which a job is refused here; ``None`` where its machines are isolated as wanted.

    Parameters
    ----------
    wanted
        One of ``LEVELS``.

    >>> refuse(Standing(1, (), False, FULL, ""), "full")
    >>> print(refuse(Standing(1, (), False, NONE, "/root/data cannot be entered by another user"), "user"))
    recipes cannot be kept apart here (/root/data cannot be entered by another user): recipes would run with all rights \
of the user who runs the workbench, and read its tokens. Keep the project and WORKBENCH_HOME where other users may enter \
(chmod o+x on each folder above), let root make namespaces (in a container --privileged, or --cap-add SYS_ADMIN), or run \
the workbench as another user than root. WORKBENCH_ISOLATION=none takes it as it is
    """
    if _ORDER.index(there.isolation) >= _ORDER.index(LEVELS[wanted]):
        return None
    accept = next(name for name, level in LEVELS.items() if level == there.isolation)
    return (
        f"recipes cannot be kept apart here ({there.why_not}): {_WITHOUT[there.isolation]}. Keep the project and "
        "WORKBENCH_HOME where other users may enter (chmod o+x on each folder above), let root make namespaces (in a "
        "container --privileged, or --cap-add SYS_ADMIN), or run the workbench as another user than root. "
        f"WORKBENCH_ISOLATION={accept} takes it as it is"
    )
