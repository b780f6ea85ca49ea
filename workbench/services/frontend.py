"""The front end: the drawing page behind Apache, its configuration generated from the settings.

``config_js`` and ``content_security_policy`` are the one source of what the page is told and what it may
reach, whoever serves it. ``prepare`` writes an Apache ServerRoot under ``settings.run`` that runs without
privileges: as an ordinary user as it is; as root its processes become ``www-data`` and, where that is
allowed, are confined (chroot) to a folder that holds the static files only. The confinement is also what
lets them read those files when the project lives in a folder that is root's alone.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from workbench.errors import BadInput, Unavailable
from workbench.services import Service
from workbench.settings import PROJECT, Settings

SOURCE = PROJECT / "frontend"
ADDRESS = "127.0.0.1"
API = "/api"
BODY_LIMIT_BYTES = 14 * 1024 * 1024  # as the back end: a picture of 10 MB in base64, and what is around it
SERVED = {".html", ".js", ".css", ".svg", ".png", ".ico"}

_MODULES_REQUIRED = [
    "unixd",
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
_MODULES_WELCOME = ["log_config", "reqtimeout", "filter", "deflate", "brotli"]
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
_INSTALL = (
    "Install it (Debian, Ubuntu: apt-get install apache2-bin; Fedora: dnf install httpd; "
    "macOS: brew install httpd) and start again"
)

_ERRORS = {
    400: ("bad_request", "This request cannot be understood."),
    403: ("forbidden", "This is not for visitors."),
    404: ("not_found", "Nothing is at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
    408: ("timeout", "The request took too long to arrive."),
    411: ("length_required", "The request must say how long it is."),
    413: ("too_large", "What was sent is too large: a picture may have 10 MB."),
    414: ("too_long", "This address is too long."),
    431: ("too_large", "The request's headers are too large."),
    500: ("failed", "Something went wrong here."),
    501: ("not_implemented", "This server does not do that."),
    502: ("bad_gateway", "The back end broke off. Try again."),
    503: ("unavailable", "The back end is away. Try again in a moment."),
    504: ("timeout", "The back end took too long to answer. Try again."),
}


def backend_origin(settings: Settings) -> str | None:
    """Origin of a back end that is somewhere else; ``None`` if it is behind the page's own ``/api``.

    Raises
    ------
    BadInput
        ``WORKBENCH_BACKEND_URL`` is no plain ``http(s)://host[:port][/path]``. The origin goes into the
        Content-Security-Policy, so nothing that could end or widen a directive is let through.
    """
    url = settings.backend_url
    if not url:
        return None
    match = re.fullmatch(
        r"(?P<origin>https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?)(?:/[\w./~-]*)?",
        url,
        re.IGNORECASE | re.ASCII,
    )
    if not match or (urlsplit(url).netloc.partition(":")[2] or "1").lstrip("0") == "":
        raise BadInput(
            "WORKBENCH_BACKEND_URL must be a URL such as http://backend.example:5000 (a host name or an IPv4 "
            f"address, no user, no query); leave it empty for the page's own {API}. Received: {url!r}"
        )
    return match["origin"]


def config_js(settings: Settings, *, api: str = API) -> str:
    """What the page is told, as an ES module.

    Parameters
    ----------
    api
        Path of the back end on the page's own origin, where ``WORKBENCH_BACKEND_URL`` names no other.
    """
    backend = settings.backend_url if backend_origin(settings) else api
    return f"// Generated from WORKBENCH_BACKEND_URL.\nexport const backend = {json.dumps(backend)};\n"


def content_security_policy(settings: Settings) -> str:
    """The one place that the page may talk to besides its own origin is the back end."""
    connect = " ".join(filter(None, ("'self'", backend_origin(settings))))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def security_headers(settings: Settings) -> dict[str, str]:
    """Headers of every answer of the page's origin."""
    off = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
    return {
        "Content-Security-Policy": content_security_policy(settings),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in off),
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def find_apache() -> Path | None:
    """Apache's program, or ``None`` where it is not installed."""
    path = os.pathsep.join(
        (os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
    )
    for name in ("apache2", "httpd", "httpd2"):
        if found := shutil.which(name, path=path):
            return Path(found)
    return None


def prepare(settings: Settings) -> Service:
    """Write the ServerRoot and say how to start Apache in it; writes only what has changed.

    Raises
    ------
    Unavailable
        No Apache, one without the modules that are needed, or one that refuses the configuration.
    BadInput
        ``WORKBENCH_BACKEND_URL`` cannot be used.
    """
    pages = site(settings)
    apache = find_apache()
    if apache is None:
        raise Unavailable(f"Apache is not installed. {_INSTALL}")
    modules = _load_modules()
    root = settings.run / "frontend"
    root.mkdir(parents=True, exist_ok=True)
    root = root.resolve()  # Apache follows no links, so it must not be given one
    confinement = _confine(root) if os.geteuid() == 0 else None
    public = root / "public"
    if confinement and confinement.jail:
        # The same path within the jail as outside: one configuration is right in both.
        inside = confinement.jail / public.relative_to("/")
        _publish(pages, inside, within=confinement.jail)
        if not public.is_symlink():
            public.symlink_to(inside)
    else:
        _publish(pages, public, within=public)
    conf = root / "httpd.conf"
    conf.write_text(httpd_conf(settings, root=root, modules=modules, confinement=confinement))
    command = (str(apache), "-d", str(root), "-f", str(conf))
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    check = subprocess.run([*command, "-t"], capture_output=True, text=True, env=environment)
    if check.returncode:
        raise Unavailable(f"Apache refuses its configuration {conf}: {check.stderr.strip()}")
    url = f"http://{ADDRESS}:{settings.frontend_port}/"
    return Service(
        name="frontend",
        command=(*command, "-DFOREGROUND"),
        environment=environment,
        port=settings.frontend_port,
        health=url,
        url=url,
    )


def site(settings: Settings) -> dict[str, tuple[bytes, int | None]]:
    """Every file that is served: path → contents, and the time of change (ns) where the file has one."""
    files: dict[str, tuple[bytes, int | None]] = {}
    for path in (*sorted(SOURCE.glob("static/**/*")), SOURCE / "index.html"):
        if path.is_file() and path.suffix in SERVED:
            files[path.relative_to(SOURCE).as_posix()] = (path.read_bytes(), path.stat().st_mtime_ns)
    files["static/config.js"] = (config_js(settings).encode(), None)
    page = (SOURCE / "apache" / "error.html.template").read_text()
    for status, (code, message) in _ERRORS.items():
        body = json.dumps({"error": {"code": code, "message": message}}) + "\n"
        files[f"errors/{status}.json"] = (body.encode(), None)
        files[f"errors/{status}.html"] = (_fill(page, STATUS=str(status), MESSAGE=message).encode(), None)
    return files


@dataclass(frozen=True)
class Confinement:
    """What root's Apache becomes."""

    user: str
    group: str
    jail: Path | None
    """The only folder that its processes see; ``None`` where they may not be confined."""


def httpd_conf(
    settings: Settings,
    *,
    root: Path,
    modules: Mapping[str, Path],
    confinement: Confinement | None = None,
    address: str = ADDRESS,
) -> str:
    """Apache's configuration for a ServerRoot at ``root``; a pure function of its arguments."""
    directives = []
    if confinement:
        directives = [f"User {confinement.user}", f"Group {confinement.group}"]
        if confinement.jail:
            directives.append(f'ChrootDir "{_quoted(confinement.jail)}"')
            # glibc loads this when a thread ends, which is too late within the jail: every process would abort.
            directives += ["LoadFile libgcc_s.so.1"] * (platform.libc_ver()[0] == "glibc")
    headers = []
    for name, value in security_headers(settings).items():
        headers += [f"Header onsuccess unset {name}", f'Header always set {name} "{_quoted(value)}"']
    statuses = [f"ErrorDocument {status} /errors/{status}" for status in _ERRORS]
    return _fill(
        (SOURCE / "apache" / "httpd.conf.template").read_text(),
        ROOT=_quoted(root),
        PUBLIC=_quoted(root / "public"),
        ADDRESS=address,
        PORT=str(settings.frontend_port),
        UPSTREAM=f"http://127.0.0.1:{settings.backend_port}",
        BODY_LIMIT=str(BODY_LIMIT_BYTES),
        MODULES="\n".join(
            f'<IfModule !{name}_module>\n    LoadModule {name}_module "{_quoted(path)}"\n</IfModule>'
            for name, path in modules.items()
        ),
        CONFINEMENT="\n".join(directives),
        HEADERS="\n".join(headers),
        ERRORS="\n".join(
            [f"{line}.html" for line in statuses]
            + ['<LocationMatch "^/api(/|$)">']
            + [f"    {line}.json" for line in statuses]
            + ["</LocationMatch>"]
        ),
    )


def _fill(template: str, **values: str) -> str:
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)


def _quoted(value: str | Path) -> str:
    """Text between double quotes in Apache's configuration; ``%`` begins a variable in headers only."""
    text = str(value)
    if re.search(r"[\x00-\x1f]|\$\{", text):
        raise BadInput(
            f"Apache cannot be given this text: move the project or WORKBENCH_HOME. Received: {text!r}"
        )
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _load_modules() -> dict[str, Path]:
    """Module → file, for one multi-processing module, all that are needed and those that are welcome."""
    for folder in map(Path, _MODULE_FOLDERS):
        paths = {path.stem.removeprefix("mod_"): path for path in folder.glob("mod_*.so")}
        if not paths:
            continue
        mpm = [name for name in ("mpm_event", "mpm_worker", "mpm_prefork") if name in paths][:1]
        if missing := [name for name in _MODULES_REQUIRED if name not in paths and name != "unixd"]:
            raise Unavailable(f"Apache's modules in {folder} lack {', '.join(missing)}. {_INSTALL}")
        return {name: paths[name] for name in (*mpm, *_MODULES_REQUIRED, *_MODULES_WELCOME) if name in paths}
    raise Unavailable(f"Apache's modules are in none of {', '.join(_MODULE_FOLDERS)}. {_INSTALL}")


def _publish(files: Mapping[str, tuple[bytes, int | None]], folder: Path, *, within: Path) -> None:
    """Make ``folder`` hold these files and no others, readable by everyone whatever the umask."""
    for name, (content, changed_ns) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            aside = path.with_name(f".{path.name}.{os.getpid()}")
            aside.write_bytes(content)
            aside.chmod(0o644)
            if changed_ns is not None:
                os.utime(aside, ns=(changed_ns, changed_ns))
            aside.replace(path)
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for path in (within, *within.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


def _confine(root: Path) -> Confinement:
    """Choose what root's Apache becomes, having tried it: containers often forbid one thing or another.

    Raises
    ------
    Unavailable
        This root can become no other account, or that account could not read the files.
    """
    import grp
    import pwd

    known = {account.pw_name: account for account in pwd.getpwall()}
    account = next((known[name] for name in _ACCOUNTS if name in known), None)
    if account is None:
        raise Unavailable(
            f"Apache must not run as root and none of {', '.join(_ACCOUNTS)} is an account here"
        )
    group = grp.getgrgid(account.pw_gid).gr_name
    jail = root / "jail"
    jail.mkdir(exist_ok=True)
    jail.chmod(0o755)
    drop = f"os.setgroups([]); os.setgid({account.pw_gid}); os.setuid({account.pw_uid})"
    if _allowed(f"os.chroot({str(jail)!r}); {drop}"):
        return Confinement(account.pw_name, group, jail)
    jail.rmdir()
    if _allowed(f"{drop}; os.listdir({str(root)!r})"):
        return Confinement(account.pw_name, group, None)
    raise Unavailable(
        f"Apache may not run as root, and this root may not become {account.pw_name} with access to {root}; "
        "start as an ordinary user, or set WORKBENCH_HOME to a folder that everyone may enter"
    )


def _allowed(actions: str) -> bool:
    """Whether a process of its own may do this."""
    attempt = subprocess.run([sys.executable, "-ISc", f"import os; {actions}"], capture_output=True)
    return attempt.returncode == 0
