"""Search a video for faces: in sampled frames, and between them if identities are ambiguous.

`sampled` searches the whole picture in every k-th sampled frame and only near known faces in the others, unless faces come,
go or move far. `between` adds key frames by bisection until every face's path is clear, or until a fixed number of searches per
sampled frame is spent; a talking head costs nothing extra, and for a crowd the cost does not grow with the clip's length.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.cores import available_cores
from dfworkbench.faces.face_tile import cut_tile
from dfworkbench.faces.faces import Faces
from dfworkbench.faces.mtcnn import FaceFinder
from dfworkbench.faces.tracking import KeyFrame, colour_histogram, is_clear, is_settled, likeness
from dfworkbench.media import AnyFrame, FrameSource

_HELD_BYTES = 128_000_000  # decoded frames held in memory while a gap is searched
_HELD_FRAMES = 64  # … and at most this many, evenly over the gap
_SEARCHES_PER_SAMPLE = 7  # between sampled frames, on average: three bisections of a gap
_AHEAD_FRAMES = 8


def sampled(
    source: FrameSource, wanted: Sequence[int], finder: FaceFinder, threads: int = 1, png: bool = False
) -> list[KeyFrame]:
    """Key frames with faces and face tiles for all wanted frames.

    Args:
        source: The video, or a folder of frames.
        wanted: Frame indices.
        finder: Its settings say how often the whole picture is searched.
        threads: Number of threads that decode and search; 0 for one per core.
        png: Compress the face tiles during the search.
    """
    keys: list[KeyFrame] = []
    anchor: KeyFrame | None = None  # the last frame searched whole
    waiting: list[AnyFrame] = []  # frames since then
    filled: Iterator[KeyFrame] = iter(())  # those before it, being searched in the pool
    last = max(wanted, default=0)
    whole_every = 1 if finder.settings.exact else finder.settings.search_every  # near searches give other boxes
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        spread = map if threads == 1 else pool.map  # one thread means one: workers share the cores
        for frame in _frames(source, wanted, threads):
            if anchor is not None and len(waiting) + 1 < whole_every and frame.index != last:
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
    """Add key frames between those where it is ambiguous whose face is whose.

    At most `_SEARCHES_PER_SAMPLE` per given key frame are added, shared by the gaps that need them; what one gap leaves, the next
    ones get. Where they do not suffice, `tracking.link` ends tracks.
    """
    gaps = [(a, b) for a, b in pairwise(keys) if b.index - a.index > 1 and not is_clear(a, b)]
    if not gaps:
        return keys
    held, ends = min(_HELD_FRAMES, _held(source)), {after.index for _, after in gaps}
    frames = _frames(source, [index for a, b in gaps for index in _spread(a, b, held)], threads)
    trail, searches, open_gaps = keys[:1], _SEARCHES_PER_SAMPLE * len(keys), len(gaps)
    for before, after in pairwise(keys):
        if after.index in ends:
            stock = {frame.index: frame for _, frame in zip(_spread(before, after, held), frames, strict=False)}
            added = _settle(trail, after, stock, finder, searches // open_gaps)
            trail.extend(added)
            searches, open_gaps = searches - len(added), open_gaps - 1
        trail.append(after)
    return trail


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
    """How many decoded frames may be held in memory."""
    return max(_HELD_BYTES // (source.width_px * source.height_px * 3 // 2), 2)


def _fill(left: KeyFrame, right: KeyFrame, finder: FaceFinder, png: bool, frame: AnyFrame) -> KeyFrame:
    """A key frame between two that were searched whole."""
    if is_clear(left, right) and len(left.faces.boxes):
        faces = finder.find_near(frame.rgb, _near(left, right, frame.time_s))
        key = _plain_key(frame, faces)
        if is_clear(left, key) and is_clear(key, right):
            return _key(frame, faces, finder, png)
    return _key(frame, finder.find(frame.rgb), finder, png)


def _near(left: KeyFrame, right: KeyFrame, time_s: float) -> NDArray[np.float64]:
    """Boxes on the straight path between two frames whose faces match clearly."""
    partner = likeness(left.faces.boxes, right.faces.boxes).argmax(axis=1)
    start, end = left.faces.boxes, right.faces.boxes[partner]
    share = (time_s - left.time_s) / max(right.time_s - left.time_s, 1e-9)
    return start + share * (end - start)


def _spread(before: KeyFrame, after: KeyFrame, most: int) -> list[int]:
    """All frames between two, or `most` of them, evenly spaced."""
    distance = after.index - before.index
    count = min(distance - 1, most)
    return [before.index + distance * (number + 1) // (count + 1) for number in range(count)]


def _settle(
    trail: list[KeyFrame], after: KeyFrame, frames: dict[int, AnyFrame], finder: FaceFinder, searches: int
) -> list[KeyFrame]:
    """Up to `searches` key frames between the last of `trail` and another, each in the middle of an ambiguous stretch."""
    way = [*trail[-2:], after]
    first = len(way) - 1
    for _ in range(searches):
        unclear = [at for at in range(first, len(way)) if _is_open(way, at, frames)]
        if not unclear:
            break
        # first where people could be confused, then where somebody only came or left
        at = max(unclear, key=lambda at: (not is_settled(way[at - 1], way[at]), way[at].index - way[at - 1].index))
        way.insert(at, _between_two(way[at - 1], way[at], frames, finder))
    return way[first:-1]


def _is_open(way: list[KeyFrame], at: int, frames: dict[int, AnyFrame]) -> bool:
    """Whether there is an ambiguity to resolve, and a frame to search, before a key frame of a trail."""
    left, right, earlier = way[at - 1], way[at], way[at - 2] if at > 1 else None
    return any(left.index < index < right.index for index in frames) and not is_clear(left, right, earlier)


def _between_two(left: KeyFrame, right: KeyFrame, frames: dict[int, AnyFrame], finder: FaceFinder) -> KeyFrame:
    inside = [index for index in frames if left.index < index < right.index]
    middle = frames[min(inside, key=lambda index: abs(2 * index - left.index - right.index))]
    # anyone who changes places unseen would have to leave this part and come back: that ends a track
    return _plain_key(middle, finder.find_around(middle.rgb, np.concatenate([left.faces.boxes, right.faces.boxes])))


def _key(frame: AnyFrame, faces: Faces, finder: FaceFinder, png: bool) -> KeyFrame:
    tiles = [cut_tile(frame.rgb, box, finder.settings) for box in faces.boxes]
    if png:
        for tile in tiles:
            _ = tile.png  # compressed here, while other threads continue
    return KeyFrame(frame.index, frame.time_s, faces, colour_histogram(frame.rgb), tiles)


def _plain_key(frame: AnyFrame, faces: Faces) -> KeyFrame:
    return KeyFrame(frame.index, frame.time_s, faces, colour_histogram(frame.rgb))
