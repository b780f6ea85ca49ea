"""The front end: the drawing page behind Apache, configured from the settings.

``config_js`` and ``content_security_policy`` are the one source of what the page is told and what it may
reach, whoever serves it. ``prepare`` writes an Apache ServerRoot under ``settings.run`` that runs without
privileges: as an ordinary user as it is; as root its processes become ``www-data`` and, where that is
allowed, see only a folder that holds the static files. That is also what lets them read those files when the
project lives in a folder that is root's alone.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import BadInput, Unavailable
from workbench.services import Service, apache
from workbench.settings import PROJECT, Settings, reachable
from workbench.system.files import replacing, write

SOURCE = PROJECT / "frontend"
API = "/api"
BODY_LIMIT_BYTES = 14 * 1024 * 1024  # as the back end: a picture of 10 MB in base64, and what is around it
SERVED = {".html", ".js", ".css", ".svg", ".png", ".ico"}

ERRORS = {
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
"""What Apache itself says: status → code and message."""

Files = Mapping[str, tuple[bytes, int | None]]
"""Path → contents, and the time of change in ns where the file has one of its own."""


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
        r"(?P<origin>https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::(?P<port>[0-9]{1,5}))?)(?:/[\w./~-]*)?",
        url,
        re.IGNORECASE | re.ASCII,
    )
    if not match or not 0 < int(match["port"] or 80) < 65536:
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
    return (
        "// Generated from WORKBENCH_BACKEND_URL and WORKBENCH_NOTICE.\n"
        f"export const backend = {json.dumps(backend)};\n"
        f"export const notice = {json.dumps(settings.notice)};\n"
    )


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
    return apache.find()


def prepare(settings: Settings) -> Service:
    """Write the ServerRoot and say how to start Apache in it; writes only what has changed.

    Raises
    ------
    Unavailable
        No Apache, one without the modules that are needed, one that refuses the configuration, or a root
        that may become nobody else.
    BadInput
        ``WORKBENCH_BACKEND_URL`` or the place of the project cannot be used.
    """
    files = site(settings)
    program = find_apache()
    if program is None:
        raise Unavailable(f"Apache is not installed. {apache.INSTALL}")
    modules = apache.find_modules()
    root = settings.run / "frontend"
    root.mkdir(parents=True, exist_ok=True)
    settings.logs.mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)
    root = root.resolve()  # Apache follows no links, so it must not be given one
    confinement = apache.confine(root)
    public = root / "public"
    if confinement and confinement.jail:
        # The same path within the jail as outside: one configuration is right in both.
        inside = confinement.jail / public.relative_to("/")
        _publish(files, inside, readable=confinement.jail)
        if not public.is_symlink():
            public.symlink_to(inside)
    else:
        _publish(files, public, readable=public)
    conf = root / "httpd.conf"
    write(conf, httpd_conf(settings, root=root, modules=modules, confinement=confinement), mode=0o600)
    command = (str(program), "-d", str(root), "-f", str(conf))
    apache.check(command, conf)
    url = f"http://{reachable(settings.frontend_address)}:{settings.frontend_port}/"
    return Service(
        name="frontend",
        command=(*command, "-DFOREGROUND"),
        environment=dict(apache.ENVIRONMENT),
        port=settings.frontend_port,
        health=url,
        url=url,
        address=settings.frontend_address,
    )


def site(settings: Settings) -> Files:
    """Every file that is served: the page's own, its configuration, and what is said of errors."""
    files: dict[str, tuple[bytes, int | None]] = {}
    for path in (*sorted(SOURCE.glob("static/**/*")), *sorted(SOURCE.glob("*.html"))):
        if path.is_file() and path.suffix in SERVED:
            files[path.relative_to(SOURCE).as_posix()] = (path.read_bytes(), path.stat().st_mtime_ns)
    files["static/config.js"] = (config_js(settings).encode(), None)
    page = (SOURCE / "apache" / "error.html.template").read_text()
    for status, (code, message) in ERRORS.items():
        told = json.dumps({"error": {"code": code, "message": message}}) + "\n"
        shown = apache.fill(page, {"STATUS": str(status), "MESSAGE": message})
        files[f"errors/{status}.json"] = (told.encode(), None)
        files[f"errors/{status}.html"] = (shown.encode(), None)
    return files


def httpd_conf(
    settings: Settings,
    *,
    root: Path,
    modules: Mapping[str, Path],
    confinement: apache.Confinement | None = None,
) -> str:
    """Apache's configuration for a ServerRoot at ``root``."""
    return apache.fill(
        (SOURCE / "apache" / "httpd.conf.template").read_text(),
        {
            "ROOT": apache.quoted(root),
            "PUBLIC": apache.quoted(root / "public"),
            "LOG": apache.quoted(settings.logs / "frontend.log"),
            "ADDRESS": settings.frontend_address,
            "PORT": str(settings.frontend_port),
            "UPSTREAM": settings.backend_service,
            "PROOF": _proof(settings),
            "BODY_LIMIT": str(BODY_LIMIT_BYTES),
            "MODULES": apache.load_modules(modules),
            "CONFINEMENT": apache.become(confinement),
            "HEADERS": apache.set_headers(security_headers(settings)),
            "ERRORS": apache.name_error_documents(ERRORS),
        },
    )


def _proof(settings: Settings) -> str:
    """Say to a back end of this computer that it is its front end; another computer's trusts by address."""
    if settings.backend_service != settings.own_backend:
        return ""
    return f"RequestHeader set X-Workbench-Front {settings.front_end_proof}"


def _publish(files: Files, folder: Path, *, readable: Path) -> None:
    """Make ``folder`` hold these files and no others, for everyone to read whatever the umask is.

    Parameters
    ----------
    readable
        ``folder`` or one above it: everyone may enter what is within.
    """
    for name, (content, changed_ns) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            with replacing(path, mode=0o644) as aside:
                aside.write_bytes(content)
                if changed_ns is not None:
                    os.utime(aside, ns=(changed_ns, changed_ns))
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for path in (readable, *readable.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
