"""Server of `dfworkbench app`: Voilà with a few pages, no file listings, and uploads that are deleted with their visitor.

Imports Voilà, an optional extra; `app` imports this module only when it starts serving.
"""

import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget  # noqa: F401  # pyright: ignore[reportMissingImports] (the pages need it: say so before they are served)
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.web import RedirectHandler
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import AllowListFileHandler
from voila.tornado.contentshandler import VoilaContentsHandler
from voila.tornado.treehandler import TornadoVoilaTreeHandler

from dfworkbench.core.errors import OutputError
from dfworkbench.notebook.app_uploads import remove_ended

_LISTINGS = (AllowListFileHandler, TornadoVoilaTreeHandler, VoilaContentsHandler)
_LOOK_EVERY_S = 2


class _PageClosed(VoilaShutdownKernelHandler):
    """Shuts down a kernel when its page closes. The browser's last message has no XSRF token; knowing the kernel's id is enough."""

    def check_xsrf_cookie(self) -> None:
        """No check needed: kernel ids are random, so another site cannot know one."""


class AppServer(Voila):
    """Voilà, configured by a mapping only.

    Args:
        config: Voilà or Jupyter class -> trait -> value.
        first: Name of the page that the root address opens.
        uploads: Folder of uploads, with one subfolder per kernel.
    """

    def __init__(self, config: dict[str, dict[str, Any]], first: str, uploads: Path) -> None:
        super().__init__(config=Config(config))
        self._first, self._uploads = first, uploads

    @property
    def address(self) -> str:
        """Address of the first page, including the token."""
        return f"http://{self.ip}:{self.port}{self.base_url}?token={self.token}"

    def serve(self, say: Callable[[str], None], *, browser: bool) -> None:
        """Serve until the process is stopped.

        Args:
            say: Called with the address once there is one.
            browser: Whether to open a browser on it.

        Raises:
            OutputError: There is no free port.
        """

        def begin() -> None:
            say(f"address:   {self.address}\nstop with Ctrl-C")
            if browser:
                webbrowser.open(self.address)
            cleaner.start()

        cleaner = PeriodicCallback(self._remove_ended, 1000 * _LOOK_EVERY_S)
        if not self.port:  # Voilà would never report which one it got
            with socket.create_server((self.ip, 0)) as free:
                self.port = free.getsockname()[1]
        self.initialize([])
        IOLoop.current().add_callback(begin)
        self.start()

    def init_handlers(self) -> list[Any]:
        """Voilà's handlers without those that list or serve files; the root redirects to the first page."""
        replaced = {VoilaShutdownKernelHandler: _PageClosed}
        kept = [
            (pattern, replaced.get(kind, kind), *rest)
            for pattern, kind, *rest in super().init_handlers()
            if kind not in _LISTINGS
        ]
        page = f"{self.server_url}voila/render/{self._first}"
        return [(self.server_url, RedirectHandler, {"url": page, "permanent": False}), *kept]

    def exit(self, exit_status: int | str = 0) -> None:
        """Called if Voilà finds no free port."""
        raise OutputError(
            0,
            f"serving the application: port {self.port} of {self.ip} is taken or not allowed. Expected a free one: choose another "
            "with --port, or --port 0 for any.",
        )

    def _remove_ended(self) -> None:
        remove_ended(self._uploads, self.kernel_manager.list_kernel_ids())
