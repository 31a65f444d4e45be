"""`dfworkbench app`: pages of the notebooks as an application for people who write no code, served by Voilà.

A visitor gets a kernel of their own and talks to its widgets only: Voilà passes no message on that would run code. Nothing of the
workspace is served but the pages, and a page has no widget that takes a path.
"""

import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dfworkbench.core.errors import MissingDependencyError, ParameterError
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.notebook.app_pages import write_pages
from dfworkbench.notebook.app_uploads import uploads_of_server
from dfworkbench.notebook.runner import kernel_surroundings, set_variables
from dfworkbench.notebook.visit import MOST_VARIABLE, UPLOADS_VARIABLE

PORT = 8866
#: Seconds until a kernel whose page was lost (a browser that crashed) ends; one whose page is closed ends at once.
_LOST_AFTER_S = 300
#: The page asks nobody but this server, and no other page may hold it in a frame.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; frame-src 'self' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'"
)
#: Widgets, Voilà's manager of them, and the drop field; no extension of JupyterLab besides.
_EXTENSIONS = ["@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8", "anywidget"]


class AppSettings(NamedTuple):
    """How the application is served.

    Attributes:
        port: 0 for any free one; None for 8866, or one near it that is free.
        ip: The address to listen on; only this machine by default.
        browser: Whether to open a browser.
        upload_mb: Largest file that a visitor may drop.
        visitors: How many may use it at once; each has a kernel of about 1 GB.
        parameters: Parameters of notebook 03, as for `dfworkbench run`.
    """

    port: int | None = None
    ip: str = "127.0.0.1"
    browser: bool = True
    upload_mb: int = 500
    visitors: int = 4
    parameters: Mapping[str, Any] = {}


def serve_app(settings: AppSettings, say: Callable[[str], None], space: Workspace | None = None) -> None:
    """Serve notebooks 03 and 10 as pages until it is stopped.

    Args:
        settings: How.
        say: Called with the address, which holds the token.
        space: Where runs and reference sets are; found by `find_workspace` by default.

    Raises:
        MissingDependencyError: Voilà or anywidget is not installed.
        ParameterError: A setting is out of range, or a notebook takes no such parameter.
        OutputError: There is no free port, or the workspace cannot be written.
    """
    _require_settings(settings)
    try:
        from dfworkbench.notebook.app_server import AppServer
    except ImportError as error:
        raise MissingDependencyError(
            f"serving the application: {error.name} is not installed. Expected Voilà and anywidget: pip install 'dfworkbench[app]'."
        ) from None
    space = space or find_workspace()
    with (
        uploads_of_server(space) as uploads,
        tempfile.TemporaryDirectory(prefix="dfworkbench-app-") as pages,
        kernel_surroundings(space.root),
        set_variables({UPLOADS_VARIABLE: str(uploads), MOST_VARIABLE: str(settings.upload_mb * 1_000_000)}),
    ):
        first, *_ = write_pages(Path(pages), space, settings.parameters)
        server = AppServer(_config(settings, Path(pages)), first.name, uploads)
        server.serve(say, browser=settings.browser)


def _require_settings(settings: AppSettings) -> None:
    bounds = {"port": (0, 65535), "upload_mb": (1, 100_000), "visitors": (1, 1000)}
    for name, (low, high) in bounds.items():
        value = getattr(settings, name)
        if value is not None and not low <= value <= high:
            raise ParameterError(
                f"serving the application: {name} is {value}. Expected {low:,} to {high:,}. Choose another, or leave it out."
            )


def _config(settings: AppSettings, pages: Path) -> dict[str, dict[str, Any]]:
    """Configuration of Voilà, by class."""
    token = secrets.token_urlsafe(24)

    def admit(handler: Any, **_: Any) -> None:
        if len(handler.kernel_manager.list_kernel_ids()) >= settings.visitors:
            from tornado.web import HTTPError

            raise HTTPError(
                503, f"All {settings.visitors} places are taken. Try again when somebody has closed the page."
            )

    return {
        "Voila": {
            "root_dir": str(pages), "ip": settings.ip, "port": PORT if settings.port is None else settings.port,
            "port_retries": 50 if settings.port is None else 0, "token": token, "open_browser": False, "log_level": "WARN",
            "config_file_paths": [],
            "tornado_settings": {"headers": {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}},
        },
        "VoilaConfiguration": {
            "strip_sources": True, "show_tracebacks": False, "file_allowlist": [], "allow_template_override": "NO",
            "allow_theme_override": "NO", "prelaunch_hook": admit, "extension_allowlist": _EXTENSIONS,
        },
        "MappingKernelManager": {"cull_idle_timeout": _LOST_AFTER_S, "cull_interval": 30, "cull_connected": False},
    }  # fmt: skip
