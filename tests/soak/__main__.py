"""``python -m tests.soak --minutes 5 --seed 1``: shake a whole workbench and print what held."""

import argparse
import json
import shutil
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.soak import figures
from tests.soak.running import logs_of, soak
from workbench.settings import PROJECT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="of drawings and blows (5)")
    parser.add_argument("--seed", type=int, default=1, help="another one, another order of blows (1)")
    parser.add_argument("--rate", type=float, default=12.0, help="drawings a second (12)")
    parser.add_argument(
        "--patience", type=float, default=300.0, metavar="S", help="given to jobs to end afterwards (300)"
    )
    parser.add_argument(
        "--home", type=Path, help="a folder for it all, which must not exist (one under build/)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    asked = parser.parse_args()
    if asked.minutes <= 0.3:
        parser.error(f"--minutes must be above 0.3. Received: {asked.minutes:g}")
    if asked.home and asked.home.exists():
        parser.error(f"--home must not exist yet. Received: {asked.home}")
    if asked.home:
        asked.home.parent.mkdir(parents=True, exist_ok=True)
        parent = asked.home.absolute().parent
    else:
        (PROJECT / "build").mkdir(exist_ok=True)
        # Not under /tmp, which machines see empty.
        parent = Path(tempfile.mkdtemp(prefix="soak-", dir=PROJECT / "build"))
        parent.chmod(0o755)
    home = asked.home.absolute() if asked.home else parent / "home"
    found, findings = soak(
        home, _free_ports(3), 60 * asked.minutes, asked.seed, rate=asked.rate, patience_s=asked.patience
    )
    print(figures.table(found, findings))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    log = home.with_suffix(".log")
    if findings:
        print(f"what `up` said: {log}; what its processes wrote: {logs_of(home)}", file=sys.stderr)
    else:
        shutil.rmtree(home if asked.home else parent)
        log.unlink(missing_ok=True)
    return 1 if findings else 0


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


if __name__ == "__main__":
    sys.exit(main())
