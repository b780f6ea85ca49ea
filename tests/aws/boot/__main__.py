"""``python -m tests.aws.boot [TRIAL …]``: all of them without one; half an hour, and two gigabytes from Debian and PyPI."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.aws import boot
from tests.aws.boot import account, container, root, vm
from tests.aws.boot.bodies import Body, NotWell
from tests.aws.boot.container import Contained
from tests.aws.boot.trials import TRIALS, Notes
from tests.aws.boot.vm import Virtual
from workbench.settings import PROJECT

BODIES: dict[str, type[Body]] = {"virtual": Virtual, "contained": Contained}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.aws.boot", description=boot.__doc__)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=f"of {', '.join(TRIALS)}; all without one")
    parser.add_argument(
        "--root", type=Path, default=PROJECT / "build" / "boot-root", help="where the image is kept"
    )
    parser.add_argument(
        "--body", choices=BODIES, help="of the machines: virtual where there is KVM, else contained"
    )
    told = parser.parse_args(arguments)
    if unknown := sorted(set(told.trials) - set(TRIALS)):
        parser.error(f"no such trial: {', '.join(unknown)}; there are {', '.join(TRIALS)}")
    if why := root.why_not():
        print(f"skipped: no machine can be booted here: {why}")
        return 0
    made = root.make(told.root)
    body = BODIES[told.body or ("virtual" if vm.kvm_works(made.kernel) else "contained")]
    if body is Contained and (why := container.why_not()):
        print(f"{why}; without KVM the machines are virtual ones whose processor is software: an hour each")
        body = Virtual
    failed = []
    for name in told.trials or TRIALS:
        print(f"{name}: {TRIALS[name].__doc__}", flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=made.disk.parent, prefix="trial-") as folder:
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no machine is left
            try:
                with account.launched(Path(folder), made, body) as estate:
                    TRIALS[name](estate, Notes())
            except (NotWell, OSError) as error:
                failed.append(name)
                print(f"FAILED  {name}: {error}", flush=True)
            else:
                print(f"well    {name}, {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
