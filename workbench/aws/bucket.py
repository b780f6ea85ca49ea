"""The bucket: code, jobs and models. It is no part of the stack, so that what was trained outlives the machines."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

from workbench.aws import names
from workbench.aws.refusals import AwsFailure, NotAllowed, code_of, said
from workbench.aws.session import Session, pages
from workbench.errors import NotFound
from workbench.system import files

KEEP_JOBS_DAYS = 30
"""Machines' reports are copied to whoever asked; those in the bucket go after so long."""
_GONE = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}


class Stored(NamedTuple):
    """One object."""

    key: str
    size: int
    etag: str


class Bucket:
    """The bucket of an account and region."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @cached_property
    def name(self) -> str:
        return names.bucket(self.session.account, self.session.region)

    def exists(self) -> bool:
        """True if it is there and ours."""
        try:
            self.session.s3.head_bucket(Bucket=self.name)
        except AwsFailure as error:
            if code_of(error) in _GONE:
                return False
            if code_of(error) == "403":
                raise NotAllowed(
                    f"the bucket {self.name} is somebody else's, or these credentials lack s3:ListBucket on it"
                ) from error
            raise said(error, f"look at the bucket {self.name}") from error
        return True

    def ensure(self) -> str:
        """Make it if it is not there, private and encrypted in any case; its name. Doing so again is fine."""
        s3 = self.session.s3
        try:
            if not self.exists():
                _create(s3, self.name, self.session.region)
            s3.put_public_access_block(
                Bucket=self.name,
                PublicAccessBlockConfiguration={
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": True,
                    "BlockPublicPolicy": True,
                    "RestrictPublicBuckets": True,
                },
            )
            s3.put_bucket_encryption(
                Bucket=self.name,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                },
            )
            s3.put_bucket_lifecycle_configuration(Bucket=self.name, LifecycleConfiguration=_LIFECYCLE)
            s3.put_bucket_tagging(
                Bucket=self.name, Tagging={"TagSet": [{"Key": "project", "Value": names.PROJECT}]}
            )
        except AwsFailure as error:
            raise said(error, f"make the bucket {self.name}") from error
        return self.name

    def put(self, key: str, content: Path | bytes | IO[bytes]) -> None:
        """Store a file, opened or not, or bytes."""
        try:
            if isinstance(content, bytes):
                self.session.s3.put_object(Bucket=self.name, Key=key, Body=content)
            elif not isinstance(content, Path):
                self.session.s3.upload_fileobj(content, self.name, key)
            else:
                self.session.s3.upload_file(str(content), self.name, key)
        except AwsFailure as error:
            raise said(error, f"store {key} in {self.name}") from error

    def get(self, key: str) -> bytes | None:
        """Read what is stored there; ``None`` where nothing is."""
        try:
            body: bytes = self.session.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        except AwsFailure as error:
            if code_of(error) in _GONE:
                return None
            raise said(error, f"read {key} from {self.name}") from error
        return body

    def has(self, key: str) -> bool:
        """True if something is stored there."""
        try:
            self.session.s3.head_object(Bucket=self.name, Key=key)
        except AwsFailure as error:
            if code_of(error) in _GONE:
                return False
            raise said(error, f"look for {key} in {self.name}") from error
        return True

    def download(self, key: str, path: Path) -> None:
        """Write what is stored there to a file, whole or not at all.

        Raises
        ------
        NotFound
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with files.replacing(path) as aside:
                self.session.s3.download_file(self.name, key, str(aside))
        except AwsFailure as error:
            if code_of(error) in _GONE:
                raise NotFound(f"{key} is not in the bucket {self.name}") from error
            raise said(error, f"fetch {key} from {self.name}") from error

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """All objects whose key begins so, in the order of their keys."""
        try:
            for found in pages(
                self.session.s3, "list_objects_v2", "Contents", Bucket=self.name, Prefix=prefix
            ):
                yield Stored(found["Key"], int(found["Size"]), found["ETag"].strip('"'))
        except AwsFailure as error:
            if code_of(error) in _GONE:
                return
            raise said(error, f"list {prefix} in {self.name}") from error

    def delete(self, prefix: str) -> int:
        """Remove all objects whose key begins so; how many there were. None at all is fine."""
        keys = [found.key for found in self.list(prefix)]
        try:
            for first in range(0, len(keys), 1000):  # as many as one request takes
                some = [{"Key": key} for key in keys[first : first + 1000]]
                self.session.s3.delete_objects(Bucket=self.name, Delete={"Objects": some, "Quiet": True})
        except AwsFailure as error:
            raise said(error, f"remove {prefix} from {self.name}") from error
        return len(keys)

    def link(self, key: str, seconds: int = 3600) -> str:
        """A URL by which anybody can download it for so long."""
        return str(
            self.session.s3.generate_presigned_url(
                "get_object", Params={"Bucket": self.name, "Key": key}, ExpiresIn=seconds
            )
        )

    def remove(self) -> None:
        """Remove the bucket and all that is in it; none at all is fine."""
        if not self.exists():
            return
        self.delete("")
        try:
            self.session.s3.delete_bucket(Bucket=self.name)
        except AwsFailure as error:
            if code_of(error) not in _GONE:
                raise said(error, f"remove the bucket {self.name}") from error


_LIFECYCLE: dict[str, Any] = {
    "Rules": [
        {
            "ID": "jobs",
            "Status": "Enabled",
            "Filter": {"Prefix": "clusters/_jobs/"},
            "Expiration": {"Days": KEEP_JOBS_DAYS},
        },
        # Not all of clusters/: what a standing cluster is to do must be there when it is started again.
        {
            "ID": "commands",
            "Status": "Enabled",
            "Filter": {"Prefix": "clusters/_commands/"},
            "Expiration": {"Days": KEEP_JOBS_DAYS},
        },
        {
            "ID": "broken-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
        },
    ]
}


def _create(s3: Any, name: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=name, **where)
    except AwsFailure as error:
        if code_of(error) != "BucketAlreadyOwnedByYou":
            raise
