"""Desk: a field to drop a file, with the results of examining it below; for JupyterLab and `dfworkbench app`."""

import importlib.util
import logging
import threading
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as w
from IPython.display import HTML

from dfworkbench.core.errors import WorkbenchError
from dfworkbench.core.html import STYLE, note_html, wrap
from dfworkbench.core.local_paths import Places, places_of
from dfworkbench.core.workspace import find_workspace
from dfworkbench.notebook.visit import upload_place, visit

_log = logging.getLogger(__name__)
_TICK_S = 1.0
_NOTHING = "No file was dropped here; that needs a running kernel."

#: Examines a file, reports its progress in words, and returns the result as HTML.
Work = Callable[[Path, Callable[[str], None]], str]


def file_desk(title: str, hint: str, again: str, work: Work) -> Any:
    """A `Desk`; if its drop field is not installed, a note on how to get it."""
    if importlib.util.find_spec("anywidget") is None:
        how = (
            "A file can be dropped here after <code>pip install 'dfworkbench[app]'</code> and a restart of JupyterLab."
        )
        return HTML(wrap(f'<div class="dfw-title">{escape(title)}</div>{how}', "dfw-card"))
    return Desk(title, hint, again, work)


class Desk:
    """Drop a file, wait, and read the result, without running a cell.

    The work runs in a thread, so the page stays responsive. Errors are shown as notes below the field. Without a browser
    (papermill, an exported page) the desk shows the last result.

    Args:
        title: Heading.
        hint: Purpose, in a sentence or two; HTML.
        again: Label of the button that repeats the work with other settings.
        work: Function that examines a file.
    """

    def __init__(self, title: str, hint: str, again: str, work: Work) -> None:
        from dfworkbench.notebook.drop import FileDrop  # needs the extra [app]

        self._title, self._hint, self._work = title, hint, work
        self._thread: threading.Thread | None = None
        place = upload_place()
        self._is_visit = visit() is not None
        self.drop = FileDrop(place.folder, place.most_bytes, keep=not self._is_visit)
        self.again = w.Button(description=again, button_style="primary", layout=w.Layout(width="auto"))
        self.remove = w.Button(description="Remove the file", layout=w.Layout(width="auto"))
        self._state, self.result = w.HTML(), w.HTML()
        self._found = ""
        self.box = self._layout(self._limit_words(place.most_bytes))
        self.drop.observe(lambda change: self.start() if change["new"] else self._clear(), names="path")
        self.again.on_click(lambda _: self.start())
        self.remove.on_click(lambda _: self._forget())
        self._show_buttons()

    def start(self) -> None:
        """Examine the current file in a thread."""
        if self.drop.path is None or (self._thread is not None and self._thread.is_alive()):
            return
        self.drop.lock(True)
        self._found = self.result.value = ""
        self._thread = threading.Thread(target=self._run, args=(self.drop.path,), daemon=True)
        self._show_buttons()
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the thread to finish, for scripts and tests."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _run(self, path: Path) -> None:
        """Every outcome is shown, because an exception raised here would go unseen."""
        try:
            self._found = self.result.value = self._places(path).replace(self._find(path))
        finally:  # whatever happens, the page must not be left waiting
            self._state.value = ""
            self.drop.lock(False)
            self._thread = None
            self._show_buttons()

    def _find(self, path: Path) -> str:
        progress = _Told(self._state, path.name)
        try:
            with progress:
                return self._work(path, progress.tell)
        except WorkbenchError as error:
            return wrap(note_html(str(error), bad=True))
        except Exception as error:
            _log.exception("examining an upload")
            return wrap(
                note_html(
                    f"Examining {path.name} failed with an unexpected {type(error).__name__}. Expected a result, or a reason why "
                    "there is none: this is a bug in dfworkbench. Try another file, and tell whoever runs this server: its log "
                    "says more.",
                    bad=True,
                )
            )

    def _places(self, path: Path) -> Places:
        # a visitor's folder name means nothing to the visitor
        own = {path.parent.name: "."} if self._is_visit else {}
        return Places({str(path.parent): ".", **own, **places_of(find_workspace().root)})

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _layout(self, limit: str) -> w.VBox:
        head = f'{STYLE}<div class="dfw"><div class="dfw-title">{escape(self._title)}</div>{self._hint} {limit}</div>'
        buttons = w.HBox([self.again, self.remove], layout=w.Layout(flex_flow="row wrap", grid_gap="8px"))
        parts = [w.HTML(head), self.drop, buttons, self._state, self.result]
        return w.VBox(parts, layout=w.Layout(grid_gap="6px", overflow="visible")).add_class("dfw-card")

    def _limit_words(self, most_bytes: int) -> str:
        if not self._is_visit:
            return "The file is kept in <code>data/uploads/</code> of the workspace."
        return (
            f"Up to {most_bytes / 1e6:,.0f} MB. The file is removed from the server when another one comes, when you press "
            "<i>Remove the file</i>, and when this page is closed."
        )

    def _show_buttons(self) -> None:
        idle = self._thread is None
        self.again.disabled = self.remove.disabled = not idle
        self.again.layout.display = "" if self.drop.path else "none"
        self.remove.layout.display = "" if self.drop.path and self._is_visit else "none"

    def _forget(self) -> None:
        if self._thread is None:
            self.drop.forget()

    def _clear(self) -> None:
        self._found = self.result.value = ""
        self._show_buttons()

    def __repr__(self) -> str:
        return f"{self._title}: {self.drop.name or 'no file yet'}"

    def _repr_html_(self) -> str:
        rest = self._found or f'<span class="dfw-hint">{escape(self.drop.name) or _NOTHING}</span>'
        return wrap(f'<div class="dfw-title">{escape(self._title)}</div>{rest}', "dfw-card")

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = dict(self.box._repr_mimebundle_(**kwargs) or {})
        return bundle | {"text/plain": repr(self), "text/html": self._repr_html_()}


class _Told:
    """Shows the current step and the elapsed seconds while the block runs."""

    def __init__(self, widget: w.HTML, name: str) -> None:
        self._widget, self._words = widget, f"examining {name}"
        self._start, self._ended = time.monotonic(), threading.Event()

    def tell(self, words: str) -> None:
        self._words = words
        self._show()

    def __enter__(self) -> "_Told":
        self._show()
        self._clock = threading.Thread(target=self._tick, daemon=True)
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._clock.join()

    def _tick(self) -> None:
        while not self._ended.wait(_TICK_S):
            self._show()

    def _show(self) -> None:
        seconds = time.monotonic() - self._start
        self._widget.value = f'<div class="dfw dfw-busy">{escape(self._words)} … <span>{seconds:.0f} s</span></div>'
