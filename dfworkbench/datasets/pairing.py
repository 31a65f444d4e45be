"""Paired and unpaired training sets (FST-Matching, hypothesis 2): fakes plus genuine videos of the same or other people.

Dong et al. (ECCV 2022, arXiv:2207.09679) train one detector on a "paired" and one on an "unpaired" set. Neither the code nor
what we know of the paper says how the sets were built; this recipe is ours:

1. People who are linked by a fake of the training split form a unit (in FaceForensics++ a pair of identities).
2. Units are split at random into halves A and B; both detectors get all fakes of A.
3. "Paired" adds the genuine videos of A, "unpaired" those of B: the same number, at the same compressions.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dfworkbench.core.errors import ParameterError, SplitLeakError, TableError
from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.datasets.splits import identity_groups

_NEEDED = ("video_id", "label", "compression", "carrier", "donor", "split")


def paired_and_unpaired(videos: pd.DataFrame, seed: int = 0, *, swap: bool = False) -> tuple[list[str], list[str]]:
    """Two training sets with the same fakes and equally many genuine videos: of the same people, or of others.

    Only the training split is used, and only units (see above) in which every carrier and donor has a genuine video. Units with
    equally many genuine videos per compression are split into halves; of an odd number, one is left out.

    Args:
        videos: Video table with split, carrier and donor. Rows whose extraction failed are left out.
        seed: Seed of the random split into halves.
        swap: Swap the halves A and B.

    Returns:
        video_ids of the paired and of the unpaired set, each in the order of the table.

    Raises:
        TableError: A column is missing.
        ParameterError: Fewer than two units can be matched.
    """
    train = _usable(videos)
    units = identity_groups(train)
    first, second = _halves(train, units, seed)
    first, second = (second, first) if swap else (first, second)
    fakes, reals = train["label"] == FAKE, train["label"] == REAL
    paired = train.loc[(fakes | reals) & units.isin(first), "video_id"].tolist()
    unpaired = train.loc[(fakes & units.isin(first)) | (reals & units.isin(second)), "video_id"].tolist()
    check_training_sets(videos, paired, unpaired)
    return paired, unpaired


def check_training_sets(videos: pd.DataFrame, paired: Sequence[str], unpaired: Sequence[str]) -> None:
    """Check that two training sets differ only in the people of their genuine videos.

    Raises:
        TableError: A video is not in the table.
        SplitLeakError: A video is not in the training split, or a person of the fakes is among the unpaired genuine videos.
        ParameterError: Different fakes, different numbers of genuine videos per compression, or a person of the fakes without a
            genuine video in the paired set.
    """
    known = videos.drop_duplicates("video_id").set_index("video_id")
    lost = sorted((set(paired) | set(unpaired)) - set(known.index))
    if lost:
        raise TableError(
            f"checking training sets: {len(lost)} videos are not in the video table (first: {lost[0]!r}). Give the table that "
            "the sets were built from."
        )
    parts = {"paired": known.loc[list(paired)], "unpaired": known.loc[list(unpaired)]}
    for name, part in parts.items():
        if (part["split"] != "train").any():
            odd = part.index[part["split"] != "train"][0]
            raise SplitLeakError(
                f"checking the {name} training set: {odd!r} is of the split {part.loc[odd, 'split']!r}, 'train' was expected. "
                "A detector would be tested on what it was trained on. Build the sets with paired_and_unpaired(videos, seed)."
            )
    fakes = {name: part[part["label"] == FAKE] for name, part in parts.items()}
    reals = {name: part[part["label"] == REAL] for name, part in parts.items()}
    counts = {name: part["compression"].value_counts().sort_index().to_dict() for name, part in reals.items()}
    if set(fakes["paired"].index) != set(fakes["unpaired"].index) or counts["paired"] != counts["unpaired"]:
        raise ParameterError(
            f"checking training sets: {len(fakes['paired'])} and {len(fakes['unpaired'])} fakes, genuine videos per "
            f"compression {counts['paired']} and {counts['unpaired']}; expected the same fakes and equal counts. Build the "
            "sets with paired_and_unpaired(videos, seed)."
        )
    _check_people(fakes["paired"], reals["paired"], reals["unpaired"])


def _check_people(fakes: pd.DataFrame, own: pd.DataFrame, others: pd.DataFrame) -> None:
    people = set(fakes["carrier"]) | set(fakes["donor"])
    leaked, lost = sorted(people & set(others["carrier"])), sorted(people - set(own["carrier"]))
    if leaked:
        raise SplitLeakError(
            f"checking the unpaired training set: {len(leaked)} people of its fakes have genuine videos in it (first: "
            f"{leaked[0]!r}); none was expected, or it would be paired too. Build it with paired_and_unpaired(videos, seed)."
        )
    if lost:
        raise ParameterError(
            f"checking the paired training set: {len(lost)} people of its fakes have no genuine video in it (first: "
            f"{lost[0]!r}); one each was expected. Build it with paired_and_unpaired(videos, seed)."
        )


def _usable(videos: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in _NEEDED if name not in videos]
    if missing:
        raise TableError(
            f"building paired training sets: the video table has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(str, videos))}. Read it with the layout of the data set and split it."
        )
    fine = videos["status"].isin(["", STATUS_OK]) if "status" in videos else np.ones(len(videos), dtype=bool)
    return videos[fine & (videos["split"] == "train") & videos["label"].isin([REAL, FAKE])].reset_index(drop=True)


def _halves(train: pd.DataFrame, units: pd.Series, seed: int) -> tuple[list[str], list[str]]:
    """Names of equally many units for A and B, matched by their genuine videos."""
    alike: dict[tuple, list[str]] = {}
    for unit in sorted(units.unique()):
        part = train[units == unit]
        reals, fakes = part[part["label"] == REAL], part[part["label"] == FAKE]
        people = set(fakes["carrier"]) | set(fakes["donor"])
        if len(fakes) and "" not in people and people <= set(reals["carrier"]):
            counts = reals["compression"].value_counts().sort_index()
            alike.setdefault(tuple(counts.items()), []).append(unit)
    rng = np.random.default_rng(seed)
    orders = [[names[i] for i in rng.permutation(len(names))] for _, names in sorted(alike.items())]
    first = [name for names in orders for name in names[: len(names) // 2]]
    second = [name for names in orders for name in names[len(names) // 2 : 2 * (len(names) // 2)]]
    if not first:
        raise ParameterError(
            f"building paired training sets: {units.nunique()} groups of people are in the training split, and no two of them "
            "have fakes, a genuine video of everyone in them, and equally many genuine videos. At least 2 such groups were "
            "expected. Take a data set whose fakes link few people (FaceForensics++, the demo set), with its genuine videos."
        )
    return first, second
