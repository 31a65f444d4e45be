"""`dfworkbench lab`: set up a workspace with the notebooks, and open JupyterLab on the first one."""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.notebook.runner import kernel_surroundings, set_variables
from dfworkbench.notebook.shipped import copy_notebooks

FIRST = "00_start_here.ipynb"
#: JupyterLab defaults, which the user's own settings override: nothing is fetched from elsewhere, and no question about news
#: covers the first page; widgets are saved with the notebook, so that they are shown without a kernel.
_LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
}


def make_lab(folder: Path | None, say: Callable[[str], None]) -> Workspace:
    """Create the folders of a workspace, and copy the notebooks into it. Edited notebooks are kept.

    Args:
        folder: The workspace; found by `find_workspace` by default.
        say: Called with each line of progress.

    Raises:
        OutputError: The folder cannot be written to.
    """
    space = Workspace(folder.expanduser().resolve()) if folder else find_workspace()
    space.make()
    say(f"workspace: {space.root}\nnotebooks: {copy_notebooks(space)}")
    return space


def open_lab(
    folder: Path | None, say: Callable[[str], None], *, browser: bool = True, port: int | None = None, ip: str = ""
) -> None:
    """Create a workspace (see `make_lab`), and serve JupyterLab on it until stopped.

    Kernels use this Python and this workspace, whatever else is installed.

    Args:
        folder: The workspace; found by `find_workspace` by default.
        say: Called with each line of progress.
        browser: Whether to open a browser; the address is always printed.
        port: JupyterLab's port; its default is 8888, or the next free port if that is taken.
        ip: The address to listen on; only this machine by default. A container needs 0.0.0.0.

    Raises:
        ParameterError: There is no such port.
        OutputError: The folder cannot be written to.
    """
    if port is not None and not 0 <= port <= 65535:
        raise ParameterError(
            f"opening JupyterLab: the port is {port}; expected 1 to 65535, or 0 for any free one. Leave it out to take 8888."
        )
    from jupyterlab.labapp import LabApp

    space = make_lab(folder, say)
    with kernel_surroundings(space.root), _lab_settings():
        server = LabApp.initialize_server(argv=_server_words(space, browser, port, ip))
        if not server.identity_provider.token_generated:  # otherwise it prints its address itself, with the token
            say(f"address:   {server.display_url}")
        say("stop with Ctrl-C")
        server.start()


@contextlib.contextmanager
def _lab_settings() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="dfworkbench-lab-") as folder:
        file = Path(folder) / "labconfig" / "default_setting_overrides.json"
        file.parent.mkdir()
        file.write_text(json.dumps(_LAB_SETTINGS), encoding="utf-8")
        paths = [folder, *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
        with set_variables({"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}):
            yield


def _server_words(space: Workspace, browser: bool, port: int | None, ip: str) -> list[str]:
    words = [
        f"--ServerApp.root_dir={space.root}",
        f"--LabApp.default_url=/lab/tree/notebooks/{FIRST}",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
    ]
    words += [] if browser else ["--no-browser"]
    words += [] if port is None else [f"--ServerApp.port={port}"]
    words += [f"--ServerApp.ip={ip}"] if ip else []
    # as root, in a container, JupyterLab refuses to start without this flag
    return words + (["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])
