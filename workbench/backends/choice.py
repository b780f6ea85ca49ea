"""Choosing a back end by what a person says: nothing for the one here, ``aws``, or a URL."""

from workbench.backends.base import BackEnd
from workbench.settings import Settings

AWS = "aws"


def open_backend(where: str | None, settings: Settings) -> BackEnd:
    """The back end that ``where`` names; ``None`` for the one that this computer uses.

    Raises
    ------
    BadInput
        It is no address.
    Unavailable
        There are no credentials for AWS, or it refuses.
    """
    if where == AWS:
        from workbench.aws.session import Session  # boto3 comes with it
        from workbench.backends.aws import AwsBackEnd

        return AwsBackEnd(Session.open(settings), settings)
    from workbench.backends.http import HttpBackEnd

    return HttpBackEnd(where or settings.backend_service, settings.deploy_token)
