"""What works here, what does not, and what to do about it; looks, and changes nothing."""

from collections.abc import Iterator

from workbench.diagnosis import Diagnosis, run
from workbench.errors import BadInput, WorkbenchError
from workbench.settings import Settings

__all__ = ["PROVIDERS", "Diagnosis", "doctor"]

PROVIDERS = ("local", "aws")


def doctor(settings: Settings, provider: str = "local") -> Iterator[Diagnosis]:
    """Look at this computer, or at the account of AWS that the environment names; each finding as it comes.

    Raises
    ------
    BadInput
        No such provider.
    """
    if provider == "local":
        from workbench.diagnosis import computer

        yield from run(computer.checks(settings))
    elif provider == "aws":
        yield from _account(settings)
    else:
        raise BadInput(f"no provider is called {provider!r}; there are: {', '.join(PROVIDERS)}")


def _account(settings: Settings) -> Iterator[Diagnosis]:
    from workbench.aws.session import Session
    from workbench.diagnosis import account

    try:
        yield from run(account.checks(Session.open(settings), settings), account.CANNOT_TELL)
    except WorkbenchError as error:
        told, _, fix = str(error).partition(": ")
        yield Diagnosis("credentials", False, told, fix)
