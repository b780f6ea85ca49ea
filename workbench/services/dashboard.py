"""The dashboard: one Jupyter server with JupyterLab, and our notebooks as Voilà pages, behind one token.

It has folders of its own for settings, data and history, so that neither the user's Jupyter changes it nor it
the user's. The token is in a file that only the owner reads, never on a command line.
"""

import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import quote

from workbench.services import Service, certificates, own_notebooks
from workbench.services.environment import minimal, network
from workbench.settings import CODE, Settings, reachable
from workbench.system import files

LANDING = "workbench"
TEMPLATES = CODE / "workbench" / "ui"
"""Holds ``voila/templates/workbench``; Jupyter looks into it as into one of its data folders."""
KERNEL_IDLE_S = 3600
"""A kernel that nobody is connected to and that does nothing for so long is ended."""
KERNEL_DEAD_S = 1.0
"""Between a kernel's death and the look that starts another one."""
PROVISIONER = "workbench-forked"
FOR_KERNELS = (
    *("ipykernel.debugger", "ipykernel.ipkernel", "ipykernel.kernelapp", "ipykernel.zmqshell"),
    *("IPython.core.completerlib", "IPython.core.debugger", "IPython.core.oinspect"),
    *("IPython.extensions.storemagic", "tornado.platform.asyncio", "tornado.queues"),
)
FOR_PAGES = (
    *("anywidget", "ipywidgets", "numpy.random", "workbench.api.forms", "workbench.ui.parts"),
    *("workbench.verbs.workbench", "workbench.jobs.database", "sqlalchemy.dialects.sqlite"),
)
FOR_TRAINING = (
    *(
        "tensorflow",
        "keras",
        "workbench.models.evaluation",
        "workbench.node.publishing",
        "workbench.node.training",
    ),
    *("workbench.datasets", "workbench.pictures.ink", "workbench.recipes"),
)
FOR_ALL_KERNELS = (*FOR_KERNELS, *FOR_PAGES, *FOR_TRAINING)
"""Imported once, in the process that kernels are forked from; what a kernel imports besides is its own."""

_PASSED_ON = {"SHELL", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES"}
_PASSED_ON_PREFIXES = ("WORKBENCH_", "AWS_", "TF_", "KERAS_", "OMP_")
"""boto3's own variables among them: pages launch machines, and kernels are their owner's as much as the shell is."""
_SECRETS = {"WORKBENCH_TOKEN", "WORKBENCH_DEPLOY_TOKEN"}


def prepare(settings: Settings) -> Service:
    """Write the server's configuration and say how to start it; doing so again changes nothing."""
    own_notebooks.place(settings.notebooks)
    certificate = None if settings.dashboard_address.startswith("127.") else certificates.own(settings)
    config = settings.run / "dashboard" / "config.py"
    config.parent.mkdir(parents=True, exist_ok=True)
    files.write(config, configuration(settings, certificate), mode=0o600)
    overrides = _jupyter(settings) / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text(json.dumps(LAB_SETTINGS, indent=2) + "\n")
    if settings.notice:
        _lab_css(settings).parent.mkdir(parents=True, exist_ok=True)
        _lab_css(settings).write_text(lab_css(settings.notice))
    kernels = _jupyter(settings) / "ipython" / "profile_default" / "ipython_kernel_config.py"
    kernels.parent.mkdir(parents=True, exist_ok=True)
    kernels.write_text(KERNEL_SETTINGS)
    scheme = "http" if certificate is None else "https"
    origin = f"{scheme}://{reachable(settings.dashboard_address)}:{settings.dashboard_port}"
    return Service(
        name="dashboard",
        command=(sys.executable, "-m", "jupyter_server", f"--config={config}"),
        environment=environment(settings, os.environ),
        port=settings.dashboard_port,
        health=f"{origin}/api",
        address=settings.dashboard_address,
        url=f"{origin}/{LANDING}?token={quote(settings.token)}",
    )


def configuration(settings: Settings, certificate: certificates.Certificate | None = None) -> str:
    """The server's configuration file: Python, because one of its values is a function."""
    tornado: dict[str, object] = {
        "headers": {"Content-Security-Policy": content_security_policy()},
        # To compress the 5 MB of scripts anew for each visitor takes longer than all else of a first visit.
        "compress_response": False,
        "xsrf_cookie_kwargs": {"samesite": "Lax", "secure": certificate is not None},
    }
    options: dict[str, object] = {
        "ServerApp.ip": settings.dashboard_address,
        "ServerApp.port": settings.dashboard_port,
        "ServerApp.port_retries": 0,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": os.geteuid() == 0,
        "ServerApp.root_dir": str(settings.notebooks),
        "ServerApp.default_url": f"/{LANDING}",
        "ServerApp.extra_template_paths": [str(TEMPLATES / "voila" / "templates" / "workbench")],
        "ServerApp.kernel_manager_class": "workbench.dashboard.kernels.PageKernels",
        "ServerApp.kernel_websocket_connection_class": "workbench.upstream.jupyter_server.KernelConnection",
        # Voilà cannot await the asynchronous one where it takes pictures into a page.
        "ServerApp.contents_manager_class": "jupyter_server.services.contents.largefilemanager.LargeFileManager",
        "ServerApp.jinja_template_vars": {"notice": settings.notice},
        "ServerApp.quit_button": False,
        "ServerApp.cookie_secret_file": str(_jupyter(settings) / "cookie_secret"),
        # Ours loads Voilà, after its own route for the pages.
        "ServerApp.jpserver_extensions": {
            "jupyterlab": True,
            "workbench.dashboard": True,
            "voila.server_extension": False,
        },
        "ServerApp.tornado_settings": tornado,
        "ServerApp.allow_unauthenticated_access": False,
        "IdentityProvider.token": settings.token,
        "IdentityProvider.cookie_options": {"samesite": "Lax"},
        "PasswordIdentityProvider.allow_password_change": False,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        "LabApp.news_url": None,
        "LabApp.custom_css": bool(settings.notice),
        "PageKernels.prepared": settings.prepared_kernels,
        **forking(),
        "ServerKernelManager.restarter_class": "workbench.dashboard.restarting.WatchingRestarter",
        "WatchingRestarter.time_to_dead": KERNEL_DEAD_S,
        "MappingKernelManager.cull_idle_timeout": KERNEL_IDLE_S,
        "MappingKernelManager.cull_interval": 60,
        "MappingKernelManager.cull_connected": False,
        "VoilaConfiguration.template": "workbench",
        "VoilaConfiguration.extension_denylist": ["workbench-lab"],  # links that JupyterLab lacks
        "VoilaConfiguration.file_allowlist": [],  # what it would serve, it serves to anybody
        "VoilaConfiguration.show_tracebacks": True,
        "VoilaConfiguration.strip_sources": False,
    }
    if certificate is not None:
        options |= {
            "ServerApp.certfile": str(certificate.file),
            "ServerApp.keyfile": str(certificate.key),
            "ServerApp.tornado_settings": {**tornado, "cookie_options": {"secure": True}},
        }
    lines = [f"c.{name} = {value!r}" for name, value in options.items()]
    return "\n".join(
        (
            "# Written by workbench.services.dashboard at each start.",
            "from workbench.dashboard.pages import complete_page",
            "",
            "c = get_config()",
            *lines,
            "c.VoilaConfiguration.page_config_hook = complete_page",
            "",
        )
    )


def forking() -> dict[str, object]:
    """The options by which kernels are forks; none in an environment that was made before our package named them."""
    if not entry_points(group="jupyter_client.kernel_provisioners", name=PROVISIONER):
        return {}
    return {
        "KernelProvisionerFactory.default_provisioner_name": PROVISIONER,
        "PageKernels.forked_modules": list(FOR_ALL_KERNELS),
    }


def content_security_policy() -> str:
    """Nothing from another host. Voilà's template and JupyterLab need inline scripts, anywidget ``blob:`` modules,
    JupyterLab's settings ``eval``."""
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "frame-src 'self' blob: data:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )


KERNEL_SETTINGS = """\
# What C++ writes goes to the server's log: TensorFlow's messages about graphics cards are no part of a page.
get_config().IPKernelApp.capture_fd_output = False
"""

LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "doNotDisturbMode": False,
        "fetchNews": "false",
    },
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},
    "@jupyterlab/filebrowser-extension:browser": {"showLastModifiedColumn": False},
    "@jupyterlab/docmanager-extension:plugin": {"maxNumberRecents": 5},
}


def environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The server's whole environment, which its kernels inherit: none of the workbench's tokens."""
    own = _jupyter(settings)
    passed_on = {
        name: value
        for name, value in environ.items()
        if (name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)) and name not in _SECRETS
    }
    return minimal(
        settings,
        **passed_on
        | network(environ)
        | {
            "WORKBENCH_HOME": str(settings.home),
            "WORKBENCH_DATABASE_URL": settings.database_url,
            "WORKBENCH_FRONTEND_PORT": str(settings.frontend_port),
            "WORKBENCH_BACKEND_PORT": str(settings.backend_port),
            "WORKBENCH_DASHBOARD_PORT": str(settings.dashboard_port),
            "WORKBENCH_BACKEND_HOST": settings.backend_service.removeprefix("http://"),
            "JUPYTER_CONFIG_DIR": str(own / "config"),
            "JUPYTER_DATA_DIR": str(own / "data"),
            "JUPYTER_RUNTIME_DIR": str(settings.run / "dashboard" / "runtime"),
            "JUPYTER_PATH": str(TEMPLATES),
            "IPYTHONDIR": str(own / "ipython"),
        },
    )


def lab_css(notice: str) -> str:
    """JupyterLab's own style sheet for its user, which is how one line gets above its page."""
    quoted = json.dumps(" ".join(notice.split()), ensure_ascii=False).replace("<", "\\3c ")
    return f"""body::before {{
  content: {quoted};
  display: block;
  height: 28px;
  overflow: hidden;
  padding: 0 12px;
  background: var(--jp-layout-color2);
  color: var(--jp-ui-font-color1);
  font: var(--jp-ui-font-size1)/28px var(--jp-ui-font-family);
  text-overflow: ellipsis;
  white-space: nowrap;
}}
#main {{ top: 28px; }}
"""


def _lab_css(settings: Settings) -> Path:
    return _jupyter(settings) / "config" / "custom" / "custom.css"


def _jupyter(settings: Settings) -> Path:
    """Kept between starts: how the user likes JupyterLab."""
    return settings.home / "jupyter"
