"""One object of S3, whoever's the bucket is: with the credentials that are here, else as one of the public."""

from pathlib import Path
from typing import Any

from workbench.aws.refusals import SET_CREDENTIALS, AwsFailure, NotAllowed, code_of, said
from workbench.aws.session import Session, public_s3
from workbench.errors import NotFound, TooLarge
from workbench.settings import Settings
from workbench.system import files

ANY_REGION = "us-east-1"
"""Asked where no region is set; S3 says which one has the bucket."""
_DENIED = {"403", "AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "ExpiredToken"}
_GONE = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}


def fetch(bucket: str, key: str, path: Path, settings: Settings, most_bytes: int) -> None:
    """Write the object to a file, whole or not at all. Only that object is asked for: no list of the bucket.

    Raises
    ------
    NotAllowed
        Neither these credentials nor the public may read it.
    NotFound, TooLarge, Unavailable
    """
    why = ""
    for client, whose in _clients(settings):
        try:
            size = int(client.head_object(Bucket=bucket, Key=key)["ContentLength"])
            if size > most_bytes:
                raise TooLarge(f"s3://{bucket}/{key} has {size:,} bytes; at most {most_bytes:,} are taken")
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path) as aside:
                client.download_file(bucket, key, str(aside))
            return
        except AwsFailure as error:
            if code_of(error) in _GONE:
                raise NotFound(f"there is no object {key} in the bucket {bucket}") from error
            if code_of(error) not in _DENIED:
                raise said(error, f"fetch s3://{bucket}/{key}") from error
            why = why or whose
    raise NotAllowed(
        f"s3://{bucket}/{key} may not be read: {why}, and it is not public. Its owner can let you (s3:GetObject), or make "
        f"a link that works for a while, to be given instead of s3://: aws s3 presign s3://{bucket}/{key}"
    )


def _clients(settings: Settings) -> list[tuple[Any, str]]:
    """Who asks, one after the other, and what is said of a refusal."""
    try:
        ours = [(Session.open(settings).s3, "these credentials lack s3:GetObject on it, or it is not there")]
    except NotAllowed:
        ours = []
    public = public_s3(settings.aws_region or ANY_REGION)
    return [*ours, (public, f"there are no AWS credentials here ({SET_CREDENTIALS})")]
