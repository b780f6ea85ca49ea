"""A Debian root with kernel, systemd and cloud-init for virtual machines: made once, by apt, into a disk image."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "systemd-sysv",
    "udev",
    "dbus",
    "cloud-init",
    "qemu-guest-agent",
    "linux-image-cloud-amd64",
    "python3",
    "ca-certificates",
    "curl",
    "iproute2",
    "kmod",
    "procps",
    "passwd",
    "netbase",
    "tzdata",
)
"""What an image of Ubuntu's has of what ours use, and the agent through which a test looks into the machine."""
DISK_GB = 12
CA = Path("/etc/ssl/certs/ca-certificates.crt")
NETWORK = "[Match]\nName=en*\n[Network]\nDHCP=yes\n"
NETWORK_OF_CONTAINER = "[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n"
METADATA_ADDRESS = "[Match]\nName=lo\n[Network]\nAddress=169.254.169.254/32\n"
DATA_SOURCE = "datasource_list: [NoCloud]\nnetwork: {config: disabled}\n"
METADATA_SOCKET = """[Unit]
Description=the metadata of an instance
DefaultDependencies=no
After=systemd-networkd.service
Before=cloud-init.service cloud-init-network.service
[Socket]
ListenStream=169.254.169.254:80
FreeBind=yes
[Install]
WantedBy=multi-user.target cloud-init.service
"""
METADATA_SERVICE = """[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/lib/systemd/systemd-socket-proxyd $BENCH
"""
TOOLS = ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "mke2fs")


@dataclass(frozen=True)
class Root:
    """What a machine is begun from; no machine changes it."""

    disk: Path
    kernel: Path
    initrd: Path


def why_not() -> str:
    """Say why there are no such machines here; empty where there are."""
    if os.geteuid() != 0:
        return "a root for virtual machines is made as root"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return (
            f"{', '.join(missing)} missing: apt-get install qemu-system-x86 qemu-utils mmdebstrap e2fsprogs"
        )
    return ""


def make(folder: Path) -> Root:
    """Give the root in this folder; made, in minutes, where it is not there yet.

    Raises
    ------
    subprocess.CalledProcessError
        apt could not be reached, or the disk is full.
    """
    root = Root(folder / "disk.raw", folder / "vmlinuz", folder / "initrd")
    if root.disk.exists():
        return root
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            "--quiet",
            "--dpkgopt=force-unsafe-io",
            f"--include={','.join(PACKAGES)}",
            SUITE,
            str(tree),
            MIRROR,
        ],
        check=True,
    )
    _furnish(tree)
    for name, path in (("vmlinuz", root.kernel), ("initrd", root.initrd)):
        shutil.copy(max(tree.glob(f"boot/{name}*")), path)
    made = folder / "disk.new"
    size = f"{DISK_GB}G"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(tree), str(made), size], check=True)
    shutil.rmtree(tree)
    made.rename(root.disk)
    return root


def _furnish(tree: Path) -> None:
    """Lead the machine to its metadata, to names and to whom this computer trusts."""
    shutil.copy(CA, tree / CA.relative_to("/"))
    resolv = tree / "etc/resolv.conf"
    resolv.unlink(missing_ok=True)
    resolv.write_text("nameserver 10.0.2.3\n")
    written = {
        "etc/hostname": "machine\n",
        "etc/systemd/network/all.network": NETWORK,
        "etc/systemd/network/metadata.network": METADATA_ADDRESS,
        "etc/systemd/network/container.network": NETWORK_OF_CONTAINER,
        "etc/cloud/cloud.cfg.d/99-boot.cfg": DATA_SOURCE,
        "etc/systemd/system/metadata.socket": METADATA_SOCKET,
        "etc/systemd/system/metadata.service": METADATA_SERVICE,
    }
    for name, text in written.items():
        (tree / name).write_text(text)
    units = ["systemd-networkd", "systemd-networkd-wait-online", "metadata.socket"]
    subprocess.run(["systemctl", f"--root={tree}", "enable", "--quiet", *units], check=True)
