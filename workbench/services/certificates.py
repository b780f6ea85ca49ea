"""A certificate of our own, for a dashboard that is reached over a network: browsers ask once whether to trust it."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import Unavailable
from workbench.settings import Settings

DAYS = 825
"""Browsers take no certificate that is valid for longer."""


@dataclass(frozen=True)
class Certificate:
    """Files in PEM."""

    file: Path
    key: Path
    """Mode 600."""


def own(settings: Settings) -> Certificate:
    """The certificate in the home; made at first use.

    Raises
    ------
    Unavailable
        There is no ``openssl`` to make it with.
    """
    folder = settings.home / "tls"
    found = Certificate(folder / "certificate.pem", folder / "key.pem")
    if found.file.exists() and found.key.exists():
        return found
    if (tool := shutil.which("openssl")) is None:
        raise Unavailable(
            "a dashboard that others can reach needs a certificate, and there is no openssl to make one: install "
            "openssl, or leave WORKBENCH_DASHBOARD_ADDRESS at 127.0.0.1"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, file = folder / f".key.{os.getpid()}", folder / f".certificate.{os.getpid()}"
    name = ["-subj", "/CN=workbench", "-addext", "subjectAltName=DNS:workbench,DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(DAYS)]
    command = [tool, "req", "-x509", *kind, "-keyout", str(key), "-out", str(file), *name]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        raise Unavailable(f"openssl could not make a certificate: {made.stderr.strip()}")
    key.chmod(0o600)
    key.replace(found.key)
    file.replace(found.file)
    return found
