"""Log messages about files without faces, and about fakes shorter than their source."""

import logging

import pandas as pd

from dfworkbench.core.names import FAKE, STATUS_OK
from dfworkbench.extraction.part import Job, Part
from dfworkbench.media import first_names

_log = logging.getLogger(__name__)
_MISSING = "missing"


def missing(job: Job) -> Part:
    """The part for a missing file. It is not stored: the next run looks again."""
    reason = f"opening {job.file}: there is no such file or folder. Check the path."
    if "%" in job.path:
        reason += " If %.. stands for a byte of a name that is not UTF-8, rename the file."
    return Part({"status": _MISSING, "reason": reason, "tracks": 0, "faces": 0})


def say_what_is_lacking(videos: pd.DataFrame, frames: int) -> None:
    """Log how many files gave no faces, by status, and how many fakes are shorter than the videos they were made from.

    Args:
        videos: Video table after extraction.
        frames: Number of frames sampled per video.
    """
    for status, rows in videos[videos["status"] != STATUS_OK].groupby("status", sort=True):
        _log.warning("%d of %d files: %s (%s)", len(rows), len(videos), status, first_names(rows["path"].tolist()))
    _say_shorter(videos, frames)


def _say_shorter(videos: pd.DataFrame, frames: int) -> None:
    length = videos.set_index("video_id")["frames"]
    fakes = videos[(videos["label"] == FAKE) & (videos["frames"] > 0)]
    fakes = fakes.assign(like=fakes["genuine_id"].map(length).fillna(-1).astype(int))
    shorter = fakes[fakes["frames"] < fakes["like"]]
    if len(shorter):
        first = shorter.iloc[0]
        last = (shorter["like"] * (frames - 1) // frames).where(shorter["like"] > frames, shorter["like"] - 1)
        _log.warning(
            "%d of %d fakes are shorter than the videos they were made from (first: %s has %d of %d frames). Both are sampled at "
            "the same frames, so %d of them give fewer than %d: what lies beyond their end has no forged frame.",
            len(shorter), len(fakes), first["path"], first["frames"], first["like"],
            int((shorter["frames"] <= last).sum()), frames,
        )  # fmt: skip
