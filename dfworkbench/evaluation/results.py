"""What scoring returns: one `Scored` with a `FileScore` per file and a `TrackScore` per person."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.evaluation.aggregate import RULES
from dfworkbench.evaluation.marks import draw_boxes
from dfworkbench.names import STATUS_OK


@dataclass(frozen=True, eq=False)
class TrackScore:
    """One person's face through one file. All arrays run over the n sampled faces in order of time.

    Attributes:
        track: Number of the track, from 0 by first appearance.
        fake_probability: Of the track by the file's rule; NaN if it is too short for the detector's clips.
        frames: `(n,)` frame indices.
        times: `(n,)` seconds.
        probabilities: `(n,)` fake probabilities; where a detector reads clips, the mean over the clips that hold the face.
        boxes: `(n, 4)` face boxes in pixels of the full frame.
        thumbnails: `(k, S, S, 3)` uint8 RGB, some of the faces.
        shown: `(k,)` which faces they are, indices into the other arrays.
        artifacts: For each thumbnail `(m, 5)`: corners x0, y0, x1, y1 in 0..1 of it, and score in 0..1, of the boxes in which
            the detector sees artifacts; empty for detectors that say nothing of the kind.
        shows: What was scored, in one word: "face", or "picture" where pictures are taken whole.
    """

    track: int
    fake_probability: float
    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    boxes: NDArray[np.float64]
    thumbnails: NDArray[np.uint8]
    shown: NDArray[np.int64]
    artifacts: tuple[NDArray[np.float64], ...] = ()
    shows: str = "face"

    def __len__(self) -> int:
        return len(self.frames)

    def pictures(self) -> list[NDArray[np.uint8]]:
        """The thumbnails, artifact boxes and their scores drawn in."""
        boxes = self.artifacts or [np.empty((0, 5))] * len(self.thumbnails)
        return [draw_boxes(image, found) for image, found in zip(self.thumbnails, boxes, strict=True)]

    @property
    def count(self) -> str:
        """How many faces, or whole pictures, in words."""
        return f"{len(self)} {self.shows}{'' if len(self) == 1 else 's'}"

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last face."""
        return float(self.times[-1] - self.times[0]) if len(self.times) else 0.0

    def __repr__(self) -> str:
        when = f", {self.times[0]:.1f}-{self.times[-1]:.1f} s" if len(self) > 1 else ""
        p = self.fake_probability
        return f"track {self.track:<3} {probability_text(p)}  {_bar(p)}  {self.count}{when}"


@dataclass(frozen=True, eq=False)
class FileScore:
    """One picture or video.

    Attributes:
        path: The file.
        video_id: Its key in the score table.
        kind: "image" or "video".
        status: "ok", or what became of the file (`names.STATUSES`).
        reason: Why it has no score.
        fake_probability: By `rule`; NaN without score.
        rule: Name in `aggregate.RULES`.
        tracks: One per person.
        caveat: What must be said beside the number, see `evaluation.domain`; "" if nothing.
        frames: Frames in the file.
        fps: Frames per second; NaN for a picture.
        width_px: Of a frame.
        height_px: Of a frame.
        notice: What is not as it seems in the file (`FileFaces.notice`).
    """

    path: Path
    video_id: str
    kind: str
    status: str
    reason: str
    fake_probability: float
    rule: str
    tracks: list[TrackScore] = field(default_factory=list)
    caveat: str = ""
    frames: int = 0
    fps: float = float("nan")
    width_px: int = 0
    height_px: int = 0
    notice: str = ""

    @property
    def ok(self) -> bool:
        """Whether the file has a score."""
        return self.status == STATUS_OK

    @property
    def duration_s(self) -> float:
        """Length of the video in seconds; 0 for a picture."""
        return self.frames / self.fps if self.kind == "video" and self.fps > 0 else 0.0

    def describe(self) -> str:
        """Kind, size and number of people in words, or that it was taken whole."""
        tracks = f"{len(self.tracks)} {'track' if len(self.tracks) == 1 else 'tracks'}"
        people = "whole" if any(track.shows != "face" for track in self.tracks) else tracks
        size = f"{self.width_px} x {self.height_px}"
        length = f", {self.frames} frames, {self.duration_s:.1f} s" if self.kind == "video" else ""
        return f"{self.kind} {size}{length}, {people}"

    def __repr__(self) -> str:
        if not self.ok:
            return f"{self.path.name}: no score ({self.status})\n  {self.reason}"
        head = f"{self.path.name}: {probability_text(self.fake_probability)} ({RULES[self.rule]})"
        about = filter(None, (self.describe(), self.notice))
        lines = [head, *(f"  {text}" for text in about), *(f"  {track!r}" for track in self.tracks)]
        return "\n".join(lines + ([f"  NOTE: {self.caveat}"] if self.caveat else []))

    def _repr_html_(self) -> str:
        from dfworkbench.evaluation.html import file_html

        return file_html(self)


@dataclass(frozen=True, eq=False)
class Scored:
    """Everything that one call of `score` found.

    Attributes:
        files: One per file, in order of path.
        table: Score table (`tables.SCORES`): one row per face or clip, one per file or track without score.
        detector: Name of the detector.
    """

    files: list[FileScore]
    table: pd.DataFrame
    detector: str = ""

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[FileScore]:
        return iter(self.files)

    def __getitem__(self, index: int) -> FileScore:
        return self.files[index]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per file: video_id, kind, status, fake_probability, tracks, faces, reason (or notice)."""
        columns = ["video_id", "kind", "status", "fake_probability", "tracks", "faces", "reason"]
        rows = [
            (
                f.video_id, f.kind, f.status, f.fake_probability, len(f.tracks), sum(map(len, f.tracks)),
                f.reason or f.notice,
            )
            for f in self.files
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        scored = sum(file.ok for file in self.files)
        head = f"{self.detector or 'detector'}: {scored} of {len(self)} files scored"
        return "\n".join([head, *(repr(file) for file in self.files[:50]), *_more(len(self) - 50)])

    def _repr_html_(self) -> str:
        from dfworkbench.evaluation.html import scored_html

        return scored_html(self)


def probability_text(probability: float) -> str:
    """A fake probability in words that need no colour."""
    return "no score" if np.isnan(probability) else f"fake probability {probability:.2f}"


def _bar(probability: float, width: int = 20) -> str:
    if np.isnan(probability):
        return "·" * width
    return "█" * round(probability * width) + "░" * (width - round(probability * width))


def _more(n: int) -> list[str]:
    return [f"… and {n} more files; see .summary and .table"] if n > 0 else []
