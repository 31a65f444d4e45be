"""Draw verdicts into a copy of a picture or video: a box per person from green (real) to vermilion (fake), and a timeline.

Faces were scored in sampled frames only; in between, boxes and probabilities are interpolated linearly.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tqdm.auto import tqdm

from dfworkbench.core.errors import MediaError
from dfworkbench.core.outputs import ANNOTATED, require_other, require_replaceable
from dfworkbench.core.palette import NOTHING_RGB, score_rgb
from dfworkbench.core.timeline import spans, stretches
from dfworkbench.evaluation.scoring.aggregate import RULES
from dfworkbench.evaluation.scoring.results import FileScore, TrackScore, probability_text
from dfworkbench.media import VideoSource, VideoWriter, read_image, write_png

_MAX_ROWS = 12
_GROUND, _INK, _SOFT = (24, 28, 34), (238, 240, 243), (150, 158, 168)


def annotate(file: FileScore, target: Path | str, *, crf: int = 20, progress: bool = True) -> Path:
    """Write an annotated copy of a scored file.

    Args:
        file: A scored file, from `score`.
        target: Output file: a .mp4 (or another container) for a video, a .png for a picture; or an existing folder. An existing
            file is replaced only if its name ends in "_annotated", as those written to a folder do.
        crf: Constant rate factor of the video; lower is better and larger.
        progress: Whether to show a progress bar.

    Returns:
        The path of the written file.

    Raises:
        MediaError: The file has no score, or can no longer be read.
        OutputError: The target cannot be written, is the scored file itself, or is another existing file.
    """
    if not file.ok:
        raise MediaError(
            f"annotating {file.path}: it has no score ({file.status}: {file.reason}). Score a file with faces.",
            file.status,
        )
    target = Path(target)
    if target.is_dir():
        target = target / annotated_name(file)
    require_other(target, file.path, ANNOTATED)
    require_replaceable(target, ANNOTATED)
    if file.kind == "video":
        _write_video(file, target, crf, progress)
    else:
        rgb = read_image(file.path)
        write_png(target, Panel(file, rgb.shape[1]).under(draw_tracks(rgb, file, 0)))
    return target


def annotated_name(file: FileScore) -> str:
    """File name of the annotated copy in a folder."""
    return f"{file.path.stem}_annotated{'.mp4' if file.kind == 'video' else '.png'}"


def _write_video(file: FileScore, target: Path, crf: int, progress: bool) -> None:
    source = VideoSource(file.path)
    panel = Panel(file, source.width_px)
    width, height = (source.width_px + 1) // 2 * 2, (source.height_px + panel.height + 1) // 2 * 2
    frames = tqdm(
        source.iterate(), total=file.frames, desc="annotating", unit="frame", disable=not progress, leave=False
    )
    with VideoWriter(target, source.fps, width, height, crf=crf, timed=True) as writer:
        for frame in frames:
            picture = panel.under(draw_tracks(frame.rgb, file, frame.index), frame.index / max(file.frames - 1, 1))
            # H.264 needs even sides
            even = np.pad(picture, ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0)), mode="edge")
            writer.write(even, frame.time_s)


def faces_at(track: TrackScore, frame: float) -> tuple[NDArray[np.float64], float] | None:
    """Box `(4,)` and fake probability of a track in any frame, interpolated; None where the person is not visible."""
    seen = spans(track.frames, lone=1.0)
    for run in stretches(track.frames):
        if run.start < run.stop and seen[run][0, 0] <= frame <= seen[run][-1, 1]:
            at = track.frames[run]
            return _box_between(frame, at, track.boxes[run]), float(np.interp(frame, at, track.probabilities[run]))
    return None


def _box_between(frame: float, at: NDArray[np.int64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(at) == 1:
        return boxes[0].copy()
    # the nearest pair; before the first and after the last face its motion continues
    left = int(np.clip(np.searchsorted(at, frame, side="right") - 1, 0, len(at) - 2))
    part = (frame - at[left]) / (at[left + 1] - at[left])
    return boxes[left] * (1 - part) + boxes[left + 1] * part


def draw_tracks(rgb: NDArray[np.uint8], file: FileScore, frame: int) -> NDArray[np.uint8]:
    """A copy of a frame with the boxes of all tracks visible in it."""
    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image)
    scale = max(rgb.shape[:2]) / 1280
    font = ImageFont.load_default(max(11, round(19 * scale)))
    line = max(2, round(3.5 * scale))
    seen = [(track, *found) for track in file.tracks if (found := faces_at(track, frame)) is not None]
    for track, box, probability in seen:
        x0, y0, x1, y1 = (float(v) for v in box)
        radius = min(2.5 * line, (x1 - x0) / 6)
        width = max(line // 3, 1) if track.doubt else line
        draw.rounded_rectangle((x0, y0, x1, y1), radius=radius, outline=_rgb(probability), width=width)
    taken: list[tuple[float, float, float, float]] = []
    for track, box, probability in seen:
        text = f"{track.track}: " + ("no score" if np.isnan(probability) else f"{probability:.2f}")
        text += " doubtful" if track.doubt else ""
        taken.append(_draw_label(draw, box, text, probability, font, line, taken))
    return np.asarray(image)


def _draw_label(
    draw: ImageDraw.ImageDraw, box: NDArray, text: str, probability: float, font, line: int, taken: Sequence[tuple]
) -> tuple[float, float, float, float]:
    """Draw a label above its box, or below if there is no room, within the picture; returns its position."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, height = right - left + 4 * line, bottom - top + 3 * line
    x = min(max(float(box[0]), 0), max(draw.im.size[0] - width, 0))
    above, below = float(box[1]) - height - line, float(box[3]) + line
    crowded = any(x < b[2] and x + width > b[0] and above < b[3] and above + height > b[1] for b in taken)
    y = min(below, max(draw.im.size[1] - height, 0)) if above < 0 or crowded else above
    draw.rounded_rectangle((x, y, x + width, y + height), radius=2 * line, fill=_rgb(probability))
    ink = (255, 255, 255) if probability > 0.75 or probability < 0.25 else (20, 20, 20)
    draw.text((x + 2 * line - left, y + 1.5 * line - top), text, fill=ink, font=font)
    return x, y, x + width, y + height


def _rgb(probability: float) -> tuple[int, int, int]:
    r, g, b = (int(v) for v in score_rgb(probability))
    return r, g, b


class Panel:
    """The strip below the picture: file score, caveat, and one bar per track over the length of the file.

    Args:
        file: A scored file.
        width: Width of the picture in pixels.
    """

    def __init__(self, file: FileScore, width: int) -> None:
        self.unit = max(10, round(width / 64))
        self.tracks = file.tracks[:_MAX_ROWS] if file.kind == "video" else []
        self._lines = [f"{file.title}   {probability_text(file.fake_probability)}   (green: real, orange: fake)"]
        for text in (f"{RULES[file.rule]}; {file.authors}" if file.authors else "", file.note):
            self._lines += _wrap(text, self._font(0.62), width - 2 * self.unit)
        self.height = round(self.unit * (1.9 + 0.95 * (len(self._lines) - 1) + 0.85 * len(self.tracks)))
        self._left, self._right = round(2.2 * self.unit), width - self.unit
        self._image = self._draw(file, width)

    def under(self, rgb: NDArray[np.uint8], position: float | None = None) -> NDArray[np.uint8]:
        """The picture with the strip below it; `position` (0..1) is the current place in the file."""
        strip = self._image.copy()
        if position is not None and self.tracks:
            x = self._left + round(position * (self._right - self._left))
            strip[self._top :, max(x - 1, 0) : x + 2] = _INK
        return np.concatenate([rgb, strip])

    def _font(self, size: float):
        return ImageFont.load_default(max(9, round(self.unit * size)))

    def _draw(self, file: FileScore, width: int) -> NDArray[np.uint8]:
        image = Image.new("RGB", (width, self.height), _GROUND)
        draw = ImageDraw.Draw(image)
        y = 0.35 * self.unit
        for i, line in enumerate(self._lines):
            draw.text(
                (self.unit, y),
                line,
                fill=_INK if i == 0 else (255, 214, 102),
                font=self._font(0.85 if i == 0 else 0.62),
            )
            y += self.unit * (1.25 if i == 0 else 0.9)
        self._top = round(y)
        for track in self.tracks:
            self._bar(draw, track, file, y)
            y += 0.85 * self.unit
        return np.asarray(image)

    def _bar(self, draw: ImageDraw.ImageDraw, track: TrackScore, file: FileScore, y: float) -> None:
        length = self._right - self._left
        end = y + 0.6 * self.unit
        name = f"{track.track}?" if track.doubt else str(track.track)
        draw.text((self.unit, y - 0.05 * self.unit), name, fill=_SOFT, font=self._font(0.62))
        draw.rectangle((self._left, y, self._right, end), fill=(52, 58, 66))
        edges = np.clip(spans(track.frames, lone=1.0) / max(file.frames - 1, 1), 0, 1)
        for (a, b), probability in zip(edges, track.probabilities, strict=True):
            colour = NOTHING_RGB if np.isnan(probability) else _rgb(probability)
            draw.rectangle((self._left + a * length, y, self._left + b * length, end), fill=colour)


def _wrap(text: str, font, width: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
