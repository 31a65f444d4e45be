"""Looking for faces in a video: in sampled frames, and between them where it is not clear who is who.

`sampled` searches the whole picture in every k-th sampled frame and only near known faces in the others, unless faces come,
go or move far. `between` adds key frames by bisection until every face's way is clear; a talking head costs nothing there.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dfworkbench.cores import available_cores
from dfworkbench.faces.crops import cut_context
from dfworkbench.faces.faces import Faces
from dfworkbench.faces.mtcnn import FaceFinder
from dfworkbench.faces.tracking import KeyFrame, colour_histogram, is_clear, likeness
from dfworkbench.media import AnyFrame, FrameSource

_HELD_BYTES = 128_000_000  # decoded frames held at once while a gap is searched
_HELD_FRAMES = 32
_AHEAD_FRAMES = 8


def sampled(
    source: FrameSource, wanted: Sequence[int], finder: FaceFinder, threads: int = 1, png: bool = False
) -> list[KeyFrame]:
    """Key frames with faces and context crops for all wanted frames.

    Args:
        source: The video, or a folder of frames.
        wanted: Frame indices.
        finder: Its settings say how often the whole picture is searched.
        threads: See `faces_in_file`.
        png: Likewise.
    """
    keys: list[KeyFrame] = []
    anchor: KeyFrame | None = None  # the last frame that was searched whole
    waiting: list[AnyFrame] = []  # frames since then
    filled: Iterator[KeyFrame] = iter(())  # those before it, being searched in the pool
    last = max(wanted, default=0)
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        spread = map if threads == 1 else pool.map  # one thread means one: workers share the cores
        for frame in _frames(source, wanted, threads):
            if anchor is not None and len(waiting) + 1 < finder.settings.search_every and frame.index != last:
                waiting.append(frame)
                continue
            left, anchor = anchor, _key(frame, finder.find(frame.rgb), finder, png)
            keys.extend(filled)
            if left is not None:
                filled = spread(partial(_fill, left, anchor, finder, png), waiting)
            keys.append(anchor)
            waiting = []
        keys.extend(filled)
        keys.extend(_key(frame, finder.find(frame.rgb), finder, png) for frame in waiting)  # a file that ends early
    return sorted(keys, key=lambda key: key.index)


def between(source: FrameSource, keys: list[KeyFrame], finder: FaceFinder, threads: int = 1) -> list[KeyFrame]:
    """The same key frames, and more between those that do not tell clearly whose face is whose."""
    gaps = [(a, b) for a, b in pairwise(keys) if b.index - a.index > 1 and not is_clear(a, b)]
    if not gaps:
        return keys
    frames = _frames(source, [i for a, b in gaps for i in range(a.index + 1, b.index)], threads)
    added, held = list(keys), min(_HELD_FRAMES, _held(source))
    for before, after in gaps:
        for chunk in _chunks(frames, after.index - before.index - 1, held):
            end = after if chunk[-1].index == after.index - 1 else _plain_key(chunk[-1], finder)
            added.extend(_settle(before, end, {frame.index: frame for frame in chunk}, finder))
            if end is not after:
                added.append(end)
            before = end
    return sorted(added, key=lambda key: key.index)


def _frames(source: FrameSource, wanted: Sequence[int], threads: int) -> Iterator[AnyFrame]:
    """The wanted frames; with more than one thread, some are decoded ahead while one is searched."""
    frames = source.iterate(wanted, threads)
    if threads == 1:
        yield from frames
        return
    with ThreadPoolExecutor(1) as pool:
        pending = deque(pool.submit(next, frames, None) for _ in range(min(_AHEAD_FRAMES, _held(source))))
        while (frame := pending.popleft().result()) is not None:
            pending.append(pool.submit(next, frames, None))
            yield frame


def _held(source: FrameSource) -> int:
    """How many decoded frames may be held at once."""
    return max(_HELD_BYTES // (source.width_px * source.height_px * 3 // 2), 2)


def _fill(left: KeyFrame, right: KeyFrame, finder: FaceFinder, png: bool, frame: AnyFrame) -> KeyFrame:
    """A key frame between two that were searched whole."""
    if is_clear(left, right) and len(left.faces.boxes):
        faces = finder.find_near(frame.rgb, _near(left, right, frame.time_s))
        key = _plain_key(frame, finder, faces)
        if is_clear(left, key) and is_clear(key, right):
            return _key(frame, faces, finder, png)
    return _key(frame, finder.find(frame.rgb), finder, png)


def _near(left: KeyFrame, right: KeyFrame, time_s: float) -> NDArray[np.float64]:
    """Boxes on the straight way between two frames that are clear."""
    partner = likeness(left.faces.boxes, right.faces.boxes).argmax(axis=1)
    start, end = left.faces.boxes, right.faces.boxes[partner]
    share = (time_s - left.time_s) / max(right.time_s - left.time_s, 1e-9)
    return start + share * (end - start)


def _settle(before: KeyFrame, after: KeyFrame, frames: dict[int, AnyFrame], finder: FaceFinder) -> list[KeyFrame]:
    """Key frames between two, halving the distance until they are clear or adjacent."""
    middle = frames.get((before.index + after.index) // 2)
    if middle is None or middle.index <= before.index or is_clear(before, after):
        return []
    key = _plain_key(middle, finder)
    return [*_settle(before, key, frames, finder), key, *_settle(key, after, frames, finder)]


def _chunks(frames: Iterator[AnyFrame], count: int, size: int) -> Iterator[list[AnyFrame]]:
    """The next `count` frames in lists of at most `size`."""
    while count > 0:
        chunk = [frame for _, frame in zip(range(min(size, count)), frames, strict=False)]
        if not chunk:
            return
        yield chunk
        count -= len(chunk)


def _key(frame: AnyFrame, faces: Faces, finder: FaceFinder, png: bool) -> KeyFrame:
    contexts = [cut_context(frame.rgb, box, finder.settings) for box in faces.boxes]
    if png:
        for context in contexts:
            _ = context.png  # compressed here, where other threads go on
    return KeyFrame(frame.index, frame.time_s, faces, colour_histogram(frame.rgb), contexts)


def _plain_key(frame: AnyFrame, finder: FaceFinder, faces: Faces | None = None) -> KeyFrame:
    faces = finder.find(frame.rgb) if faces is None else faces
    return KeyFrame(frame.index, frame.time_s, faces, colour_histogram(frame.rgb))
