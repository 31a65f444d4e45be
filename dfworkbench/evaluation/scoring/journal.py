"""Journal of finished files, for resuming an interrupted scoring: one line of JSON per file.

Each line records size and modification time of its file; the journal's name contains a hash of paths, weights, settings and
version. A changed file, other weights or other settings are therefore scored again. A truncated line is skipped.
"""

import base64
import dataclasses
import hashlib
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import dfworkbench
from dfworkbench.core.settings import Settings
from dfworkbench.core.workspace import find_workspace
from dfworkbench.evaluation.scoring.results import FileScore, TrackScore
from dfworkbench.media import encode_png
from dfworkbench.runs.checkpoints import LoadedDetector

_log = logging.getLogger(__name__)
_ARRAYS = {"frames": np.int64, "times": np.float64, "probabilities": np.float64, "boxes": np.float64, "shown": np.int64}

Finished = tuple[FileScore, list[dict[str, Any]]]  # a file and its rows of the score table


class Journal:
    """Reads the results of an interrupted scoring and appends new ones. A context manager.

    Args:
        path: The journal file; None: nothing is stored.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lines = _read_lines(path) if path else {}
        self._file: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def find(self, video_id: str, file: Path) -> Finished | None:
        """Look up a file that is finished and unchanged since."""
        line = self._lines.get(video_id)
        if line is None or line["stamp"] != _stamp(file):
            return None
        return _unpack(line["file"], file), line["rows"]

    def add(self, video_id: str, file: Path, found: FileScore, rows: list[dict[str, Any]]) -> None:
        """Append a finished file. If that fails, scoring continues with a single warning."""
        if self.path is None:
            return
        line = {"video_id": video_id, "stamp": _stamp(file), "file": _pack(found), "rows": rows}
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab")
                self._file.write(b"\n")  # terminates a truncated line
            self._file.write(json.dumps(line, default=_plain).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            _log.warning("scoring goes on, but a stop would lose what is done: cannot write %s (%s)", self.path, error)
            self.path = None

    def remove(self) -> None:
        """Delete the journal after all results were returned."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def journal_path(paths: Sequence[Path], loaded: LoadedDetector, *settings: Settings) -> Path:
    """Journal file for scoring these paths, in the workspace; the same for the same command."""
    digest = hashlib.sha256(weights_hash(loaded).encode())
    chosen = [one.model_dump_json(exclude={"workers", "scheduler"}) for one in settings]  # these do not affect results
    for part in (dfworkbench.__version__, *chosen, *(str(path.absolute()) for path in paths)):
        digest.update(b"\0" + part.encode(errors="surrogateescape"))
    return find_workspace().root / "report" / "scores" / ".unfinished" / f"{digest.hexdigest()[:24]}.jsonl"


def default_table(paths: Sequence[Path], run: str) -> Path:
    """Default score table of the command line for these paths, in `report/scores/` of the workspace."""
    digest = hashlib.sha256("\0".join(str(path.absolute()) for path in paths).encode(errors="surrogateescape"))
    name = re.sub(r"[^\w.+-]", "_", f"{run}_{paths[0].absolute().name}", flags=re.ASCII)[:80]
    return find_workspace().root / "report" / "scores" / f"{name}_{digest.hexdigest()[:8]}.csv"


def weights_hash(loaded: LoadedDetector) -> str:
    """Hash of a detector in memory: name, input and weights."""
    digest = hashlib.blake2b(json.dumps([loaded.name, loaded.input_spec.to_dict()]).encode())
    for name, tensor in sorted(loaded.detector.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _read_lines(path: Path) -> dict[str, dict[str, Any]]:
    lines = {}
    try:
        text = path.read_bytes()
    except OSError:
        return lines
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            lines[entry["video_id"]] = entry
        except (ValueError, KeyError, TypeError):  # truncated by a kill
            continue
    return lines


def _stamp(file: Path) -> list[int]:
    try:
        stat = file.stat()
    except OSError:
        return [-1, -1]
    return [stat.st_size, stat.st_mtime_ns]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value.tolist()


def _pack(file: FileScore) -> dict[str, Any]:
    """A file's score without its path, as plain values."""
    kept = {f.name: getattr(file, f.name) for f in dataclasses.fields(file) if f.name not in ("path", "tracks")}
    return {**kept, "tracks": [_pack_track(track) for track in file.tracks]}


def _unpack(values: dict[str, Any], path: Path) -> FileScore:
    return FileScore(**{**values, "path": path, "tracks": [_unpack_track(track) for track in values["tracks"]]})


def _pack_track(track: TrackScore) -> dict[str, Any]:
    values = {f.name: getattr(track, f.name) for f in dataclasses.fields(track)}
    pictures = [base64.b64encode(encode_png(picture)).decode() for picture in track.thumbnails]
    return {**values, "thumbnails": pictures, "side": track.thumbnails.shape[1]}


def _unpack_track(values: dict[str, Any]) -> TrackScore:
    side = values.pop("side")
    pictures = [_decode_png(text) for text in values["thumbnails"]]
    values |= {name: np.asarray(values[name], kind) for name, kind in _ARRAYS.items()}
    values["boxes"] = values["boxes"].reshape(-1, 4)
    values["thumbnails"] = np.stack(pictures) if pictures else np.empty((0, side, side, 3), np.uint8)
    values["artifacts"] = tuple(np.asarray(found, np.float64).reshape(-1, 5) for found in values["artifacts"])
    return TrackScore(**values)


def _decode_png(text: str) -> NDArray[np.uint8]:
    bgr = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(bgr, np.uint8)[..., ::-1])
