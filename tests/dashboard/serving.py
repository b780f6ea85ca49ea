"""Our Jupyter server on a folder of small notebooks."""

import contextlib
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil

from tests.chain import answers, wait_until
from workbench.services import dashboard
from workbench.settings import Settings

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def write_notebook(path: Path, title: str, *cells: str) -> None:
    """A notebook with a title and cells of code."""
    v4 = nbformat.v4
    notebook = v4.new_notebook(
        metadata={"kernelspec": KERNEL},
        cells=[v4.new_markdown_cell(f"# {title}"), *map(v4.new_code_cell, cells)],
    )
    nbformat.write(notebook, path)


@dataclass(frozen=True)
class Dashboard:
    """The server while it runs."""

    settings: Settings
    process: psutil.Process
    notebooks: Path
    log: Path
    prepared: int
    """How many kernels its pool has when it is full."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.settings.dashboard_port}"

    def ask(self, path: str, method: str = "GET") -> Any:
        """What the server answers to who has the token, as JSON where it is JSON."""
        headers = {"Authorization": f"token {self.settings.token}"}
        request = urllib.request.Request(f"{self.origin}/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read().decode()
            return json.loads(body) if "json" in answer.headers.get("Content-Type", "") else body

    def kernels(self) -> set[str]:
        return {kernel["id"] for kernel in self.ask("api/kernels")}

    def ready(self) -> dict[str, int]:
        """How many kernels are ready, by notebook."""
        return dict(self.ask("workbench/overview")["kernels"])

    def wait_ready(self, timeout_s: float = 60) -> set[str]:
        """Wait until the pool is full and nothing else runs; its kernels."""

        def settled() -> bool:
            return sum(self.ready().values()) == len(self.kernels()) == self.prepared

        wait_until(settled, timeout_s, f"the pool, see {self.log}")
        return self.kernels()


@contextlib.contextmanager
def serving(settings: Settings, notebooks: Path, **options: Any) -> Iterator[Dashboard]:
    """Run the server; ``options`` are its configuration's, with ``__`` for the dot.

    Its kernels are forked as everywhere, but without TensorFlow in them, whose import takes seconds.
    """
    options.setdefault("PageKernels__forked_modules", [*dashboard.FOR_KERNELS, *dashboard.FOR_PAGES])
    service = dashboard.prepare(settings)
    lines = [f"c.ServerApp.root_dir = {str(notebooks)!r}"]
    lines += [f"c.{name.replace('__', '.')} = {value!r}" for name, value in options.items()]
    with Path(service.command[-1].removeprefix("--config=")).open("a") as config:
        config.write("\n".join(lines) + "\n")
    path = settings.home / "dashboard.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            service.command, env=service.environment, stdout=log, stderr=subprocess.STDOUT
        )
    prepared = sum(options.get("PageKernels__pool_sizes", {}).values())
    running = Dashboard(settings, psutil.Process(process.pid), notebooks, path, prepared)

    def is_up() -> bool:
        assert process.poll() is None, path.read_text()[-3000:]
        return answers(service.health)

    try:
        wait_until(is_up, 180, f"the Jupyter server, see {path}")
        yield running
    finally:
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):  # killed by a test
            family = [running.process, *running.process.children(recursive=True)]
        process.terminate()
        process.wait(100)
        for left in psutil.wait_procs(family, 60)[1]:
            left.kill()
