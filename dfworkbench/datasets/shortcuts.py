"""Shortcuts in a data set: file properties (size, bytes per pixel, face size, file type) that separate real from fake.

Genuine and forged files of published sets often come from different sources. A detector may then learn the source, and results
on the same set show nothing else.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.datasets.tables import BOX_COLUMNS

JPEG_SHARE = "JPEG files, share"
_LOOKED_AT = 2000  # approximate number of files: each costs a disk access
_FAR = 0.1  # distance of an AUC from 0.5
_STANDARD_ERRORS = 3.0


class Shortcut(NamedTuple):
    """How well a single file property separates the classes.

    Attributes:
        measure: The property, with its unit.
        real: Median over genuine files (mean for `JPEG_SHARE`).
        fake: The same for forged files.
        auc: Probability that a random forged file has a larger value than a random genuine one, ties counting half.
        tells: Whether the AUC is more than 0.1, and more than three standard errors, away from 0.5.
    """

    measure: str
    real: float
    fake: float
    auc: float
    tells: bool


def shortcuts(videos: pd.DataFrame, faces: pd.DataFrame, root: Path | None) -> list[Shortcut]:
    """Shortcut measures that are known for both classes.

    Args:
        videos: Video table; about 2,000 readable files, evenly spread, are examined.
        faces: Face table.
        root: Folder of the data set, for file sizes; None: no bytes per pixel.
    """
    videos = videos[videos["label"].isin((REAL, FAKE)) & videos["status"].isin(("", STATUS_OK))]
    videos = videos.iloc[:: max(len(videos) // _LOOKED_AT, 1)]
    fake = videos["label"].to_numpy() == FAKE
    found = (_compare(name, values, fake) for name, values in _measures(videos, faces, root))
    return [shortcut for shortcut in found if shortcut]


def _measures(
    videos: pd.DataFrame, faces: pd.DataFrame, root: Path | None
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name and values per file, NaN if not known."""
    width, height, frames = (
        videos[name].where(videos[name] > 0).to_numpy(np.float64) for name in ("width_px", "height_px", "frames")
    )
    yield "width, px", width
    yield "height, px", height
    if root is not None:
        sizes = np.array([_size(root / path) for path in videos["path"]])
        yield "bytes per pixel and frame", sizes / (width * height * np.nan_to_num(frames, nan=1.0))
    x0, y0, x1, y1 = (faces[name] for name in BOX_COLUMNS)
    side = np.sqrt(((x1 - x0) * (y1 - y0)).clip(lower=0)).groupby(faces["video_id"]).max()
    yield "largest face, px", side.reindex(videos["video_id"]).to_numpy(np.float64)
    yield JPEG_SHARE, videos["path"].str.lower().str.endswith((".jpg", ".jpeg")).to_numpy(np.float64)


def _compare(measure: str, values: NDArray[np.float64], fake: NDArray[np.bool_]) -> Shortcut | None:
    known = np.isfinite(values)
    of_fake, of_real = values[known & fake], values[known & ~fake]
    one_type = measure == JPEG_SHARE and len(np.unique(values)) == 1
    if not len(of_fake) or not len(of_real) or one_type:
        return None
    from scipy.stats import rankdata  # slow to import

    n, m = len(of_fake), len(of_real)
    ranks = rankdata(np.concatenate([of_fake, of_real]))[:n].sum()
    auc = float((ranks - n * (n + 1) / 2) / (n * m))
    error = np.sqrt((n + m + 1) / (12 * n * m))  # standard error of the AUC if there is no difference
    off = abs(auc - 0.5)
    middle = np.mean if measure == JPEG_SHARE else np.median
    return Shortcut(
        measure, float(middle(of_real)), float(middle(of_fake)), auc, off > max(_FAR, _STANDARD_ERRORS * error)
    )


def _size(file: Path) -> float:
    try:
        return float(file.stat().st_size)
    except OSError:
        return float("nan")
