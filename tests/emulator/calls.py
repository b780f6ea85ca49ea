"""What a request to AWS asks for, and how each protocol says that it failed."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl
from xml.sax.saxutils import escape

REGION = "us-east-1"
ACCOUNT = "123456789012"
CALLER_KEY = "AKIAEMULATED00000000"
EXPECTED_OWNER = "expected-bucket-owner"
"""In a call's context, whose bucket it must be."""
NEW = "new"
"""In place of the id of what is not made yet."""
SECRET = "emulated/secret/key/that/opens/nothing0000"
_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_BY_QUERY = {
    "acl": "Acl",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "publicAccessBlock": "PublicAccessBlock",
    "ownershipControls": "BucketOwnershipControls",
    "versioning": "BucketVersioning",
    "location": "BucketLocation",
    "cors": "BucketCors",
    "logging": "BucketLogging",
    "notification": "BucketNotificationConfiguration",
}


@dataclass(frozen=True)
class Call:
    """One request to AWS."""

    service: str
    """As in a policy: ``ec2``, ``s3``, ``ssm``."""
    action: str
    key: str
    """The access key that signed it; empty: nobody."""
    protocol: str
    """``ec2``, ``query``, ``json`` or ``rest``."""
    resource: str = ""
    """The path of an S3 request: ``bucket/key``."""
    arns: Sequence[str] = ()
    """What it is about, where that is told: parameters, what of EC2 changes or is run, a command's document and bucket."""
    context: Mapping[str, str] = field(default_factory=dict)
    """What else a policy's conditions may ask for: ``s3:prefix``; the tags that what is made will have."""
    at: float = field(default_factory=time.time)
    machine: str | None = None
    """The instance that called; ``None``: the account's owner."""
    error: str = ""

    def changes(self) -> bool:
        """Whether AWS does something, beyond telling."""
        harmless = ("Describe", "List", "Get", "Head", "Simulate", "Select")
        return not self.action.startswith(harmless)


def read(environ: dict[str, Any], body: bytes) -> Call:
    """What the request asks for; the body is needed of form posts only."""
    query = environ.get("QUERY_STRING", "")
    path = environ.get("PATH_INFO", "/")
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if not scope and "X-Amz-Credential" in query:
        given = parse_qs(query)["X-Amz-Credential"][0]
        scope = _SCOPE.search(f"Credential={given}")
    key, service = (scope[1], scope[3]) if scope else ("", "s3")
    service = {"monitoring": "cloudwatch"}.get(service, service)
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        action = target.rpartition(".")[2]
        arns = _ssm_arns(action, json.loads(body or b"{}")) if service == "ssm" else []
        return Call(service, action, key, "json", arns=arns)
    if service == "s3":
        action = _s3_action(environ["REQUEST_METHOD"], path, query, environ)
        told = {
            "s3:prefix": parse_qs(query).get("prefix", [""])[0],
            EXPECTED_OWNER: environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", ""),
        }
        return Call(service, action, key, "rest", path[1:], context={k: v for k, v in told.items() if v})
    form = dict(parse_qsl(body.decode("utf-8", "replace") or query))
    action = form.get("Action", "?")
    if service != "ec2":
        return Call(service, action, key, "query")
    return Call(service, action, key, "ec2", arns=_ec2_arns(action, form), context=_tags_to_be(form))


def _ssm_arns(action: str, asked: Mapping[str, Any]) -> list[str]:
    if action in ("GetParameter", "GetParameters"):
        names = asked.get("Names") or [asked.get("Name", "")]
        return [f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name.lstrip('/')}" for name in names]
    if action == "SendCommand":
        document = f"arn:aws:ssm:{REGION}::document/{asked.get('DocumentName')}"
        bucket = asked.get("OutputS3BucketName")
        instances = [_ec2_arn("instance", id) for id in asked.get("InstanceIds", [])]
        return [document, *instances, *([f"arn:aws:s3:::{bucket}"] if bucket else [])]
    return []


_KINDS = {
    "AllocationId": "elastic-ip",
    "GroupId": "security-group",
    "ImageId": "image",
    "InstanceId": "instance",
    "InternetGatewayId": "internet-gateway",
    "LaunchTemplateId": "launch-template",
    "NetworkInterfaceId": "network-interface",
    "RouteTableId": "route-table",
    "SecurityGroupId": "security-group",
    "SnapshotId": "snapshot",
    "SubnetId": "subnet",
    "VolumeId": "volume",
    "VpcId": "vpc",
}


def _ec2_arns(action: str, form: Mapping[str, str]) -> list[str]:
    """What of EC2 a call changes or takes; of what it makes, the kind."""
    if action.startswith("Describe"):
        return []
    named = [
        _ec2_arn(_KINDS[kind], value)
        for name, value in form.items()
        if (kind := re.sub(r"\.\d+$", "", name).rpartition(".")[2]) in _KINDS
    ]
    if action == "CreateImage":
        return [*named, _ec2_arn("image", NEW), _ec2_arn("snapshot", NEW)]
    if action != "RunInstances":
        return named
    made = ["instance", "volume", "network-interface"]
    made += ["spot-instances-request"] if form.get("InstanceMarketOptions.MarketType") == "spot" else []
    return [*named, *(_ec2_arn(kind, NEW) for kind in made)]


def _tags_to_be(form: Mapping[str, str]) -> dict[str, str]:
    """``kind:key`` → value of each tag of what the call makes."""
    found = {}
    for name, kind in form.items():
        if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", name):
            of = name.removesuffix("ResourceType")
            for key, value in form.items():
                if key.startswith(f"{of}Tag.") and key.endswith(".Key"):
                    found[f"{kind}:{value}"] = form.get(f"{key.removesuffix('Key')}Value", "")
    return found


def _ec2_arn(kind: str, id: str) -> str:
    return f"arn:aws:ec2:{REGION}:{'' if kind in ('image', 'snapshot') else ACCOUNT}:{kind}/{id}"


def _s3_action(method: str, path: str, query: str, environ: dict[str, Any]) -> str:
    asked = parse_qs(query, keep_blank_values=True)
    bucket, _, key = path[1:].partition("/")
    verb = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head", "POST": "Post"}.get(
        method, method
    )
    if "tagging" in asked:
        return f"{verb}{'Object' if key else 'Bucket'}Tagging"
    for name, what in _BY_QUERY.items():
        if name in asked:
            return f"{verb}{'Bucket' if name == 'acl' and not key else ''}{what}"
    if not bucket:
        return "ListBuckets"
    if not key:
        return _bucket_action(method, asked)
    if "uploads" in asked:
        return "CreateMultipartUpload"
    if "uploadId" in asked:
        return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "GET": "ListParts"}.get(
            method, "AbortMultipartUpload"
        )
    if method == "PUT" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return "CopyObject"
    return f"{verb}Object"


def _bucket_action(method: str, asked: dict[str, Any]) -> str:
    if "delete" in asked:
        return "DeleteObjects"
    if "uploads" in asked:
        return "ListMultipartUploads"
    if "versions" in asked:
        return "ListObjectVersions"
    names = {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket", "POST": "PostObject"}
    return names.get(method, "ListObjectsV2" if "list-type" in asked else "ListObjects")


def error(call: Call, code: str, message: str, method: str = "POST") -> tuple[str, bytes]:
    """Content type and body of an error as the call's protocol tells it."""
    if call.protocol == "json":
        return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if call.protocol == "ec2":
        return (
            "text/xml",
            f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>0</RequestID></Response>".encode(),
        )
    if call.protocol == "query":
        told = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>0</RequestId></ErrorResponse>"
        return "text/xml", told.encode()
    return "application/xml", b"" if method == "HEAD" else f"<Error>{inner}</Error>".encode()


def error_code(body: bytes) -> str:
    """The code in an error's body, whatever the protocol."""
    text = body[:4000].decode("utf-8", "replace")
    if found := re.search(r"<Code>([^<]+)</Code>", text):
        return found[1]
    found = re.search(r'"__type":\s*"(?:[^"#]*#)?([^"]+)"', text)
    return found[1] if found else ""
