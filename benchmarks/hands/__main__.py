"""Run the measurement of what people draw as a command."""

import sys

from benchmarks.hands import main

if __name__ == "__main__":
    sys.exit(main())
