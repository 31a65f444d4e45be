"""Results of scoring: a `Scored` with a `FileScore` per file and a `TrackScore` per person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.names import STATUS_OK
from dfworkbench.evaluation.scoring.aggregate import RULES
from dfworkbench.evaluation.scoring.authors import AuthorsScore
from dfworkbench.media.pictures.scored_boxes import draw_boxes


@dataclass(frozen=True, eq=False)
class TrackScore:
    """One person's face throughout a file. Arrays cover the n sampled faces in order of time.

    Attributes:
        track: Index of the track, from 0 by first appearance.
        fake_probability: Score of the track by the file's rule; NaN if it is too short for the detector's clips.
        frames: `(n,)` frame indices.
        times: `(n,)` seconds.
        probabilities: `(n,)` fake probabilities; for clip detectors, the mean over the clips that contain the face.
        boxes: `(n, 4)` face boxes in pixels of the full frame.
        thumbnails: `(k, S, S, 3)` uint8 RGB, a selection of the faces.
        shown: `(k,)` indices of these faces in the other arrays.
        artifacts: For each thumbnail, the boxes in which the detector sees artifacts, `(m, 5)`: corners x0, y0, x1, y1 in 0..1
            of the thumbnail, and score in 0..1; empty for detectors without artifact boxes.
        shows: What was scored: "face", "crop" for ready-made crops, or "picture" for whole pictures.
        doubt: Why the track is ignored if the file has others (`faces.doubt`); "" if it counts.
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
    doubt: str = ""

    def __len__(self) -> int:
        return len(self.frames)

    def pictures(self) -> list[NDArray[np.uint8]]:
        """The thumbnails with artifact boxes and their scores."""
        boxes = self.artifacts or [np.empty((0, 5))] * len(self.thumbnails)
        return [draw_boxes(image, found) for image, found in zip(self.thumbnails, boxes, strict=True)]

    @property
    def count(self) -> str:
        """Number of faces, or of whole pictures, in words."""
        return f"{len(self)} {self.shows}{'' if len(self) == 1 else 's'}"

    @property
    def remark(self) -> str:
        """The doubt as shown in listings; "" if there is none."""
        return f"doubtful: {self.doubt}" if self.doubt else ""

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last face."""
        return float(self.times[-1] - self.times[0]) if len(self.times) else 0.0

    def __repr__(self) -> str:
        when = f", {self.times[0]:.1f}-{self.times[-1]:.1f} s" if len(self) > 1 else ""
        p = self.fake_probability
        remark = f"  {self.remark}" if self.doubt else ""
        return f"track {self.track:<3} {probability_text(p)}  {_bar(p)}  {self.count}{when}{remark}"


@dataclass(frozen=True, eq=False)
class FileScore:
    """Score of one picture or video.

    Attributes:
        path: The file.
        video_id: Its key in the score table.
        kind: "image" or "video".
        status: "ok", or why the file has no score (`names.STATUSES`).
        reason: Why it has no score.
        fake_probability: By `rule`; without a score NaN, or the value set by `ScoreSettings.missing`.
        rule: Name in `aggregate.RULES`.
        tracks: One per person.
        caveat: Disclaimer for the score, see `datasets.domain`, or "".
        frames: Number of frames in the file.
        fps: Frames per second; NaN for a picture.
        width_px: Width of a frame.
        height_px: Height of a frame.
        notice: Remarks about the file itself (`FileFaces.notice`).
        name: Name in listings: the end of its video_id that distinguishes it from the other files; empty: the file name.
        authors: Score by the rule of the authors of imported weights; None if not on record.
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
    name: str = ""
    authors: AuthorsScore | None = None

    @property
    def title(self) -> str:
        """Name in listings."""
        return self.name or self.path.name

    @property
    def doubt(self) -> str:
        """How doubtful tracks affect the file's score, in a sentence; "" if there are none."""
        doubtful = [track for track in self.tracks if track.doubt and not np.isnan(track.fake_probability)]
        if not doubtful or not self.ok:
            return ""
        if len(doubtful) < sum(not np.isnan(track.fake_probability) for track in self.tracks):
            one = len(doubtful) == 1
            return f"{len(doubtful)} doubtful {'track does' if one else 'tracks do'} not count for the file."
        reasons = "; ".join(dict.fromkeys(track.doubt for track in doubtful))
        return f"The file's number is in doubt: it rests on doubtful tracks alone ({reasons}), because there are no others."

    @property
    def note(self) -> str:
        """Everything to show beside the score: doubt and caveat."""
        return " ".join(filter(None, [self.doubt, self.caveat]))

    @property
    def ok(self) -> bool:
        """Whether the file has a score."""
        return self.status == STATUS_OK

    @property
    def duration_s(self) -> float:
        """Length of the video in seconds; 0 for a picture."""
        return self.frames / self.fps if self.kind == "video" and self.fps > 0 else 0.0

    @property
    def without_score(self) -> str:
        """Why a file has no score, and what it counts as in a benchmark."""
        counted = "" if np.isnan(self.fake_probability) else f"; counted as fake probability {self.fake_probability:g}"
        return f"no score ({self.status}){counted}"

    def describe(self) -> str:
        """Kind, size and number of people in words, or that it was scored as a whole picture."""
        tracks = f"{len(self.tracks)} {'track' if len(self.tracks) == 1 else 'tracks'}"
        shows = {track.shows for track in self.tracks}
        people = "whole" if "picture" in shows else "taken as a face crop" if "crop" in shows else tracks
        size = f"{self.width_px} x {self.height_px}"
        length = f", {self.frames} frames, {self.duration_s:.1f} s" if self.kind == "video" else ""
        return f"{self.kind} {size}{length}, {people}"

    def __repr__(self) -> str:
        authors = f"\n  {self.authors}" if self.authors else ""
        if not self.ok:
            return f"{self.title}: {self.without_score}\n  {self.reason}{authors}"
        head = f"{self.title}: {probability_text(self.fake_probability)} ({RULES[self.rule]}){authors}"
        about = filter(None, (self.describe(), self.notice))
        lines = [head, *(f"  {text}" for text in about), *(f"  {track!r}" for track in self.tracks)]
        return "\n".join(lines + ([f"  NOTE: {self.note}"] if self.note else []))

    def _repr_html_(self) -> str:
        from dfworkbench.evaluation.scoring.cards import file_html

        return file_html(self)


@dataclass(frozen=True, eq=False)
class Scored:
    """Result of one call of `score`.

    Attributes:
        files: One per file, in order of path.
        table: Score table (`tables.SCORES`): one row per face or clip, one per file or track without a score.
        detector: Name of the run or weight file that scored.
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
        """One row per file: video_id, kind, status, fake_probability, tracks, doubtful (of these), faces, reason (or notice).

        If the authors of the weights have their own rule, `authors_probability` is the score by it.
        """
        columns = ["video_id", "kind", "status", "fake_probability", "tracks", "doubtful", "faces", "reason"]
        rows = [
            (
                f.video_id, f.kind, f.status, f.fake_probability, len(f.tracks), sum(bool(t.doubt) for t in f.tracks),
                sum(map(len, f.tracks)), f.reason or f.notice,
            )
            for f in self.files
        ]  # fmt: skip
        summary = pd.DataFrame(rows, columns=columns)
        if any(f.authors for f in self.files):
            theirs = [f.authors.fake_probability if f.authors else float("nan") for f in self.files]
            summary.insert(4, "authors_probability", theirs)
        return summary

    def __repr__(self) -> str:
        scored = sum(file.ok for file in self.files)
        head = f"{self.detector or 'detector'}: {scored} of {len(self)} files scored"
        return "\n".join([head, *(repr(file) for file in self.files[:50]), *_more(len(self) - 50)])

    def _repr_html_(self) -> str:
        from dfworkbench.evaluation.scoring.cards import scored_html

        return scored_html(self)


def distinct_names(video_ids: Sequence[str]) -> dict[str, str]:
    """Shortest unique end of each path: "x.mp4", or "a/x.mp4" and "b/x.mp4"."""
    parts = {video_id: video_id.split("/") for video_id in video_ids}
    names, open_ = {}, list(parts)
    for depth in range(1, max(map(len, parts.values()), default=0) + 1):
        ends = {video_id: "/".join(own[-depth:]) for video_id, own in parts.items()}
        count = Counter(ends.values())
        names |= {video_id: ends[video_id] for video_id in open_ if count[ends[video_id]] == 1}
        open_ = [video_id for video_id in open_ if video_id not in names]
    return names | {video_id: video_id for video_id in open_}


def probability_text(probability: float) -> str:
    """A fake probability in words, readable without colour."""
    return "no score" if np.isnan(probability) else f"fake probability {probability:.2f}"


def _bar(probability: float, width: int = 20) -> str:
    if np.isnan(probability):
        return "·" * width
    return "█" * round(probability * width) + "░" * (width - round(probability * width))


def _more(n: int) -> list[str]:
    return [f"… and {n} more files; see .summary and .table"] if n > 0 else []
