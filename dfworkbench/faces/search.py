"""Looking for faces in a video: in sampled frames, and between them where it is not clear who is who.

`sampled` searches the whole picture in every k-th sampled frame and only near known faces in the others, unless faces come,
go or move far. `between` adds key frames by bisection until every face's way is clear; a talking head costs nothing there.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dfworkbench.faces.crops import cut_context
from dfworkbench.faces.faces import Faces
from dfworkbench.faces.mtcnn import FaceFinder
from dfworkbench.faces.tracking import KeyFrame, colour_histogram, is_clear, likeness
from dfworkbench.media import VideoSource
from dfworkbench.media.video import Frame

_SIZES = (0.9, 1.0, 1.15)  # of candidates near a known face; with 1.0 and 1.15 alone 2 of 140 were lost, so none
_HELD_BYTES = 128_000_000  # decoded frames held at once while a gap is searched
_HELD_FRAMES = 32


def sampled(frames: Iterable[Frame], finder: FaceFinder) -> list[KeyFrame]:
    """Key frames with faces and context crops for all frames given.

    Args:
        frames: In order; at most `search_every` + 1 are held at once.
        finder: Its settings say how often the whole picture is searched.
    """
    keys: list[KeyFrame] = []
    waiting: list[Frame] = []
    stream = _ahead(frames)
    frame = next(stream, None)
    while frame is not None:
        following = next(stream, None)
        if not keys or len(waiting) + 1 >= finder.settings.search_every or following is None:
            anchor = _key(frame, finder.find(frame.rgb), finder)
            if waiting:
                keys.extend(_fill(keys[-1], waiting, anchor, finder))
            keys.append(anchor)
            waiting = []
        else:
            waiting.append(frame)
        frame = following
    return keys


def between(source: VideoSource, keys: list[KeyFrame], finder: FaceFinder) -> list[KeyFrame]:
    """The same key frames, and more between those that do not tell clearly whose face is whose."""
    gaps = [(a, b) for a, b in pairwise(keys) if b.index - a.index > 1 and not is_clear(a, b)]
    if not gaps:
        return keys
    frames = source.iterate([i for a, b in gaps for i in range(a.index + 1, b.index)])
    added = list(keys)
    for before, after in gaps:
        held = min(_HELD_FRAMES, max(_HELD_BYTES // (source.width_px * source.height_px * 3 // 2), 2))
        for chunk in _chunks(frames, after.index - before.index - 1, held):
            end = after if chunk[-1].index == after.index - 1 else _plain_key(chunk[-1], finder)
            added.extend(_settle(before, end, {frame.index: frame for frame in chunk}, finder))
            if end is not after:
                added.append(end)
            before = end
    return sorted(added, key=lambda key: key.index)


def _ahead(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames; the next one is decoded in a thread while one is searched."""
    stream = iter(frames)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, stream, None)
        while (frame := pending.result()) is not None:
            pending = pool.submit(next, stream, None)
            yield frame


def _fill(left: KeyFrame, frames: list[Frame], right: KeyFrame, finder: FaceFinder) -> Iterator[KeyFrame]:
    """Key frames for the frames between two searched ones."""
    still = is_clear(left, right)
    for frame in frames:
        faces = (
            finder.find_near(frame.rgb, _near(left, right, frame.time_s)) if still and len(left.faces.boxes) else None
        )
        key = None if faces is None else _plain_key(frame, finder, faces)
        if key is None or not (is_clear(left, key) and is_clear(key, right)):
            faces = finder.find(frame.rgb)
        assert faces is not None
        yield _key(frame, faces, finder)


def _near(left: KeyFrame, right: KeyFrame, time_s: float) -> NDArray[np.float64]:
    """Boxes to look at between two frames that are clear: both ends, and on the straight way between them."""
    partner = likeness(left.faces.boxes, right.faces.boxes).argmax(axis=1)
    start, end = left.faces.boxes, right.faces.boxes[partner]
    share = (time_s - left.time_s) / max(right.time_s - left.time_s, 1e-9)
    boxes = np.concatenate([start + share * (end - start), start, end])
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([np.concatenate([centre - size * half, centre + size * half], axis=1) for size in _SIZES])


def _settle(before: KeyFrame, after: KeyFrame, frames: dict[int, Frame], finder: FaceFinder) -> list[KeyFrame]:
    """Key frames between two, halving the distance until they are clear or adjacent."""
    middle = frames.get((before.index + after.index) // 2)
    if middle is None or middle.index <= before.index or is_clear(before, after):
        return []
    key = _plain_key(middle, finder)
    return [*_settle(before, key, frames, finder), key, *_settle(key, after, frames, finder)]


def _chunks(frames: Iterator[Frame], count: int, size: int) -> Iterator[list[Frame]]:
    """The next `count` frames in lists of at most `size`."""
    while count > 0:
        chunk = [frame for _, frame in zip(range(min(size, count)), frames, strict=False)]
        if not chunk:
            return
        yield chunk
        count -= len(chunk)


def _key(frame: Frame, faces: Faces, finder: FaceFinder) -> KeyFrame:
    contexts = [cut_context(frame.rgb, box, finder.settings) for box in faces.boxes]
    return KeyFrame(frame.index, frame.time_s, faces, colour_histogram(frame.rgb), contexts)


def _plain_key(frame: Frame, finder: FaceFinder, faces: Faces | None = None) -> KeyFrame:
    faces = finder.find(frame.rgb) if faces is None else faces
    return KeyFrame(frame.index, frame.time_s, faces, colour_histogram(frame.rgb))
