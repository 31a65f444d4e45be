"""FileDrop: upload field for one picture or video, sent in chunks and therefore not limited by Jupyter's message size."""

import os
import re
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO

import anywidget  # pyright: ignore[reportMissingImports] (the extra [app])
import traitlets

from dfworkbench.core.safe_paths import path_problem, printable

_HERE = Path(__file__).parent
_PART = f".dfworkbench-upload-{os.getpid()}"
#: Largest chunk accepted from a browser; drop.js sends 1 MiB.
_MOST_PIECE = 4 << 20
_SUFFIX = re.compile(r"\.\w{1,8}", re.ASCII)


class FileDrop(anywidget.AnyWidget):
    """A field to drop or choose a picture or video.

    The browser is not trusted: name, size and order of the chunks are checked here, and nothing depends on the synchronised traits,
    which the browser can set.

    Args:
        folder: Where the file is stored; created with the first upload.
        most_bytes: Largest file accepted.
        keep: Whether a file is kept when the next one arrives.

    Attributes:
        path: The file once it is complete, else None. Observe this trait.
    """

    _esm = _HERE / "drop.js"
    _css = _HERE / "drop.css"
    name = traitlets.Unicode("").tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    most_bytes = traitlets.Int(0).tag(sync=True)
    path: Any = traitlets.Instance(Path, allow_none=True)

    def __init__(self, folder: Path, most_bytes: int, *, keep: bool = False) -> None:
        self._folder, self._most, self._keep = folder, most_bytes, keep
        self._part: BinaryIO | None = None
        self._wanted, self._came, self._locked = ("", 0), 0, False
        super().__init__(most_bytes=most_bytes)
        self.on_msg(self._receive)

    def lock(self, locked: bool) -> None:
        """Stop accepting files, or accept them again."""
        self._locked = self.busy = locked

    def forget(self) -> None:
        """Remove the current file, unless files are kept, and show an empty field."""
        self._close()
        if self.path is not None and not self._keep:
            self.path.unlink(missing_ok=True)
        self.path, self.name, self.problem = None, "", ""

    def _receive(self, _: Any, content: Any, buffers: list[Any]) -> None:
        try:
            answer = self._take(content, buffers)
        except (KeyError, TypeError, ValueError):  # not a message from drop.js
            answer = self._refuse("The page sent something else than a piece of a file. Load it again.")
        except OSError as error:
            answer = self._refuse(
                f"The file cannot be kept ({error.strerror or error}). Tell whoever runs this server."
            )
        self.send(answer)

    def _take(self, content: Any, buffers: list[Any]) -> dict[str, Any]:
        kind = content["kind"]
        if kind == "begin":
            return self._begin(str(content["name"]), int(content["size"]))
        if kind == "piece" and self._part is not None and len(buffers) == 1:
            return self._add(int(content["offset"]), bytes(buffers[0]))
        self._close()
        return {"kind": "stopped"}

    def _begin(self, name: str, size: int) -> dict[str, Any]:
        if self._locked:
            return {"kind": "stopped"}
        self.problem = ""
        if not 0 < size <= self._most:
            seen = "is empty" if size <= 0 else f"has {size / 1e6:,.1f} MB"
            return self._refuse(
                f"{printable(name)[:80]} {seen}. Expected up to {self._most / 1e6:,.0f} MB. Choose a shorter piece of it."
            )
        self.forget()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._part = (self._folder / _PART).open("wb")
        self._wanted, self._came = (safe_name(name), size), 0
        return {"kind": "next", "offset": 0}

    def _add(self, offset: int, piece: bytes) -> dict[str, Any]:
        name, size = self._wanted
        part = self._part
        if part is None or offset != self._came or not 0 < len(piece) <= min(_MOST_PIECE, size - self._came):
            return self._refuse("The file did not come in order, or changed while it was sent. Choose it again.")
        part.write(piece)
        self._came += len(piece)
        if self._came < size:
            return {"kind": "next", "offset": self._came}
        part.close()
        self._part = None
        path = (self._folder / _PART).replace(self._folder / name)
        self.name = name
        self.path = path
        return {"kind": "done"}

    def _refuse(self, why: str) -> dict[str, Any]:
        self._close()
        self.problem = why
        return {"kind": "refused"}

    def _close(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None
            (self._folder / _PART).unlink(missing_ok=True)


def safe_name(name: str) -> str:
    """File name for an upload: its own if valid, else "upload" with its suffix."""
    name = PureWindowsPath(name).name  # a browser may send a path
    if not path_problem(name) and not name.startswith("."):
        return name
    suffix = PureWindowsPath(name).suffix
    return f"upload{suffix if _SUFFIX.fullmatch(suffix) else ''}"
