"""A request on its way in: how long it may take, and how long its head may be."""

ARRIVE_S = 10.0
"""A request must arrive within this time, or faster than :data:`PACE`."""
PACE = 100 * 1024
"""Bytes a second at which a large request may take longer."""
WHOLE = 16 * 1024 * 1024
"""Longer bodies are read by their route, piece by piece; the routes that take such ones ask for a token first."""
MAX_HEAD = 32 * 1024
"""Bytes of a request's head, at most."""


class Arrival:
    """The time that a request has to arrive; fed with the number of bytes that came, it says until when."""

    def __init__(self, now: float) -> None:
        self.deadline = now + ARRIVE_S

    def feed(self, size: int, now: float) -> None:
        """Give a steady stream of bytes more time, but never more than :data:`ARRIVE_S` from now."""
        self.deadline = max(self.deadline, min(now + ARRIVE_S, self.deadline + size / PACE))
