"""Who gave a drawing, as a reviewer chooses it: everybody, visitors who corrected, or one writer."""

from collections.abc import Sequence

from workbench.backends.correction_values import Correction

EVERYBODY = ("everybody", "")
CORRECTED = "corrections"
COLLECTED = "collected"


def name(correction: Correction) -> str:
    """The writer's name, and what tells two of the same name apart; empty for a visitor's correction."""
    if not correction.session:
        return ""
    return f"{correction.writer or 'no name'} · {correction.session[:4]}"


def options(corrections: Sequence[Correction]) -> list[tuple[str, str]]:
    """What can be chosen among these, as a dropdown takes it: text and value."""
    sessions = {c.session: name(c) for c in corrections if c.session}
    corrected = sum(not c.session for c in corrections)
    found = [EVERYBODY]
    if sessions and corrected:
        found.append((f"visitors who corrected ({corrected:,})", CORRECTED))
    if len(sessions) > 1:
        found.append((f"all writers ({len(corrections) - corrected:,})", COLLECTED))
    for session, text in sorted(sessions.items(), key=lambda pair: (pair[1].casefold(), pair[0])):
        found.append((f"{text} ({sum(c.session == session for c in corrections):,})", session))
    return found


def is_by(correction: Correction, chosen: str) -> bool:
    """Tell whether a drawing is by whom was chosen."""
    if chosen == CORRECTED:
        return not correction.session
    if chosen == COLLECTED:
        return bool(correction.session)
    return not chosen or correction.session == chosen
