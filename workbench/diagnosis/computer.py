"""Checks of this computer: what is installed, what there is room for, what runs, and what keeps jobs apart."""

import importlib.util
import os
import platform
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import psutil

from workbench.diagnosis import Check, Diagnosis
from workbench.jobs import ACTIVE, Store
from workbench.machines.local.isolation import refuse
from workbench.machines.local.messages import FULL, USER
from workbench.machines.local.provider import LocalProvider
from workbench.services import apache, state
from workbench.settings import Settings
from workbench.system import processes

GB = 1024**3
LITTLE_DISK_GB, NO_DISK_GB = 5.0, 1.0
"""A training of the tutorial leaves 20 MB; packages, data sets and a few models make some GB."""
LITTLE_MEMORY_GB, NO_MEMORY_GB = 4.0, 1.5
"""TensorFlow alone takes 0.6 GB in a training; the three services together 0.4."""
EXTRAS = {
    "backend": ("flask", "gunicorn", "httptools", "uvloop", "onnxruntime", "cv2"),
    "train": ("tensorflow", "keras", "onnx"),
    "dashboard": ("jupyterlab", "voila", "ipywidgets"),
    "aws": ("boto3",),
}
"""Extra → modules by which it is seen."""
LACKS = {
    "backend": "no model can be served here",
    "train": "nothing can be trained here",
    "dashboard": "there are no pages here",
    "aws": "AWS cannot be used from here",
}


def checks(settings: Settings) -> list[Check]:
    """The checks of this computer, the quick ones first."""
    named: dict[str, Callable[[], Diagnosis | Iterable[Diagnosis]]] = {
        "system": _system,
        "packages": _packages,
        "home": partial(_home, settings),
        "disk": partial(_disk, settings),
        "memory": _memory,
        "secrets": partial(_secrets, settings),
        "job store": partial(_job_store, settings),
        "drawing page": _apache,
        "services": partial(_services, settings),
        "ports": partial(_ports, settings),
        "data sets": partial(_data_sets, settings),
        "isolation": partial(_isolation, settings),
    }
    return list(named.items())


def _system() -> Diagnosis:
    system = f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}"
    if platform.system() != "Linux":
        return Diagnosis(
            "system", None, f"{system}; jobs are kept apart on Linux only", "run recipes that you trust"
        )
    return Diagnosis("system", True, system)


def _packages() -> Iterator[Diagnosis]:
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            said = f"{', '.join(missing)} is not installed: {LACKS[extra]}"
            yield Diagnosis(f"extra {extra}", None, said, f"pip install 'workbench[{extra}]', or make up")
        else:
            yield Diagnosis(f"extra {extra}", True, "installed")


def _home(settings: Settings) -> Diagnosis:
    home = settings.home
    there = _first_that_exists(home)
    if not os.access(there, os.W_OK | os.X_OK):
        return Diagnosis(
            "home", False, f"{there} cannot be written", "set WORKBENCH_HOME to a folder of your own"
        )
    if there != home:
        return Diagnosis("home", True, f"{home} is made with the first start")
    return Diagnosis("home", True, str(home))


def _disk(settings: Settings) -> Diagnosis:
    free = shutil.disk_usage(_first_that_exists(settings.home)).free / GB
    said = f"{free:.1f} GB are free where {settings.home} is"
    fix = "free some, or set WORKBENCH_HOME to a folder on a larger disk"
    if free < NO_DISK_GB:
        return Diagnosis("disk", False, said, fix)
    return Diagnosis(
        "disk", True if free >= LITTLE_DISK_GB else None, said, "" if free >= LITTLE_DISK_GB else fix
    )


def _memory() -> Diagnosis:
    memory = psutil.virtual_memory()
    total, free = memory.total / GB, memory.available / GB
    said = f"{free:.1f} of {total:.1f} GB are free, {os.cpu_count()} processors"
    if free < NO_MEMORY_GB:
        return Diagnosis("memory", False, said, "end other programs before a training")
    if total < LITTLE_MEMORY_GB:
        return Diagnosis("memory", None, said, "train with one worker at a time, or on AWS")
    return Diagnosis("memory", True, said)


def _secrets(settings: Settings) -> Diagnosis:
    open_to_others = [
        path
        for path in (settings.home / "token", settings.home / "deploy_token")
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    if open_to_others:
        named = " ".join(map(str, open_to_others))
        return Diagnosis("secrets", False, f"others can read {named}", f"chmod 600 {named}")
    return Diagnosis("secrets", True, "the tokens are their owner's alone")


def _job_store(settings: Settings) -> Diagnosis:
    if not settings.home.is_dir():
        return Diagnosis("job store", True, "is made with the first job")
    with Store(settings.database_url) as store:
        jobs, alone = store.jobs(state=ACTIVE, limit=1000), store.abandoned()
    said = f"{len(jobs)} job{'' if len(jobs) == 1 else 's'} queued or at work"
    if alone:
        return Diagnosis(
            "job store",
            False,
            f"{said}; nobody looks after {', '.join(str(job.id) for job in alone)}",
            "start the services, which take them up again: workbench up --detach",
        )
    return Diagnosis("job store", True, said)


def _apache() -> Diagnosis:
    program = apache.find()
    if program is None:
        return Diagnosis(
            "drawing page", None, "Apache is not installed; the back end serves the page", apache.INSTALL
        )
    apache.find_modules()
    return Diagnosis("drawing page", True, f"Apache is {program}")


def _services(settings: Settings) -> Iterator[Diagnosis]:
    running = state.read(settings)
    if running is None:
        yield Diagnosis("services", True, "none runs; start them with: workbench up")
        return
    for row in running.rows:
        where = row.url.partition("?")[0]  # behind it stands the token, and a diagnosis is shown to others
        said = row.message or where or row.state
        if row.state in ("given up", "failed"):
            yield Diagnosis(
                row.name,
                False,
                f"{row.state}: {said}",
                f"see {settings.logs}; then: workbench down; workbench up",
            )
        elif row.state == "restarting":
            yield Diagnosis(row.name, None, f"died and is started again: {said}", f"see {settings.logs}")
        else:
            yield Diagnosis(row.name, True, f"{row.state}, {said}" if said != row.state else said)


def _ports(settings: Settings) -> Iterator[Diagnosis]:
    if state.read(settings) is not None:
        return
    for name, address, port in (
        ("FRONTEND", settings.frontend_address, settings.frontend_port),
        ("BACKEND", settings.backend_address, settings.backend_port),
        ("DASHBOARD", settings.dashboard_address, settings.dashboard_port),
    ):
        if who := processes.who_listens(port, address):
            yield Diagnosis(
                f"port {port}",
                False,
                f"taken by {who}",
                f"end it, or choose another port: WORKBENCH_{name}_PORT={port + 1000}",
            )
        else:
            yield Diagnosis(f"port {port}", True, "free")


def _data_sets(settings: Settings) -> Diagnosis:
    if importlib.util.find_spec("numpy") is None:
        return Diagnosis("data sets", None, "nothing is trained here")
    from workbench.datasets.fetching import SOURCES  # with NumPy, which is an extra's

    here = [name for name in SOURCES if (settings.data / f"{name}.npz").exists()]
    missing = [name for name in SOURCES if name not in here]
    if missing:
        said = f"{', '.join(missing)} is fetched with its first use" + (
            f"; {', '.join(here)} is here" if here else ""
        )
        return Diagnosis("data sets", True, said)
    return Diagnosis("data sets", True, f"{', '.join(here)} are here")


def _isolation(settings: Settings) -> Diagnosis:
    if importlib.util.find_spec("tensorflow") is None:
        return Diagnosis("isolation", None, "nothing is trained here")
    there = LocalProvider(settings).prewarm()
    if there.isolation == FULL:
        return Diagnosis("isolation", True, "jobs have namespaces and a user of their own")
    said = (
        "a job has a user of its own, and no namespaces"
        if there.isolation == USER
        else "a job has all your rights"
    )
    refused = refuse(there, settings.isolation)
    return Diagnosis(
        "isolation",
        None if refused is None else False,
        f"{said} ({there.why_not}){'; jobs are refused' if refused else ''}",
        refused or "run recipes that you trust; SECURITY.md says what isolation needs",
    )


def _first_that_exists(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())
