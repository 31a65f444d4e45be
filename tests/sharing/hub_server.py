"""As much of Hugging Face's server, on the loopback address, as an upload and a download of a repository need."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from weight_server import FileHandler, WeightServer, serving


@dataclass
class Hub(WeightServer):
    """The state of the server.

    Attributes:
        repositories: OWNER/NAME -> revision -> files.
        private: OWNER/NAME -> whether it is.
        tokens: Authorization headers of all requests that change something.
        large: SHA-256 -> content of files that were uploaded by themselves.
        fails: Whether commits are refused.
    """

    repositories: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    large: dict[str, bytes] = field(default_factory=dict)
    fails: bool = False

    def serve(self, name: str) -> None:
        """Offer all revisions of a repository for download; "main" is the last one."""
        revisions = self.repositories[name]
        for revision, files in {**revisions, "main": revisions[list(revisions)[-1]]}.items():
            commit = list(revisions)[-1] if revision == "main" else revision
            for file, content in files.items():
                path = f"/{name}/resolve/{revision}/{file}"
                self.files[path], self.headers[path] = content, {"X-Repo-Commit": commit}


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub until the block ends."""
    with serving(handler=_Handler, state=Hub()) as state:
        yield state  # pyright: ignore[reportReturnType]


class _Handler(FileHandler):
    server_state: Hub

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/api/models/") and "/tree/" in path:
            name = path.removeprefix("/api/models/").partition("/tree/")[0]
            revisions = self.server_state.repositories[name]
            files = revisions[list(revisions)[-1]] if revisions else {}
            return self._json(
                [{"type": "file", "path": file, "size": len(c), "oid": "0" * 40} for file, c in files.items()]
            )
        return super().do_GET()

    def do_PUT(self) -> None:
        content = self._body()
        self.server_state.large[hashlib.sha256(content).hexdigest()] = content
        self._answer(200, {}, b"")

    def do_POST(self) -> None:
        state, path, body = self.server_state, unquote(urlsplit(self.path).path), self._body()
        state.tokens.append(self.headers.get("Authorization", ""))
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, [asked.get("organization"), asked["name"]]))
            state.private.setdefault(name, asked.get("private", asked.get("visibility") == "private"))
            state.repositories.setdefault(name, {})
            return self._json({"url": f"{state.url}/{name}", "id": name})
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if "/preupload/" in path:
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = {file: "lfs" if file.endswith(".safetensors") else "regular" for file in files}
            return self._json(
                {"files": [{"path": f, "uploadMode": m, "shouldIgnore": False} for f, m in modes.items()]}
            )
        if path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            return self._json({"transfer": "basic", "objects": [
                {**entry, "actions": {"upload": {"href": f"{state.url}/large/{entry['oid']}"}}} for entry in objects
            ]})  # fmt: skip
        if "/commit/" in path:
            return self._commit(path.removeprefix("/api/models/").partition("/commit/")[0], body)
        return self._answer(404, {}, b"")

    def _commit(self, name: str, body: bytes) -> None:
        state = self.server_state
        if state.fails:
            return self._answer(403, {"X-Error-Message": "no right to write"}, b"")
        revisions = state.repositories[name]
        files = dict(revisions[list(revisions)[-1]]) if revisions else {}
        for entry in map(json.loads, body.decode().splitlines()):
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = state.large[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        commit = hashlib.sha1(body).hexdigest()
        revisions[commit] = files
        return self._json({"commitOid": commit, "commitUrl": f"{state.url}/{name}/commit/{commit}", "success": True})

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _json(self, values: object) -> None:
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(values).encode())
