"""The units that the machines' first boots write, as they write them."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from workbench.settings import PROJECT

SCRIPTS = ("workbench/application/boot/app.sh", "workbench/machines/aws/on_machine/boot.sh")
STARTED = "#!/bin/sh\nexec sleep 100000\n"
"""In place of what the units start."""


def written(root: Path, role: str) -> Mapping[str, str]:
    """Each unit's text by its name, on a machine of this role whose files are below ``root``."""
    told = {
        **{"root": root, "here": root, "ROLE": role, "user": "root", "asked": "https://10.0.2.15:8888/api"},
        **{"idle": "120", "BUCKET": "workbench-1-x", "STACK": "workbench", "REGION": "us-east-1"},
        **{"ROOT": root, "CODE": "code/1.zip", "CLUSTER": "job-1", "OWNER": "0a1b2c"},
    }
    found = {}
    for script in SCRIPTS:
        text = (PROJECT / script).read_text()
        for name, unit in re.findall(r"cat >/etc/systemd/system/(\S+) <<END\n(.*?)\nEND\n", text, re.DOTALL):
            filled = subprocess.run(
                ["sh", "-euc", f"cat <<END\n{unit}\nEND\n"],
                env={"PATH": "/usr/bin:/bin", **{key: str(value) for key, value in told.items()}},
                capture_output=True,
                text=True,
                check=True,
            )
            found[name] = filled.stdout
    return found
