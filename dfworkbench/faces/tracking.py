"""Link the faces of key frames into tracks: one per person and shot.

Each track predicts where its face goes next (constant velocity); the Hungarian method assigns the faces of the next key frame, so
two faces of one frame never share a track. A track that finds no face waits for a while (somebody walks past) and then ends; all
tracks end at a cut. Where two key frames are too far apart to tell people apart, only faces at their expected place continue, and
none after more than a second; every other track ends there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.geometry import iou_matrix
from dfworkbench.faces.face_tile import FaceTile
from dfworkbench.faces.faces import Faces

_MIN_IOU = 0.2  # gate: overlap, or …
_MAX_SHIFT = 0.6  # … centres closer than this many box sides, and …
_SIZE_RATIO = (0.6, 1.7)  # … similar sizes
_CUT_DISTANCE = 0.5  # of colour histograms, 0..2; consecutive frames of a moving crowd stay below 0.1
_MAX_MISSED = 3  # key frames without a face before a track ends, and at least …
_MAX_LOST_S = 1.0  # … this long
_VELOCITY_SPAN_S = 0.4  # older positions do not help to predict where a face goes next
_EXPECTED_IOU = 0.35  # overlap of a face with its expected place that needs no other evidence


@dataclass(frozen=True)
class KeyFrame:
    """A frame that was searched for faces.

    Attributes:
        index: Number of the frame in the video, from 0.
        time_s: Seconds since its first frame.
        faces: The faces found.
        colours: `colour_histogram` of the frame.
        tiles: A face tile for each face, or None for a frame used only to link others.
    """

    index: int
    time_s: float
    faces: Faces
    colours: NDArray[np.float32]
    tiles: list[FaceTile] | None = None


@dataclass
class Track:
    """One person's face through one shot.

    Attributes:
        keys: Positions in the list of key frames.
        faces: Index of the face in each key frame.
        torn: Whether it begins or ends where key frames are too far apart to tell people apart; it may be a piece of a longer
            track.
    """

    keys: list[int] = field(default_factory=list)
    faces: list[int] = field(default_factory=list)
    torn: bool = False


def colour_histogram(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shares of 8 x 8 x 8 colours over about 160 x 90 pixels of a frame, `(512,)`, sum 1."""
    height, width = rgb.shape[:2]
    small = rgb[:: max(height // 90, 1), :: max(width // 160, 1)] >> 5
    codes = (small[..., 0].astype(np.int64) << 6) | (small[..., 1].astype(np.int64) << 3) | small[..., 2]
    return (np.bincount(codes.ravel(), minlength=512) / codes.size).astype(np.float32)


def is_cut(before: KeyFrame, after: KeyFrame) -> bool:
    """Whether the colours of two frames differ so much that there may be a cut between them."""
    return float(np.abs(before.colours - after.colours).sum()) > _CUT_DISTANCE


def is_clear(before: KeyFrame, after: KeyFrame, earlier: KeyFrame | None = None) -> bool:
    """Whether every face of one frame matches exactly one face of the other without ambiguity.

    Args:
        before: The earlier of the two.
        after: The later.
        earlier: A key frame shortly before both: faces with a clear path from there are expected to move on.
    """
    if len(before.faces.boxes) != len(after.faces.boxes) or is_cut(before, after):
        return False
    expected = before.faces.boxes if earlier is None else _moved_on(earlier, before, after.time_s)
    return bool(_one_to_one(likeness(expected, after.faces.boxes) > 0).any(axis=1).all())


def _moved_on(earlier: KeyFrame, before: KeyFrame, time_s: float) -> NDArray[np.float64]:
    """The boxes of `before`, moved on by their motion from `earlier` at the same speed."""
    boxes = before.faces.boxes.copy()
    passed_s = before.time_s - earlier.time_s
    if not 0 < passed_s <= _VELOCITY_SPAN_S or is_cut(earlier, before):
        return boxes
    was, now = np.nonzero(_one_to_one(likeness(earlier.faces.boxes, boxes) > 0))
    ahead = min(time_s - before.time_s, _VELOCITY_SPAN_S) / passed_s
    boxes[now] += np.tile(_centres(boxes[now]) - _centres(earlier.faces.boxes[was]), 2) * ahead
    return boxes


def is_settled(before: KeyFrame, after: KeyFrame) -> bool:
    """Whether searching between two frames would not help: they match clearly, or people only came, or only left.

    Within a second, a face with no other nearby in both frames belongs to one person; if everybody in one frame has a match, the
    remaining faces of the other frame must be different people.
    """
    if is_clear(before, after):
        return True
    if is_cut(before, after) or after.time_s - before.time_s > _MAX_LOST_S:
        return False
    alone = _one_to_one(likeness(before.faces.boxes, after.faces.boxes) > 0)
    return bool(alone.any(axis=1).all() or alone.any(axis=0).all())


def _one_to_one(near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pairs in which neither could be paired with another."""
    return near & (near.sum(axis=0) == 1)[None] & (near.sum(axis=1) == 1)[:, None]


def likeness(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well boxes match, `(len(a), len(b))`, 0 (outside the gate) to 1.5 (identical)."""
    iou = iou_matrix(a, b)
    centre_a, centre_b = _centres(a), _centres(b)
    side_a, side_b = (np.sqrt(np.prod(x[:, 2:] - x[:, :2], axis=1)) for x in (a, b))
    shift = np.linalg.norm(centre_a[:, None] - centre_b[None], axis=2) / np.maximum(side_a[:, None], 1e-9)
    ratio = side_b[None] / np.maximum(side_a[:, None], 1e-9)
    alike = (ratio >= _SIZE_RATIO[0]) & (ratio <= _SIZE_RATIO[1])
    gate = (iou >= _MIN_IOU) | ((shift <= _MAX_SHIFT) & alike)
    return np.where(gate, iou + 0.5 * np.clip(1 - shift, 0, None), 0.0)


def _centres(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def link(keys: Sequence[KeyFrame]) -> list[Track]:
    """Link the faces of key frames, which must be in order of time, into tracks.

    Returns:
        Tracks in order of their first appearance (larger faces first); every face is in exactly one.
    """
    done: list[Track] = []
    alive: list[Track] = []
    for number, key in enumerate(keys):
        if number and is_cut(keys[number - 1], key):
            alive = []
        doubt = _is_doubtful(keys[max(number - 2, 0) : number + 1])
        taken = _assign_expected(alive, keys, key) if doubt else _assign(alive, keys, key)
        if doubt:
            for track in alive:
                track.torn = track.torn or track not in taken.values()
            alive = list(taken.values())  # anyone found elsewhere now may be a different person
        for face in range(len(key.faces.boxes)):
            track = taken.get(face)
            if track is None:
                track = Track(torn=doubt)
                done.append(track)
                alive.append(track)
            track.keys.append(number)
            track.faces.append(face)
        alive = [track for track in alive if not _is_lost(track, keys, number)]
    return done


def _is_doubtful(last: Sequence[KeyFrame]) -> bool:
    """Whether there are frames between the last two of up to three key frames, and these are ambiguous."""
    if len(last) < 2 or last[-1].index - last[-2].index <= 1:
        return False
    earlier = last[0] if len(last) > 2 else None
    return not is_clear(last[-2], last[-1], earlier) and not is_settled(last[-2], last[-1])


def _assign_expected(alive: list[Track], keys: Sequence[KeyFrame], key: KeyFrame) -> dict[int, Track]:
    """The living tracks of faces that are, after at most a second, at their expected place and could not be anybody else."""
    last_seen_s = max((keys[track.keys[-1]].time_s for track in alive), default=0)
    if not alive or not len(key.faces.boxes) or key.time_s - last_seen_s > _MAX_LOST_S:
        return {}
    expected = np.stack([_predict(track, keys, key.time_s) for track in alive])
    alone = _one_to_one(iou_matrix(expected, key.faces.boxes) >= _EXPECTED_IOU)
    return {int(face): alive[row] for row, face in zip(*np.nonzero(alone), strict=True)}


def _assign(alive: list[Track], keys: Sequence[KeyFrame], key: KeyFrame) -> dict[int, Track]:
    """Which living track each face of a key frame belongs to."""
    if not alive or not len(key.faces.boxes):
        return {}
    last = np.stack([_box(track, keys, -1) for track in alive])
    predicted = np.stack([_predict(track, keys, key.time_s) for track in alive])
    # a person may also have stopped; if both fit, the prediction counts slightly more
    score = np.maximum(likeness(predicted, key.faces.boxes), 0.95 * likeness(last, key.faces.boxes))
    rows, columns = _best_pairs(score)
    return {int(c): alive[r] for r, c in zip(rows, columns, strict=True) if score[r, c] > 0}


def _best_pairs(score: NDArray[np.float64]) -> tuple[Sequence[int], Sequence[int]]:
    """Rows and columns of the assignment with the highest sum of scores `(n, m)`."""
    if score.shape == (1, 1):  # one person in view: importing the solver takes longer than tracking a whole video
        return [0], [0]
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(-score)


def _box(track: Track, keys: Sequence[KeyFrame], position: int) -> NDArray[np.float64]:
    return keys[track.keys[position]].faces.boxes[track.faces[position]]


def _predict(track: Track, keys: Sequence[KeyFrame], time_s: float) -> NDArray[np.float64]:
    """The last box moved on at the track's velocity."""
    last = _box(track, keys, -1)
    now = keys[track.keys[-1]].time_s
    if len(track.keys) < 2 or now - keys[track.keys[-2]].time_s > _VELOCITY_SPAN_S:
        return last
    before = _box(track, keys, -2)
    step = (last[:2] + last[2:] - before[:2] - before[2:]) / 2
    ahead = min(time_s - now, _VELOCITY_SPAN_S) / (now - keys[track.keys[-2]].time_s)
    return last + np.tile(step * ahead, 2)


def _is_lost(track: Track, keys: Sequence[KeyFrame], number: int) -> bool:
    missed = number - track.keys[-1]
    return missed > _MAX_MISSED and keys[number].time_s - keys[track.keys[-1]].time_s > _MAX_LOST_S
