"""The job queue with runners and machines that import no TensorFlow: ``python -m tests.soak.stub_queue``."""

import time

from tests import stub_runner
from workbench.jobs import Store
from workbench.settings import from_environment


def main() -> None:
    settings = from_environment()
    with Store(settings.database_url) as store:
        while True:
            stub_runner.tick(store, settings)
            time.sleep(0.3)


if __name__ == "__main__":
    main()
