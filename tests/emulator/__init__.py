"""AWS for tests and for people without an account: as much of it as this project uses, on this computer.

    with Emulator(folder) as emulator:
        subprocess.run(["workbench", "launch", "app", "--provider", "aws"], env=os.environ | emulator.environ)

Whatever talks to AWS through boto3 talks to it: ``emulator.environ`` is all that a person would set. Behind
the API is moto in one process. What moto only pretends, is real here:

- **Instances run.** ``ns`` mode (root): an own root file system over this system's, own processes, the
  subnet's address, security groups as packet filters, Elastic IPs that this computer reaches. ``proc`` mode
  (anybody): a folder, processes, a loopback address; public addresses forward the ports that the groups open
  to everybody. User data run at the first boot, ``$WORKBENCH_MACHINE_ROOT/per-boot/*`` at each one,
  ``shutdown -h +N`` ends the instance as its shutdown behaviour says, stop keeps the disk.
- **Machines are golden images:** ``$WORKBENCH_MACHINE_ROOT/env`` leads to the Python that runs the tests. Their
  processes find ``INSTANCE_ID``, ``PRIVATE_IP``, ``WORKBENCH_MACHINE_ROOT``, ``AWS_ENDPOINT_URL`` in the
  environment, and credentials of their role in the instance metadata (version 2) alone. What the role's
  policies do not allow is refused.
- **Run Command runs** and knows exit codes, output (in S3, too), time-outs, cancel, targets, at most 50 ids.
- **CloudFormation** creates and deletes in the background, event by event, rolls back, keeps what has
  dependents, and can be tried again.
- ``ClientToken``, quotas, dry runs, spot notices, launch templates, states on the way (``pending``,
  ``shutting-down``, ``stopping``) are as on AWS.

What goes wrong goes wrong on demand, see ``Fault``. What is not there: updates of stacks, NAT, DNS, the
internet. Of policies, which CloudFormation's handlers meet too (``Emulator.policy`` binds the account's owner), the
resources of S3, SSM and EC2 count, and the conditions that ``roles.py`` names.
"""

from tests.emulator.client import Emulator
from tests.emulator.faults import Fault

__all__ = ["Emulator", "Fault"]
