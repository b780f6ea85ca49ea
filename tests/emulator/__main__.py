"""``python -m tests.emulator``: an emulator until Ctrl-C, and what to set; ``demo``: with a workbench that uses it."""

import sys
import tempfile
from pathlib import Path

from tests.emulator.client import Emulator
from tests.emulator.server import serve


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["serve"]:
        folder, mode, boot, minute_s = arguments[1:]
        serve(Path(folder), mode, boot=boot == "1", minute_s=int(minute_s))
        return 0
    if arguments == ["demo"]:
        from tests.emulator import demo

        return demo.run()
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, Emulator(Path(folder)) as emulator:
        for name, value in emulator.environ.items():
            print(f"export {name}={value}")
        print(f"# {emulator.mode} mode; Ctrl-C ends it", flush=True)
        try:
            sys.stdin.read()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
