"""Choose rows of the face table for samples: main tracks, frames, clips, examples to show."""

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.timeline import stretches

_log = logging.getLogger(__name__)

_BYSTANDER_SHARE = 0.01  # fraction of the box; a neighbour's mask may extend into it


def main_tracks(faces: pd.DataFrame) -> pd.DataFrame:
    """The track of every file with the largest total box area, or forged area if there are masks."""
    area = _area(faces)
    forged = (area * faces["forged_share"]).fillna(0.0)
    masked = forged.groupby(faces["video_id"]).transform("sum") > 0
    sums = area.where(~masked, forged).groupby([faces["video_id"], faces["track"]], sort=False).sum()
    best = {video: track for video, track in sums.groupby(level=0, sort=False).idxmax()}
    return faces[faces["track"].to_numpy() == faces["video_id"].map(best).to_numpy()]


def without_bystanders(faces: pd.DataFrame) -> pd.DataFrame:
    """Drop tracks of people who are not forged in a forged file, because its label would be wrong for them."""
    share = faces["forged_share"]  # NaN without a mask
    mean = share.groupby([faces["video_id"], faces["track"]]).transform("mean")
    forged_file = share.groupby(faces["video_id"]).transform("max") > 0
    return faces[~(forged_file & (mean < _BYSTANDER_SHARE))]


def without_doubtful(faces: pd.DataFrame) -> pd.DataFrame:
    """Drop doubtful tracks (`faces.doubt`), such as false detections, in files that have others; tracks with a forged mask stay."""
    sure = (faces["doubt"] == "") | (faces["forged_share"] >= _BYSTANDER_SHARE)
    return faces[sure | ~sure.groupby(faces["video_id"]).transform("any")]


def mask_report(faces: pd.DataFrame) -> tuple[int, int]:
    """Count how often masks are needed to tell which of several faces is forged.

    Returns:
        Number of frames with several faces and a mask; number of these whose forged face is not the largest.
    """
    area = _area(faces)
    frames = pd.DataFrame(
        {"video": faces["video_id"], "frame": faces["frame"], "plain": area, "forged": area * faces["forged_share"]}
    ).reset_index(drop=True)
    group = frames.groupby(["video", "frame"], sort=False)
    several = frames[(group["plain"].transform("size") > 1) & (group["forged"].transform("sum") > 0)]
    best = several.groupby(["video", "frame"], sort=False)[["plain", "forged"]].idxmax()
    return len(best), int((best["plain"] != best["forged"]).sum())


def _area(faces: pd.DataFrame) -> pd.Series:
    return (faces["box_x1"] - faces["box_x0"]) * (faces["box_y1"] - faces["box_y0"])


def choose_samples(faces: pd.DataFrame, spec: InputSpec, per_track: int | None) -> NDArray[np.int64]:
    """Rows of the face table for each sample, `(N, T)`; a clip stays within its track and never spans a gap."""
    steps = np.arange(spec.clip_length) * spec.clip_stride
    frames = faces["frame"].to_numpy()
    chosen: list[NDArray[np.int64]] = []
    short = 0
    for positions in faces.groupby(["video_id", "track"], sort=False).indices.values():
        starts = _clip_starts(frames[positions], int(steps[-1]))
        if not len(starts):
            short += 1
            continue
        count = len(starts) if per_track is None else min(per_track, len(starts))
        first = starts[np.arange(count) * len(starts) // count]
        chosen.append(positions[first[:, None] + steps])
    if short:
        _log.warning("%d tracks are shorter than the %d faces of a clip and give no sample", short, steps[-1] + 1)
    return np.concatenate(chosen).astype(np.int64) if chosen else np.empty((0, spec.clip_length), np.int64)


def _clip_starts(frames: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """Possible start indices of clips that extend `reach` faces further without crossing a gap."""
    if reach == 0:
        return np.arange(len(frames))
    return np.concatenate([np.arange(run.start, run.stop - reach) for run in stretches(frames)])


def in_video_order(faces: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    """The faces of these videos, in the order of the videos, then by track and frame."""
    order = pd.Series(np.arange(len(videos)), index=videos["video_id"])
    faces = faces[faces["video_id"].isin(order.index)]
    place = faces["video_id"].map(order).to_numpy()
    return faces.iloc[np.lexsort((faces["frame"], faces["track"], place))].reset_index(drop=True)


def pick(rows: pd.DataFrame, count: int, seed: int = 0) -> list[int]:
    """Indices of rows to show, drawn at random and balanced over forgery kinds as far as possible.

    Args:
        rows: Indexed from 0, with a column `method`.
        count: How many, at most.
        seed: Seed of the draw.
    """
    order = rows.iloc[np.random.default_rng(seed).permutation(len(rows))]
    place = order.groupby("forgery").cumcount()
    return place.sort_values(kind="stable").index[:count].sort_values().tolist()
