"""Identity classes for face identity encoders, and the parts of videos for training and judging them.

An identity encoder knows only the people it was trained on. It is therefore trained and judged on the same people at different
times: on the first part of every video, and on the last.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import REAL

#: Fraction of every video used to train encoders; the rest is kept for judging them and for studies.
KNOWN_SHARE = 0.8


def known_people(videos: pd.DataFrame) -> list[str]:
    """Names of all carriers and donors, alphabetical.

    Raises:
        TableError: The carrier of a video is not known, or the donor of a fake.
    """
    lost = videos[(videos["carrier"] == "") | ((videos["label"] != REAL) & (videos["donor"] == ""))]
    if len(lost):
        raise TableError(
            f"learning who is shown: the carrier or donor of {len(lost)} of {len(videos)} videos is not known (first: "
            f"{lost['video_id'].iloc[0]!r}), and both were expected. Fill in the columns carrier and donor of the video table, "
            "or choose a data set whose file names state them, such as FaceForensics++ or Celeb-DF."
        )
    return sorted({*videos["carrier"], *videos["donor"]} - {""})


def identity_classes(videos: pd.DataFrame, identities: Sequence[str]) -> pd.DataFrame:
    """Carrier and donor of every video as indices into `identities`, -1 for people not in it.

    Returns:
        Columns carrier and donor by video_id; the donor of a real video is its carrier.
    """
    donors = videos["donor"].where(videos["donor"] != "", videos["carrier"])
    place = {name: at for at, name in enumerate(identities)}
    classes = {"carrier": videos["carrier"], "donor": donors}
    return pd.DataFrame(
        {name: names.map(place).fillna(-1).to_numpy(np.int64) for name, names in classes.items()},
        index=pd.Index(videos["video_id"]),
    )


def first_part(faces: pd.DataFrame, share: float = KNOWN_SHARE) -> pd.DataFrame:
    """The faces in the first `share` of the extracted frames of every video, at least one frame."""
    return faces[_early(faces, share)]


def last_part(faces: pd.DataFrame, share: float = KNOWN_SHARE) -> pd.DataFrame:
    """The faces not in `first_part`."""
    return faces[~_early(faces, share)]


def _early(faces: pd.DataFrame, share: float) -> pd.Series:
    place = faces.groupby("video_id")["frame"].rank(method="dense") - 1
    count = faces.groupby("video_id")["frame"].transform("nunique")
    return place < np.floor(share * count + 1e-9).clip(lower=1)  # 0.7 * 90 is slightly below 63
