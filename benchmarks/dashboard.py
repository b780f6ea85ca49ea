"""The first widget of one small page: our dashboard, with and without a kernel ready, beside stock Voilà, Solara and Panel.

Each by its own command with its own template and settings, a new browser context for each visit, in turns. Requests to
other hosts, which Voilà's template makes, are refused at once, so that no network is measured. Solara and Panel run the
page in the server's own process: there is no kernel of one's own, which others' code cannot end or look into.
"""

import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import nbformat
import psutil
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from benchmarks import environments
from benchmarks.measuring import Row
from benchmarks.serving import Server, free_port, serve
from tests.browser import chromium
from workbench.dashboard.forked.client import SERVER
from workbench.errors import Unavailable
from workbench.services import dashboard
from workbench.settings import PROJECT, from_environment

ROUNDS = 5
NO_OTHER_HOST = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
PATIENCE_MS = 60_000
PEERS = {
    "Solara": ("solara", "-m solara run --production --no-open --host=127.0.0.1 --port={port} {page}"),
    "Panel": ("panel", "-m panel serve --address=127.0.0.1 --port={port} {page}"),
}
"""By name: what the environment is made of, ``peers/NAME.txt``, and what its Python is given; it serves one page."""
QUIET = {"SOLARA_TELEMETRY_MIXPANEL_ENABLE": "false"}
CELL = 'import ipywidgets\nipywidgets.Button(description="Here")'


def run() -> list[Row]:
    """Measure; needs Chromium."""
    program = chromium.find()
    if program is None:
        raise Unavailable(f"no Chromium: none of {', '.join(chromium.PROGRAMS)} is installed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("ready", "cold"):
            _write(folder / "notebooks" / f"{name}.ipynb")
        ours, token = _ours(stack, folder)
        stock = _stock(stack, folder)
        peers, failed = _peers(stack, folder)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=[*chromium.FLAGS, NO_OTHER_HOST])
        stack.callback(browser.close)
        address = f"http://127.0.0.1:{ours.port}"
        login = f"{address}/workbench?token={token}"
        times: dict[str, list[float]] = {name: [] for name in ("ready", "cold", "stock", *peers)}
        memory: dict[str, list[float]] = {"ready": [], "stock": []}
        for turn in range(ROUNDS + 1):
            _wait(lambda: len(kernels(ours)) == 1, "one kernel that is ready")
            time.sleep(2)  # both servers come to rest: what is measured is a visit, not a start
            visits = {
                "ready": (f"{address}/voila/render/ready.ipynb", login, ours),
                "stock": (f"http://127.0.0.1:{stock.port}/voila/render/ready.ipynb", "", stock),
                "cold": (f"{address}/voila/render/cold.ipynb", login, ours),
                **{
                    name: (f"http://127.0.0.1:{peer.port}/{path}", "", peer)
                    for name, (peer, path) in peers.items()
                },
            }
            for name, (url, before, server) in visits.items():
                try:
                    took, pss = _visit(browser, url, before, server)
                except PlaywrightError as error:
                    if name not in peers:
                        raise
                    failed[name] = f"not measured: {error.message.partition(chr(10))[0]}"
                    del peers[name], times[name]
                    continue
                if turn:  # the first visits warm the disk's cache
                    times[name].append(took)
                    if name in memory:
                        memory[name].append(pss)
    middle = {name: statistics.median(values) for name, values in times.items() if values}
    return [
        Row(
            "dashboard: first widget",
            middle["ready"],
            "s",
            middle["stock"],
            goal=round(0.5 * middle["stock"], 2),
        ),
        Row("dashboard: first widget, no kernel ready", middle["cold"], "s", middle["stock"]),
        *(
            Row(
                f"dashboard: first widget beside {name}",
                middle["ready"],
                "s",
                middle.get(name),
                note=failed.get(name, ""),
            )
            for name in PEERS
        ),
        Row(
            "dashboard: memory a visitor",
            statistics.median(memory["ready"]),
            "MB",
            statistics.median(memory["stock"]),
        ),
    ]


def _ours(stack: ExitStack, folder: Path) -> tuple[Server, str]:
    port = free_port()
    settings = from_environment(
        {"WORKBENCH_HOME": str(folder / "home"), "WORKBENCH_DASHBOARD_PORT": str(port)}
    )
    service = dashboard.prepare(settings)
    with Path(service.command[-1].removeprefix("--config=")).open("a") as config:
        config.write(f"c.ServerApp.root_dir = {str(folder / 'notebooks')!r}\n")
        config.write("c.PageKernels.pool_sizes = {'ready.ipynb': 1}\n")
    server = serve(service.command, port, service.environment, answers("/api"), folder / "ours.log")
    return stack.enter_context(server), settings.token


def _stock(stack: ExitStack, folder: Path) -> Server:
    port = free_port()
    options = ("--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1", "--Voila.allow_root=True")
    command = (sys.executable, "-m", "voila", *options, str(folder / "notebooks"))
    environment = {"JUPYTER_CONFIG_DIR": str(folder / "stock"), "IPYTHONDIR": str(folder / "stock")}
    return stack.enter_context(serve(command, port, environment, answers("/"), folder / "stock.log"))


def _peers(stack: ExitStack, folder: Path) -> tuple[dict[str, tuple[Server, str]], dict[str, str]]:
    """The servers that serve the page, each with its path there, and why the others do not."""
    served, failed = {}, {}
    for name, (environment, words) in PEERS.items():
        port, page = free_port(), PROJECT / "benchmarks" / "peers" / f"{environment}_page.py"
        path = "" if name == "Solara" else page.stem
        try:
            command = f"{environments.make(environment)} {words.format(port=port, page=page)}".split()
            server = serve(command, port, QUIET, answers(f"/{path}"), folder / f"{environment}.log")
            served[name] = stack.enter_context(server), path
        except Unavailable as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed[name] = f"not measured: {str(error).partition(chr(10))[0]}"
    return served, failed


def _visit(browser: Browser, url: str, login: str, server: Server) -> tuple[float, float]:
    """Seconds until the widget is to be seen, and the memory of its kernel, MB (PSS)."""
    before = kernels(server)
    with browser.new_context(viewport={"width": 1100, "height": 800}) as context:
        page = context.new_page()
        if login:
            page.goto(login)
        began = time.monotonic()
        page.goto(url, wait_until="commit", timeout=PATIENCE_MS)
        page.get_by_role("button", name="Here").wait_for(timeout=PATIENCE_MS)
        took = time.monotonic() - began
        used = before or kernels(server)  # the one that was ready, or the only one there is
        pss = max(used.values(), default=0.0)
        page.goto("about:blank")
    return took, pss


def kernels(server: Server) -> dict[int, float]:
    """Memory in MB (PSS) of the server's kernels, by process."""
    found = {}
    for child in server.process.children(recursive=True):
        with suppress(psutil.Error):  # it may end while it is asked
            words = " ".join(child.cmdline())
            if "ipykernel_launcher" in words or (SERVER in words and child.ppid() != server.process.pid):
                found[child.pid] = child.memory_full_info().pss / 1e6
    return found


def answers(path: str) -> Callable[[int], bool]:
    def probe(port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return True
        except OSError:
            return False

    return probe


def _wait(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        if time.monotonic() > give_up:
            raise Unavailable(f"{what}: not within 60 s")
        time.sleep(0.2)


def _write(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    v4 = nbformat.v4
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(
        metadata={"kernelspec": kernel}, cells=[v4.new_markdown_cell("# Page"), v4.new_code_cell(CELL)]
    )
    nbformat.write(notebook, path)
