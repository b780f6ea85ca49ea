"""Which processes come first when the cores do not suffice: pages and answers before trainings and preparations."""

import contextlib
import time
from pathlib import Path

BACKGROUND = 10
"""Niceness of what nobody waits for from second to second; nine times less of a contested core than 0 gets."""
_TRIES, _PAUSE_S = 5, 0.11


def weigh_session(pid: int | str, niceness: int) -> None:
    """Weigh the session that a process belongs to against other sessions; nothing where the system does not do that.

    Where Linux groups processes by session, as it does unless told otherwise, the niceness of a process counts
    within its session only, and a process that has a session for itself gains or loses nothing by it (``sched(7)``,
    "The autogroup feature"). Who owns the process may weigh it, in both directions, if ``niceness`` is at least 0.

    Parameters
    ----------
    pid
        Of any process of the session; ``"self"`` for the calling one's.
    niceness
        0 to 19.
    """
    path = Path(f"/proc/{pid}/autogroup")
    for _ in range(_TRIES):
        try:
            path.write_text(str(niceness))
            return
        except BlockingIOError:  # one such change each tenth of a second is allowed
            time.sleep(_PAUSE_S)
        except OSError:
            return


def session_weight(pid: int) -> int | None:
    """The niceness of the session that a process belongs to; ``None`` where sessions have none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])
    return None
