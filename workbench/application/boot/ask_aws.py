"""Asks AWS what a machine of the application needs at boot. Runs by itself, before any of the project can be imported.

ask_aws.py tell STATE MESSAGE      writes machines/STACK/INSTANCE.json into the bucket, for whoever launched it
ask_aws.py secret PARAMETER FILE   keeps a secret of the parameter store in a file, mode 600
ask_aws.py address                 prints the machine's private address
"""

import json
import os
import sys
import time
import urllib.request


def metadata(path: str) -> str:
    """Ask the metadata service (version 2) about this machine."""
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254"
    wish = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    asked = urllib.request.Request(f"{base}/latest/api/token", method="PUT", headers=wish)  # noqa: S310
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
        token = answer.read().decode()
    asked = urllib.request.Request(  # noqa: S310
        f"{base}/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token}
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
        return str(answer.read().decode()).strip()


def tell(state: str, message: str) -> None:
    import boto3

    instance = os.environ.get("INSTANCE_ID") or metadata("instance-id")
    boto3.client("s3").put_object(
        Bucket=os.environ["BUCKET"],
        ExpectedBucketOwner=os.environ["BUCKET"].split("-")[1],
        Key=f"machines/{os.environ['STACK']}/{instance}.json",
        Body=json.dumps({"state": state, "message": message, "t": time.time()}).encode(),
    )


def secret(parameter: str, path: str) -> None:
    import boto3

    found = boto3.client("ssm").get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(found)


def address() -> None:
    print(os.environ.get("PRIVATE_IP") or metadata("local-ipv4"))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
