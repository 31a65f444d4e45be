"""Leakage audit of pictures: frames in two splits with equal pixels or near-equal perceptual hashes."""

import hashlib
import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from dfworkbench.core.errors import MediaError, TableError
from dfworkbench.core.names import SPLITS
from dfworkbench.datasets.audit.leaks import leak_rows
from dfworkbench.media import read_image
from dfworkbench.media.pictures.perceptual_hash import BITS, WORDS, contrast, near_pairs, picture_hash

#: Standard deviation in grey levels. The flattest crop of the demo set has 18, a black or white frame less than one.
LEAST_CONTRAST = 3.0


class FrameHashes(NamedTuple):
    """Hashes of frames.

    Attributes:
        frames: video_id, split, frame and `pixels` (SHA-256 of size and pixels), one row per frame.
        likeness: `(n, 4)` perceptual hashes from `picture_hash`, in the same order.
        flat: `(n,)`, whether the contrast is too low for a comparison.
    """

    frames: pd.DataFrame
    likeness: NDArray[np.uint64]
    flat: NDArray[np.bool_]


def hash_frames(
    videos: pd.DataFrame, faces: pd.DataFrame, extracted: Path, frames_per_video: int, *, progress: bool = False
) -> FrameHashes:
    """Read and hash stored face tiles, the same number per file, evenly over its frames.

    Args:
        videos: Video table; files without a split are left out.
        faces: Face table.
        extracted: Folder that `crop_path` is relative to.
        frames_per_video: Most crops per file.
        progress: Whether to show a progress bar.

    Raises:
        TableError: A crop cannot be read.
    """
    splits = videos[videos["split"] != ""].set_index("video_id")["split"]
    chosen = faces[faces["video_id"].isin(splits.index)].sort_values(["video_id", "frame", "track"])
    place = chosen.groupby("video_id").cumcount()
    size = chosen.groupby("video_id")["frame"].transform("size")
    step = np.minimum(size, frames_per_video)
    chosen = chosen[place * step // size != (place - 1) * step // size]  # the first of each of `step` equal parts
    pixels, likeness, flat = [], np.zeros((len(chosen), WORDS), np.uint64), np.zeros(len(chosen), bool)
    for at, path in enumerate(tqdm(chosen["crop_path"], desc="comparing frames", disable=not progress, leave=False)):
        rgb = _read(extracted / path)
        pixels.append(hashlib.sha256(str(rgb.shape).encode() + rgb.tobytes()).hexdigest())
        likeness[at], flat[at] = picture_hash(rgb), contrast(rgb) < LEAST_CONTRAST
    frames = chosen[["video_id", "frame"]].assign(split=chosen["video_id"].map(splits), pixels=pixels)
    return FrameHashes(frames.reset_index(drop=True), likeness, flat)


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return read_image(path)
    except MediaError as error:
        raise TableError(
            f"comparing frames across splits: {error} Expected every crop of the face table to be there. Run "
            "01_data_extraction again: it makes those that are not."
        ) from None


def equal_frames(hashes: FrameHashes) -> pd.DataFrame:
    """Frames with the same pixels in more than one split: kind "exact_frame", one row per pair of files.

    If several files of a split contain a frame, the first by name represents them.
    """
    rows = hashes.frames[~hashes.flat]
    spread = rows[rows.groupby("pixels")["split"].transform("nunique") > 1]
    first = spread.sort_values(["video_id", "frame"]).drop_duplicates(["pixels", "split"])
    counts: dict[tuple[str, ...], list[str]] = {}
    for _, group in first.groupby("pixels"):
        sides = group.set_index("split")
        for a, b in itertools.combinations([split for split in SPLITS if split in sides.index], 2):
            pair = a, str(sides.loc[a, "video_id"]), b, str(sides.loc[b, "video_id"])
            counts.setdefault(pair, []).append(f"frame {sides.loc[a, 'frame']} is frame {sides.loc[b, 'frame']}")
    return leak_rows([("exact_frame", *p, f"{_frames(len(said))}: {min(said)}") for p, said in counts.items()])


def like_frames(hashes: FrameHashes, bits: int) -> pd.DataFrame:
    """Near copies (not pixel-equal) in different splits: kind "near_frame", one row per pair of files.

    Args:
        hashes: From `hash_frames`.
        bits: Largest Hamming distance of two hashes, out of 256.
    """
    video, names = pd.factorize(hashes.frames["video_id"])
    frame = hashes.frames["frame"].to_numpy()
    pixels = pd.factorize(hashes.frames["pixels"])[0]
    split = hashes.frames["split"].to_numpy()
    rows = []
    for a, b in itertools.combinations(SPLITS, 2):
        left, right = (np.flatnonzero((split == name) & ~hashes.flat) for name in (a, b))
        nearest: dict[tuple[int, int], tuple[int, int, int, int]] = {}  # files -> distance, frames, count
        for i, j, distance in near_pairs(hashes.likeness[left], hashes.likeness[right], bits):
            i, j = left[i], right[j]
            other = pixels[i] != pixels[j]  # equal frames are another kind of leak
            for p, q, d in zip(i[other], j[other], distance[other], strict=True):
                pair = int(video[p]), int(video[q])
                best = nearest.get(pair, (BITS, 0, 0, 0))
                nearest[pair] = (*min(best[:3], (int(d), int(frame[p]), int(frame[q]))), best[3] + 1)
        for (p, q), (d, at, other_at, count) in nearest.items():
            detail = f"{_frames(count)}, nearest: frame {at} and frame {other_at}, {d} of {BITS} bits apart"
            rows.append(("near_frame", a, str(names[p]), b, str(names[q]), detail))
    return leak_rows(rows)


def _frames(count: int) -> str:
    return f"{count} pair{'' if count == 1 else 's'} of frames"
