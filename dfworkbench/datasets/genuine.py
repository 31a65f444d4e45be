"""Find the genuine source frame of each forged frame, and cut it to the same pixels.

Fakes of FaceForensics++ and Celeb-DF are made on the video of their carrier: outside the face, frame k of the fake equals frame
k of the genuine video. The video table names that video (`genuine_id`).
"""

import logging

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import TableError
from dfworkbench.core.geometry import paired_iou
from dfworkbench.core.names import FAKE
from dfworkbench.datasets.tables import BOX_COLUMNS
from dfworkbench.faces import FaceTile

_log = logging.getLogger(__name__)
_SAME_FACE = 0.3  # minimum IoU of the two boxes: both frames show the same face at the same position
_SHOWN = 10


def require_genuine(chosen: pd.DataFrame, rows: NDArray[np.int64], videos: pd.DataFrame, faces: pd.DataFrame) -> None:
    """Raise if fakes lack their genuine frames; warn if only single frames do.

    Args:
        chosen: Rows of the face table to be read.
        rows: From `genuine_rows` for them.
        videos: Their video table.
        faces: Face table of the whole data set.

    Raises:
        TableError: Fakes have no genuine frame (the message lists them and what each lacks), or more than half of all forged
            faces have none.
    """
    known = videos.set_index("video_id")
    fake = chosen["video_id"].map(known["label"]).to_numpy() == FAKE
    by_video = pd.Series(rows[fake] >= 0).groupby(chosen["video_id"].to_numpy()[fake], sort=False)
    paired = by_video.agg(["any", "sum", "size"])
    lacking = paired.index[~paired["any"]]
    if len(lacking):
        raise TableError(_lacking(lacking, len(paired), known["genuine_id"], set(faces["video_id"])))
    there, count = int(paired["sum"].sum()), int(paired["size"].sum())
    if 2 * there < count:
        raise TableError(
            f"pairing forged faces with genuine ones: only {there} of {count} have one in the same frame and place. Expected "
            "fakes and genuine videos to be sampled at the same frames: run 01_data_extraction again, which does so."
        )
    if there < count:
        _log.warning(
            "%d of %d forged faces have no genuine one in their frame and are not swapped", count - there, count
        )


def _lacking(videos: pd.Index, fakes: int, genuine: pd.Series, extracted: set[str]) -> str:
    reasons = []
    for video in videos[:_SHOWN]:
        name = genuine[video]
        what = f"no faces of {name}" if name not in extracted else f"no face in the same frame and place of {name}"
        reasons.append(f"  {video}: {what if name else 'names no genuine video'}")
    more = [f"  and {len(videos) - _SHOWN} more"] if len(videos) > _SHOWN else []
    return (
        f"pairing fakes with the genuine videos they were made from: {len(videos)} of {fakes} fakes have none:\n"
        + "\n".join([*reasons, *more])
        + "\nExpected every fake to name in the column genuine_id of videos.csv a video that was extracted (the layouts of "
        "FaceForensics++, Celeb-DF, DFDC and ldm.json fill it when 01_data_extraction runs; for others write it). Add the "
        "genuine videos, leave these fakes out, or choose a method that needs no pairs, such as binary."
    )


def genuine_rows(chosen: pd.DataFrame, videos: pd.DataFrame, faces: pd.DataFrame) -> NDArray[np.int64]:
    """For each chosen face, the row of `faces` with the same face in the same frame of its genuine video; -1 if there is none.

    Args:
        chosen: Rows of the face table.
        videos: Their video table.
        faces: Face table of the whole data set.
    """
    genuine = chosen["video_id"].map(videos.set_index("video_id")["genuine_id"])
    left = pd.DataFrame(
        {"of": np.arange(len(chosen)), "video": genuine.to_numpy(), "frame": chosen["frame"].to_numpy()}
    )
    right = pd.DataFrame(
        {"at": np.arange(len(faces)), "video": faces["video_id"].to_numpy(), "frame": faces["frame"].to_numpy()}
    )
    pairs = left.merge(right, on=["video", "frame"])
    pairs["overlap"] = paired_iou(
        chosen[list(BOX_COLUMNS)].to_numpy(np.float64)[pairs["of"]],
        faces[list(BOX_COLUMNS)].to_numpy(np.float64)[pairs["at"]],
    )
    best = pairs[pairs["overlap"] >= _SAME_FACE].sort_values("overlap").drop_duplicates("of", keep="last")
    rows = np.full(len(chosen), -1, np.int64)
    rows[best["of"]] = best["at"]
    return rows


def genuine_samples(samples: pd.DataFrame, videos: pd.DataFrame) -> NDArray[np.int64]:
    """For each forged sample the matching sample of its genuine video, -1 for genuine ones, `(N,)`.

    The match is the same face in the same frame or, if that is not a sample, the one nearest in time.

    Args:
        samples: Video, label, frame and face box of each sample.
        videos: Their video table.

    Raises:
        TableError: There are no fakes, or the genuine video of some gives no sample.
    """
    at = genuine_rows(samples, videos, samples)
    fake = samples["label"].to_numpy() == FAKE
    at[~fake] = -1
    known = pd.DataFrame({"video": samples["video_id"], "frame": samples["frame"], "at": np.arange(len(samples))})
    genuine = samples["video_id"].map(videos.set_index("video_id")["genuine_id"])
    rest = known.assign(video=genuine)[fake & (at < 0)]
    found = pd.merge_asof(
        rest.sort_values("frame"), known.sort_values("frame"), on="frame", by="video", direction="nearest",
        suffixes=("_fake", ""),
    ).dropna(subset="at")  # fmt: skip
    at[found["at_fake"]] = found["at"].astype(np.int64)
    _require_pairs(samples["video_id"][fake], at[fake])
    return at


def _require_pairs(fakes: pd.Series, at: NDArray[np.int64]) -> None:
    lacking = fakes[at < 0].unique()
    if len(lacking) or not len(fakes):
        first = f" (first: {lacking[0]!r})" if len(lacking) else ""
        raise TableError(
            f"putting fakes into one batch with what they were made from (paired_batches): for {len(lacking)} of {fakes.nunique()} "
            f"fakes{first} the training samples have no genuine video. Expected at least one fake, and every fake to name in the "
            "column genuine_id of videos.csv a genuine file of the same split. The layouts of FaceForensics++, Celeb-DF, DFDC and "
            "ldm.json fill it; for folders of faces write it if you know the pairs. Otherwise set paired_batches=false."
        )


def cut_alike(genuine: FaceTile, like: FaceTile) -> NDArray[np.uint8]:
    """Cut the genuine frame at the position and size of another face tile, `(S, S, 3)` uint8.

    Areas outside the genuine crop are filled with pixels of the other tile, which are equal outside the face.
    """
    out = like.image.copy()
    size = like.image.shape[0]
    if like.side == size and genuine.side == genuine.image.shape[0]:  # both at the frame's resolution: only shifted
        dx, dy = round(genuine.x0 - like.x0), round(genuine.y0 - like.y0)
        to = [slice(max(d, 0), max(min(size, d + genuine.image.shape[0]), 0)) for d in (dy, dx)]
        at = [slice(t.start - d, max(t.stop - d, 0)) for t, d in zip(to, (dy, dx), strict=True)]
        out[to[0], to[1]] = genuine.image[at[0], at[1]]
        return out
    ours, theirs = size / like.side, genuine.image.shape[0] / genuine.side
    scale = ours / theirs
    # pixel i of a crop has its centre at x0 + (i + 0.5) / resolution of the frame
    dx, dy = ((g - x) * ours + 0.5 * scale - 0.5 for g, x in ((genuine.x0, like.x0), (genuine.y0, like.y0)))
    matrix = np.array([[scale, 0, dx], [0, scale, dy]])
    return np.asarray(
        cv2.warpAffine(genuine.image, matrix, (size, size), out, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT), np.uint8
    )
