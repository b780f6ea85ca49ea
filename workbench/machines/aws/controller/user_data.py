"""The script that an instance of a cluster runs when it is begun; nothing secret is in it."""

import re
from importlib import resources

from workbench.errors import BadInput


def user_data(
    bucket: str,
    code: str,
    region: str,
    home: str,
    cluster: str,
    hours: float,
    mode: str = "cluster",
    *,
    with_gpus: bool = False,
) -> str:
    """Fill the script in.

    Parameters
    ----------
    hours
        After each boot, when the machine ends itself whatever happens.
    mode
        ``cluster``, or ``image`` for a machine that only installs and stops.
    with_gpus
        Whether TensorFlow has to find GPUs there.

    Raises
    ------
    BadInput
        A value is more than a plain word.
    """
    told = {
        "BUCKET": bucket,
        "CODE": code,
        "REGION": region,
        "HOME": home,
        "CLUSTER": cluster,
        "MODE": mode,
        "GPUS": "yes" if with_gpus else "no",
        "MINUTES": str(max(1, round(hours * 60))),
    }
    script = resources.files("workbench.machines.aws.on_machine").joinpath("boot.sh").read_text()
    for name, value in told.items():
        if not re.fullmatch(r"[A-Za-z0-9._/-]+", value):
            raise BadInput(f"{name.lower()} cannot be told to a machine. Received: {value!r}")
        script = script.replace(f"@{name}@", value)
    return script
