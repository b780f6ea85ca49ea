"""``python -m tests.fuzz --inputs N --seed S [TARGET …]``: feed every target, keep what it did not stand; 1 if there is any."""

import argparse
import sys

from tests.fuzz.feeding import feed, keep
from tests.fuzz.made import case
from tests.fuzz.made.generators import GENERATORS
from tests.fuzz.targets import targets


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=50_000, metavar="N", help="for each target (50000)")
    parser.add_argument("--made", type=int, default=5_000, metavar="N", help="by each generator (5000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the source of chance (0)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="only these")
    arguments = parser.parse_args()
    crashes = 0
    print(f"{'':22} {'inputs':>8} {'refused':>8} {'crashes':>8} {'a second':>9}")
    for target in targets():
        if arguments.targets and target.name not in arguments.targets:
            continue
        fed = feed(target, arguments.inputs, arguments.seed)
        rate = fed.inputs / max(fed.seconds, 1e-9)
        print(
            f"{fed.target:22} {fed.inputs:8,} {fed.refused:8,} {len(fed.crashes):8} {rate:9,.0f}", flush=True
        )
        for path, said in zip(keep(fed), fed.crashes.values(), strict=True):
            print(f"  {path}: {said}", flush=True)
        crashes += len(fed.crashes)
    print(f"\n{'':22} {'made':>8} {'not understood':>17}")
    for generator in GENERATORS:
        if arguments.targets and generator.name not in arguments.targets:
            continue
        found = case.try_many(generator, arguments.made, arguments.seed)
        print(f"{found.target:22} {found.inputs:8,} {len(found.crashes):17}", flush=True)
        for path, said in zip(case.keep(found), found.crashes.values(), strict=True):
            print(f"  {path}: {said}", flush=True)
        crashes += len(found.crashes)
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
