"""Apache for the front end: where it is, what it needs, whom it becomes, and its configuration as text."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import BadInput, Unavailable

INSTALL = (
    "Install it (Debian, Ubuntu: apt-get install apache2-bin; Fedora: dnf install httpd; "
    "macOS: brew install httpd) and start again"
)
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8"}
"""All that Apache's process gets."""

_MODULES_REQUIRED = [
    "authz_core",
    "authz_host",
    "alias",
    "dir",
    "mime",
    "headers",
    "allowmethods",
    "env",
    "setenvif",
    "proxy",
    "proxy_http",
]
_MODULES_WELCOME = ["unixd", "log_config", "reqtimeout", "filter", "deflate", "brotli"]
_MODULE_FOLDERS = (
    "/usr/lib/apache2/modules",  # Debian, Ubuntu
    "/usr/lib64/httpd/modules",  # Fedora
    "/usr/lib/httpd/modules",  # Arch
    "/usr/lib/apache2",  # Alpine
    "/usr/lib64/apache2",  # SUSE
    "/opt/homebrew/lib/httpd/modules",
    "/usr/local/lib/httpd/modules",
    "/usr/local/apache2/modules",
    "/usr/libexec/apache2",  # macOS
)
_ACCOUNTS = ("www-data", "apache", "http", "wwwrun", "_www", "nobody")


def find() -> Path | None:
    """Apache's program, or ``None`` where it is not installed."""
    folders = os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"
    for name in ("apache2", "httpd", "httpd2"):
        if found := shutil.which(name, path=os.pathsep.join(folders)):
            return Path(found)
    return None


def find_modules() -> dict[str, Path]:
    """Module → file: one that handles processes, all that are needed, and those that are welcome.

    Raises
    ------
    Unavailable
        They are nowhere, or a needed one is missing.
    """
    for folder in map(Path, _MODULE_FOLDERS):
        paths = {path.stem.removeprefix("mod_"): path for path in folder.glob("mod_*.so")}
        if not paths:
            continue
        mpm = [name for name in ("mpm_event", "mpm_worker", "mpm_prefork") if name in paths][:1]
        if missing := [name for name in _MODULES_REQUIRED if name not in paths]:
            raise Unavailable(f"Apache's modules in {folder} lack {', '.join(missing)}. {INSTALL}")
        return {name: paths[name] for name in (*mpm, *_MODULES_REQUIRED, *_MODULES_WELCOME) if name in paths}
    raise Unavailable(f"Apache's modules are in none of {', '.join(_MODULE_FOLDERS)}. {INSTALL}")


def check(command: tuple[str, ...], configuration: Path) -> None:
    """Let Apache itself check the configuration.

    Raises
    ------
    Unavailable
        It refuses it; the message is Apache's own.
    """
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, env=ENVIRONMENT)
    if checked.returncode:
        raise Unavailable(f"Apache refuses its configuration {configuration}: {checked.stderr.strip()}")


# ── whom it becomes ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Confinement:
    """What root's Apache becomes."""

    user: str
    group: str
    jail: Path | None
    """The only folder that its processes see; ``None`` where they may not be confined."""


def confine(root: Path) -> Confinement | None:
    """Choose what Apache becomes if it is started by root, having tried it: containers often forbid some of it.

    The jail is made in ``root``. ``None`` for an ordinary user, whose Apache stays what it is.

    Raises
    ------
    Unavailable
        This root can become no other account, or that account could not read the files.
    """
    if os.geteuid() != 0:
        return None
    import grp
    import pwd

    known = {account.pw_name: account for account in pwd.getpwall()}
    account = next((known[name] for name in _ACCOUNTS if name in known), None)
    if account is None:
        raise Unavailable(
            f"Apache must not run as root, and none of {', '.join(_ACCOUNTS)} is an account here"
        )
    group = grp.getgrgid(account.pw_gid).gr_name
    jail = root / "jail"
    jail.mkdir(exist_ok=True)
    jail.chmod(0o755)
    become = f"os.setgroups([]); os.setgid({account.pw_gid}); os.setuid({account.pw_uid})"
    if _may(f"os.chroot({str(jail)!r}); {become}"):
        return Confinement(account.pw_name, group, jail)
    shutil.rmtree(jail)
    if _may(f"{become}; os.listdir({str(root)!r})"):
        return Confinement(account.pw_name, group, None)
    raise Unavailable(
        f"Apache may not run as root, and this root may not become {account.pw_name} with access to {root}: "
        "start as an ordinary user, or set WORKBENCH_HOME to a folder that everyone may enter"
    )


def _may(actions: str) -> bool:
    """Whether a process of its own may do this."""
    attempt = subprocess.run([sys.executable, "-ISc", f"import os; {actions}"], capture_output=True)
    return attempt.returncode == 0


# ── its configuration ────────────────────────────────────────────────────────────────────────────


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with ``@NAME@`` replaced by the name's value."""
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)


def quoted(value: str | Path) -> str:
    """Text as it stands between double quotes in Apache's configuration.

    Raises
    ------
    BadInput
        It has a line break, or ``${``, which Apache would expand.
    """
    text = str(value)
    if re.search(r"[\x00-\x1f]|\$\{", text):
        raise BadInput(
            f"Apache cannot be given this text: move the project or WORKBENCH_HOME. Received: {text!r}"
        )
    return text.replace("\\", "\\\\").replace('"', '\\"')


def load_modules(modules: Mapping[str, Path]) -> str:
    """The directives that load them, but for those that are built in."""
    return "\n".join(
        f'<IfModule !{name}_module>\n    LoadModule {name}_module "{quoted(path)}"\n</IfModule>'
        for name, path in modules.items()
    )


def become(confinement: Confinement | None) -> str:
    """The directives by which root's Apache becomes someone else."""
    if confinement is None:
        return ""
    lines = [f"User {confinement.user}", f"Group {confinement.group}"]
    if confinement.jail:
        lines.append(f'ChrootDir "{quoted(confinement.jail)}"')
        if platform.libc_ver()[0] == "glibc":
            # It is loaded when a thread ends, which is too late within the jail: every process would abort.
            lines.append("LoadFile libgcc_s.so.1")
    return "\n".join(lines)


def set_headers(headers: Mapping[str, str]) -> str:
    """The directives that put each header on every answer, once."""
    lines = []
    for name, value in headers.items():
        lines += [f"Header onsuccess unset {name}", f'Header always set {name} "{quoted(value)}"']
    return "\n".join(lines)


def name_error_documents(statuses: Mapping[int, object]) -> str:
    """The directives that name ``/errors/STATUS.json`` under ``/api`` and ``/errors/STATUS.html`` elsewhere."""
    pages = [f"ErrorDocument {status} /errors/{status}.html" for status in statuses]
    data = [f"    ErrorDocument {status} /errors/{status}.json" for status in statuses]
    return "\n".join([*pages, '<LocationMatch "^/api(/|$)">', *data, "</LocationMatch>"])
