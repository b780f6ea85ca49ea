"""The application's and the clusters' machines under a true systemd: a Debian in QEMU whose first boot is ours.

The account is the emulator's, of states alone. A machine of it is given body: a virtual machine with the user data, the
metadata and the role's keys of that instance, which installs from Debian and PyPI as on EC2, and is troubled on the way.
What Ubuntu does differently, and Systems Manager's agent, are not here.
"""
