"""Train, validation and test splits by identity group, so that nobody is in two of them."""

import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from dfworkbench.core.errors import DataNotFoundError, ParameterError, SplitLeakError, TableError
from dfworkbench.core.names import FAKE, SPLITS
from dfworkbench.datasets.tables import read_csv
from dfworkbench.media import first_names

_log = logging.getLogger(__name__)
Rule = Literal["auto", "official", "identity"]


def identity_groups(videos: pd.DataFrame) -> pd.Series:
    """The identity group of each video: connected components over carrier and donor identities.

    A swap links its two identities, so both are in one group. A video without a known identity forms its own group. A group is
    named after its alphabetically first member.
    """
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    anchors = videos["carrier"].where(videos["carrier"] != "", videos["video_id"])
    for anchor, donor in zip(anchors, videos["donor"], strict=True):
        a, b = find(anchor), find(donor or anchor)
        parent[max(a, b)] = min(a, b)
    return anchors.map(find).astype("str").rename("group")


def assign_splits(
    videos: pd.DataFrame, rule: Rule = "auto", shares: tuple[float, float, float] = (0.7, 0.15, 0.15), seed: int = 0
) -> pd.DataFrame:
    """A copy of the video table with its column `split` filled in.

    Args:
        videos: With a column `group`.
        rule: "official" keeps the splits that the layout found; "identity" draws groups at random such that every kind (real,
            and each forgery or generator) has its share in every split; "auto" uses official splits if there are any.
        shares: Fractions of the videos for train, val and test; used by "identity".
        seed: Seed of the draw.

    Raises:
        ParameterError: Official splits were requested and there are none, or there are too few groups to draw from.
        SplitLeakError: The official splits share an identity.
    """
    official = bool((videos["split"] != "").any())
    if rule == "official" and not official:
        raise ParameterError(
            "official splits were asked for, but the data set has no split files. Use rule='identity'."
        )
    if rule == "official" or (rule == "auto" and official):
        check_splits(videos)
        _say_without_split(videos)
        return videos.copy()
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ParameterError(f"shares must be three numbers from 0 that add up to 1 (train, val, test); got {shares}.")
    if official:
        _log.warning(
            "splits are drawn anew: the official ones of %d videos are discarded, %d of them test videos. Results are not "
            "comparable with published ones, and a detector trained on them has seen official test videos.",
            (videos["split"] != "").sum(), (videos["split"] == "test").sum(),
        )  # fmt: skip
    return videos.assign(split=videos["group"].map(_draw(videos, shares, seed)).astype("str"))


def _say_without_split(videos: pd.DataFrame) -> None:
    without = videos.loc[videos["split"] == "", "path"].tolist()
    if without:
        _log.warning(
            "%d of %d videos have no official split (%s): they are extracted, and stay out of training, validation and test. "
            "split_rule='identity' draws splits for all videos, official test videos among them.",
            len(without), len(videos), first_names(without),
        )  # fmt: skip


def _draw(videos: pd.DataFrame, shares: tuple[float, float, float], seed: int) -> dict[str, str]:
    kinds = videos["forgery"].where(videos["label"] == FAKE, videos["label"].astype("str"))
    counts = pd.crosstab(videos["group"], kinds)
    sizes = counts.sum(axis=1)
    target = {split: share for split, share in zip(SPLITS, shares, strict=True) if share > 0}
    if len(sizes) < len(target):
        raise ParameterError(
            f"splitting by identity needs at least {len(target)} identity groups for {', '.join(target)}; this data set has "
            f"{len(sizes)}, because its swaps link all identities. Use its official splits, or use it for testing only."
        )
    names = sorted(sizes.index)
    rng = np.random.default_rng(seed)
    order = sorted((names[i] for i in rng.permutation(len(names))), key=lambda name: -sizes[name])
    rows, whole = dict(zip(counts.index, counts.to_numpy(), strict=True)), counts.to_numpy().sum(axis=0)
    filled = {split: np.zeros(len(whole)) for split in target}
    chosen = {}
    for index, name in enumerate(order):
        # choose the split that lacks most of the group's kinds, relative to its share; no split is left without a group
        lacking = {split: 1 - filled[split] / (share * whole) for split, share in target.items()}
        empty = [split for split in target if not filled[split].any()]
        pool = empty if empty and len(order) - index <= len(empty) else list(target)
        split = max(pool, key=lambda s: round(float(lacking[s] @ rows[name] / sizes[name]), 9))
        chosen[name] = split
        filled[split] += rows[name]
    return chosen


def with_splits(videos: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The video table with `group` and `split` from a split file; videos not listed have no split."""
    if not path.is_file():
        raise DataNotFoundError(f"reading splits: there is no {path}. Run 01_data_extraction, which writes it.")
    splits = read_csv(path, "reading splits", dtype="str", keep_default_na=False)
    missing = [name for name in ("video_id", "group", "split") if name not in splits]
    if missing:
        raise TableError(f"reading splits: {path} has no column {', '.join(missing)}; it has {', '.join(splits)}.")
    twice = splits["video_id"][splits["video_id"].duplicated()]
    if len(twice):
        raise SplitLeakError(
            f"{len(twice)} videos appear twice in {path} (first: {twice.iloc[0]!r}). Each must have one split."
        )
    splits = splits.set_index("video_id")
    unknown = videos.loc[~videos["video_id"].isin(splits.index), "video_id"].tolist()
    if unknown:
        _log.warning(
            "%s names no split for %d of %d videos, which are left out: %s",
            path,
            len(unknown),
            len(videos),
            first_names(unknown),
        )
    return videos.assign(**{c: videos["video_id"].map(splits[c]).fillna("") for c in ("group", "split")})


def check_splits(videos: pd.DataFrame) -> None:
    """Raise `SplitLeakError` if an identity is in more than one split."""
    assigned = videos[videos["split"] != ""]
    identities = pd.concat(
        [assigned[["split"]].assign(identity=assigned[column]) for column in ("carrier", "donor", "group")]
    )
    per_identity = identities[identities["identity"] != ""].groupby("identity")["split"].agg(lambda s: sorted(set(s)))
    leaks = per_identity[per_identity.map(len) > 1]
    if len(leaks):
        where = ", ".join(leaks.iloc[0])
        raise SplitLeakError(
            f"{len(leaks)} identity(s) in more than one split (first: {leaks.index[0]!r} in {where}). A detector could "
            "recognise people instead of forgeries. Split again with assign_splits(videos, rule='identity')."
        )
