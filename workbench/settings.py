"""The environment variables, read in this one place and passed on as a value."""

import getpass
import hmac
import ipaddress
import math
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from workbench.errors import BadInput
from workbench.system.files import keep_once

CODE = Path(__file__).resolve().parent.parent
"""Holds the packages ``workbench`` and ``backend``: a checkout, or the site-packages that a wheel was installed into."""
CARRIED = "carried"
"""Folder of the package in which a wheel brings what lies beside the packages in a checkout; see ``tools/carry.py``."""
INSTALLED = (CODE / "workbench" / CARRIED).is_dir()
PROJECT = CODE / "workbench" / CARRIED if INSTALLED else CODE
"""Holds ``notebooks``, ``recipes``, ``frontend``; nothing of a user's is ever written into it where it is installed."""
ANY = "0.0.0.0"  # noqa: S104
"""Every address of this computer, to listen at."""


Isolation = Literal["none", "user", "full"]
"""Nothing; a user of its own; namespaces of its own besides."""


@dataclass(frozen=True)
class Settings:
    """What the environment asks for; see the table in ``docs/settings.md``."""

    home: Path
    database_url: str
    frontend_port: int
    backend_port: int
    dashboard_port: int
    frontend_address: str
    """At which it listens; so with the other two."""
    backend_address: str
    dashboard_address: str
    backend_service: str
    """Where this computer finds the back end: here, unless another machine runs it."""
    requester: str
    backend_url: str
    """Where the drawing page finds the back end; ``""`` means the page's own ``/api``."""
    allowed_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    """``host:port`` pairs that URLs may name although they are private."""
    trusted_proxies: tuple[ipaddress.IPv4Network, ...]
    """Whose word the back end takes for where a visitor comes from."""
    aws_region: str | None
    aws_stack: str
    """Name of the application's stack on AWS: one an account and region unless told."""
    aws_spot: bool
    """Whether machines of clusters are what AWS has left over: cheaper, and taken back when it needs them."""
    aws_gpu_image: str | None
    """What machines with GPUs begin from; else AWS's own image with a driver."""
    aws_hours: int
    """After how many hours every machine of a cluster ends itself, whatever happens."""
    aws_idle_minutes: int
    """After how many minutes without a job the machines of a standing cluster end themselves; 0 for never."""
    aws_working_idle_minutes: int
    """After how many minutes without use the application's working machine stops itself; 0 for never."""
    tf_model_server: str | None
    isolation: Isolation
    """The least that keeps a recipe of this computer's machines apart: without it no job runs here."""
    max_jobs: int
    """How many jobs train here at a time."""
    max_jobs_per_requester: int
    max_price_per_job: float | None
    """US dollars that one job may cost; ``None`` for no limit."""
    max_price_per_requester: float | None
    """US dollars that all jobs of one requester that are at work may cost together."""
    prepared_kernels: int
    """How many kernels the dashboard keeps ready for each of its pages."""
    notice: str
    """What the dashboard says above every page; ``""`` for nothing."""

    @property
    def own_backend(self) -> str:
        """Where the back end answers that runs here."""
        return f"http://{reachable(self.backend_address)}:{self.backend_port}"

    @property
    def data(self) -> Path:
        """Cached data sets."""
        return self.home / "data"

    @property
    def packages(self) -> Path:
        """Locks of what recipes need besides ours, and what was installed for each."""
        return self.home / "packages"

    @property
    def recipe_files(self) -> Path:
        """Files beside submitted recipes, each by the sha256 of its content."""
        return self.home / "recipe-files"

    @property
    def notebooks(self) -> Path:
        """Those that the dashboard shows: a checkout's own, else copies that are their user's."""
        return self.home / "notebooks" if INSTALLED else PROJECT / "notebooks"

    @property
    def models(self) -> Path:
        """Published versions: ``models/NAME/V``."""
        return self.home / "models"

    @property
    def backend(self) -> Path:
        """What the back end keeps: pushed versions, which of them serves, corrections."""
        return self.home / "backend"

    @property
    def run(self) -> Path:
        """What exists only while services run."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def token(self) -> str:
        """Opens the dashboard; made at first use."""
        return _secret("WORKBENCH_TOKEN", self.home / "token")

    @property
    def deploy_token(self) -> str:
        """Opens the back end's guarded routes; made at first use, never the dashboard's."""
        return _secret("WORKBENCH_DEPLOY_TOKEN", self.home / "deploy_token")

    @property
    def front_end_proof(self) -> str:
        """By this the back end knows the front end of the same computer; nobody else there can say it."""
        return hmac.new(self.deploy_token.encode(), b"the front end of this computer", "sha256").hexdigest()


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises
    ------
    BadInput
        A port that is no port, or the same port asked for twice.
    """
    home = Path(environ.get("WORKBENCH_HOME") or _default_home()).expanduser().absolute()
    ports = {
        name: _port(environ, f"WORKBENCH_{name.upper()}_PORT", default)
        for name, default in (("frontend", 8080), ("backend", 5000), ("dashboard", 8888))
    }
    if len(set(ports.values())) < len(ports):
        raise BadInput(
            f"two services ask for one port: {ports}; set WORKBENCH_…_PORT to three different ports"
        )
    return Settings(
        home=home,
        database_url=environ.get("WORKBENCH_DATABASE_URL") or f"sqlite:///{home / 'workbench.db'}",
        frontend_port=ports["frontend"],
        backend_port=ports["backend"],
        dashboard_port=ports["dashboard"],
        frontend_address=_address(environ, "WORKBENCH_FRONTEND_ADDRESS"),
        backend_address=(own := _address(environ, "WORKBENCH_BACKEND_ADDRESS")),
        dashboard_address=_address(environ, "WORKBENCH_DASHBOARD_ADDRESS"),
        backend_service="http://"
        + (environ.get("WORKBENCH_BACKEND_HOST") or f"{reachable(own)}:{ports['backend']}"),
        requester=environ.get("WORKBENCH_REQUESTER") or _login_name(),
        backend_url=environ.get("WORKBENCH_BACKEND_URL", "").rstrip("/"),
        allowed_origins=_list(environ.get("WORKBENCH_ALLOWED_ORIGINS") or "*"),
        allowed_hosts=_list(environ.get("WORKBENCH_ALLOWED_HOSTS", "")),
        trusted_proxies=_networks(environ.get("WORKBENCH_TRUSTED_PROXIES") or ""),
        aws_region=environ.get("WORKBENCH_AWS_REGION")
        or environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION"),
        aws_stack=_stack_name(environ.get("WORKBENCH_AWS_STACK") or "workbench"),
        aws_spot=_yes(environ, "WORKBENCH_AWS_SPOT"),
        aws_gpu_image=environ.get("WORKBENCH_AWS_GPU_IMAGE") or None,
        aws_hours=_count(environ, "WORKBENCH_AWS_HOURS", 24),
        aws_idle_minutes=_count(environ, "WORKBENCH_AWS_IDLE_MINUTES", 60, least=0),
        aws_working_idle_minutes=_count(environ, "WORKBENCH_AWS_WORKING_IDLE_MINUTES", 120, least=0),
        tf_model_server=environ.get("TF_MODEL_SERVER") or None,
        isolation=_isolation(environ),
        max_jobs=(most := _count(environ, "WORKBENCH_MAX_JOBS", max(1, (os.cpu_count() or 1) // 2))),
        max_jobs_per_requester=_count(environ, "WORKBENCH_MAX_JOBS_PER_REQUESTER", (most + 1) // 2),
        max_price_per_job=_dollars(environ, "WORKBENCH_MAX_PRICE_PER_JOB"),
        max_price_per_requester=_dollars(environ, "WORKBENCH_MAX_PRICE_PER_REQUESTER"),
        prepared_kernels=_count(environ, "WORKBENCH_PREPARED_KERNELS", 2, least=0),
        notice=environ.get("WORKBENCH_NOTICE", "").strip(),
    )


def _default_home() -> Path:
    if not INSTALLED:
        return PROJECT / ".workbench"
    from platformdirs import user_data_path

    return user_data_path("workbench", appauthor=False)


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 65536:
        raise BadInput(f"{name} must be a port from 1 to 65535. Received: {text!r}")
    return int(text)


def _address(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name) or "127.0.0.1"
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise BadInput(
            f"{name} must be an IPv4 address of this computer, or 0.0.0.0 for all. Received: {text!r}"
        ) from error


def reachable(address: str) -> str:
    """Where a service that listens at this address is found from here."""
    return "127.0.0.1" if address == ANY else address


def _count(environ: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise BadInput(f"{name} must be a whole number from {least}. Received: {text!r}")
    return int(text)


def _yes(environ: Mapping[str, str], name: str) -> bool:
    text = (environ.get(name) or "0").lower()
    if text not in ("0", "1", "no", "yes"):
        raise BadInput(f"{name} must be 1 or 0. Received: {text!r}")
    return text in ("1", "yes")


def _isolation(environ: Mapping[str, str]) -> Isolation:
    text = environ.get("WORKBENCH_ISOLATION") or ("full" if os.geteuid() == 0 else "none")
    if text not in get_args(Isolation):
        raise BadInput(
            f"WORKBENCH_ISOLATION must be {', '.join(get_args(Isolation))}. Received: {text[:80]!r}"
        )
    return cast(Isolation, text)


def _dollars(environ: Mapping[str, str], name: str) -> float | None:
    if not (text := environ.get(name)):
        return None
    try:
        if math.isfinite(value := float(text)) and value > 0:
            return value
    except ValueError:
        pass
    raise BadInput(f"{name} must be a number of US dollars above 0, or empty. Received: {text!r}")


def _stack_name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", text):
        raise BadInput(
            "WORKBENCH_AWS_STACK must be 2 to 32 small letters, digits and hyphens, a letter first. "
            f"Received: {text!r}"
        )
    return text


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _networks(text: str) -> tuple[ipaddress.IPv4Network, ...]:
    try:
        return tuple(ipaddress.IPv4Network(part) for part in _list(text))
    except ValueError as error:
        raise BadInput(
            "WORKBENCH_TRUSTED_PROXIES must be ranges of IPv4 addresses such as 192.168.0.0/24, separated by commas. "
            f"Received: {text!r}"
        ) from error


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"user-{os.getuid()}"


def _secret(variable: str, path: Path) -> str:
    """The variable's value, else what the file keeps."""
    return os.environ.get(variable) or keep_once(path, lambda: secrets.token_urlsafe(32))
