"""A web server on the loopback address that serves weight files, as well or as badly as a test asks for; and a bare home."""

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dfworkbench.core.workspace import HOME_VARIABLE

_PIECE = 1 << 14


@dataclass
class WeightServer:
    """What is served, and what was asked.

    Attributes:
        url: Address of the server.
        files: Path below it -> bytes.
        redirects: Path -> address.
        statuses: Path -> statuses to answer first, one per request.
        headers: Path -> further headers.
        cut_after: Path -> bytes after which the connections of the first requests break; one entry per request.
        etags: Whether files have an ETag.
        ranges: Whether ranges are served.
        heeds_if_range: Whether a range of a file that has changed meanwhile is refused, as it should be.
        lengths: Whether the length is stated.
        pause: Waited for after each piece, if it is set; lets a test look at half a file.
        asked: Path and headers of every request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    etags: bool = True
    ranges: bool = True
    heeds_if_range: bool = True
    lengths: bool = True
    pause_s: float = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def ranges_asked(self) -> list[str]:
        """The Range header of every request, "" where there was none."""
        return [headers.get("range", "") for _, headers in self.asked]


@contextmanager
def serving(
    certificate: Path | None = None, handler: "type[FileHandler] | None" = None, state: WeightServer | None = None
) -> Iterator[WeightServer]:
    """A server until the block ends; of https where a file with a key and its certificate is given."""
    state = state or WeightServer()

    class Handler(handler or FileHandler):
        server_state = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class FileHandler(BaseHTTPRequestHandler):
    """Answers GET with the files of its state."""

    protocol_version = "HTTP/1.1"
    server_state: WeightServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_CONNECT(self) -> None:  # as a proxy that lets nothing through
        self.server_state.asked.append((self.path, {}))
        self._answer(403, {}, b"")

    def do_GET(self) -> None:
        state, path = self.server_state, self.path
        state.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        if state.statuses.get(path):
            return self._answer(state.statuses[path].pop(0), {}, b"")
        if path in state.redirects:
            return self._answer(302, {"Location": state.redirects[path], **state.headers.get(path, {})}, b"")
        if path not in state.files:
            return self._answer(404, {}, b"")
        return self._send_file(state.files[path])

    def _send_file(self, whole: bytes) -> None:
        state, begin, status = self.server_state, 0, 200
        tag = f'"{hashlib.md5(whole).hexdigest()}"'
        headers = {"Content-Type": "application/octet-stream", **({"ETag": tag} if state.etags else {})}
        asked, only_if = self.headers.get("Range", ""), self.headers.get("If-Range", tag)
        if state.ranges and asked and (only_if == tag or not state.heeds_if_range):
            begin, status = int(asked.removeprefix("bytes=").partition("-")[0]), 206
            if begin >= len(whole):
                return self._answer(416, {"Content-Range": f"bytes */{len(whole)}"}, b"")
            headers["Content-Range"] = f"bytes {begin}-{len(whole) - 1}/{len(whole)}"
        return self._answer(status, headers | state.headers.get(self.path, {}), whole[begin:])

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        state = self.server_state
        self.send_response(status)
        if state.lengths:
            headers = {"Content-Length": str(len(body)), **headers}
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        cuts = state.cut_after.get(self.path)
        end = min(cuts.pop(0), len(body)) if cuts and body else len(body)
        try:
            for at in range(0, end, _PIECE):
                self.wfile.write(body[at : min(at + _PIECE, end)])
                if state.pause_s:
                    threading.Event().wait(state.pause_s)
        except OSError:  # the client went away
            pass
        self.close_connection = True


def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace without any weights; no variable and no cache of this machine leads to others."""
    for name in (
        "DFWORKBENCH_WEIGHTS", "DFWORKBENCH_OFFLINE", "DFWORKBENCH_MIRROR", "HF_HUB_OFFLINE", "TORCH_HOME", "HF_HOME",
        "HF_HUB_CACHE",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user_cache"))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    (tmp_path / "home" / "checkpoints").mkdir(parents=True)
    return tmp_path / "home"
