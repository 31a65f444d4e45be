"""`dfworkbench app`: serve notebook pages as a web application with Voilà, for users who write no code.

Each visitor gets their own kernel and talks only to its widgets: Voilà forwards no message that would run code. Only the pages are
served, nothing else from the workspace, and no page has a widget that takes a path.
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
#: Seconds until a kernel whose page was lost (crashed browser) is shut down; closing a page ends its kernel at once.
_LOST_AFTER_S = 300
#: The page may contact only this server, and no other page may embed it in a frame.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; frame-src 'self' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'"
)
#: Widgets, Voilà's widget manager, and the drop field; no other JupyterLab extension.
_EXTENSIONS = ["@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8", "anywidget"]


class AppSettings(NamedTuple):
    """Settings of the application server.

    Attributes:
        port: 0 for any free port; None for 8866, or a free one near it.
        ip: The address to listen on; only this machine by default.
        browser: Whether to open a browser.
        upload_mb: Largest upload, in MB.
        visitors: Maximum number of simultaneous visitors; each needs a kernel of about 1 GB.
        parameters: Parameters of notebook 03, as for `dfworkbench run`.
    """

    port: int | None = None
    ip: str = "127.0.0.1"
    browser: bool = True
    upload_mb: int = 500
    visitors: int = 4
    parameters: Mapping[str, Any] = {}


def serve_app(settings: AppSettings, say: Callable[[str], None], space: Workspace | None = None) -> None:
    """Serve notebooks 03 and 10 as web pages until stopped.

    Args:
        settings: Server settings.
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
    """Voilà configuration: class -> trait -> value."""
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
