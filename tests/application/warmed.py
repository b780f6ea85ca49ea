"""Load once what every command would load again; imported by the process that ``steps.py`` forks commands from.

To read the descriptions of AWS's services is most of what a short command takes.
"""

import functools
import importlib
import pkgutil
from typing import Any

import boto3
from botocore.loaders import JSONFileLoader

import workbench.cli

SERVICES = ("budgets", "cloudformation", "ec2", "iam", "s3", "service-quotas", "ssm", "sts")


def warm() -> None:
    """Keep each description that botocore reads, and import what clients and commands import late."""
    reader, read = JSONFileLoader(), JSONFileLoader.load_file

    @functools.cache
    def load_file(file_path: str) -> Any:
        return read(reader, file_path)

    JSONFileLoader.load_file = lambda self, file_path: load_file(file_path)
    session = boto3.Session("warm", "warm", region_name="us-east-1")
    for service in SERVICES:
        session.client(service)
    for module in pkgutil.walk_packages(workbench.cli.__path__, "workbench.cli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


warm()
