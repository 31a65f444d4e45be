"""Identity retrieval: is a fake close to its carrier or donor in feature space, by cosine similarity?

The protocol is ours, after the idea of CADDM (Dong et al., CVPR 2023) that a detector's features encode identity. The carrier's
genuine video shows the same room and light as the fake, so any feature retrieves the carrier more easily than the donor.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE
from dfworkbench.datasets.sample_people import checked, genuine
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.measures import NAN, Measure, mean_measure

ROLES = ("carrier", "donor")


@dataclass(frozen=True)
class Retrieval:
    """Retrieval ranks of the two people of each fake.

    Attributes:
        measures: Share of fakes whose carrier, or donor, has a rank of at most k; for `measures_table`.
        ranks: One row per fake: video_id, method, group, carrier, donor, carrier_rank, donor_rank (1 is the most similar;
            NaN if that person is not in the gallery).
        gallery: The identities searched.
        left_out: Role -> number of fakes whose person in that role is unknown or not in the gallery.
    """

    measures: list[Measure]
    ranks: pd.DataFrame
    gallery: tuple[str, ...]
    left_out: dict[str, int]


def retrieve(
    features: ArrayLike,
    rows: pd.DataFrame,
    *,
    ks: tuple[int, ...] = (1, 5),
    centred: bool = True,
    own_mean: bool = False,
    draws: int = 1000,
    seed: int = 0,
) -> Retrieval:
    """Search for the people of every fake among the genuine videos.

    A gallery entry is one identity: the mean over its genuine videos of their mean features. A query is the mean feature of
    a fake.

    Args:
        features: `(N, F)` from `frozen_features`.
        rows: N rows with video_id, label, identity (the carrier) and donor; `group` and `method` if known. See
            `people.with_people`.
        ks: Ranks to report.
        centred: Subtract the mean of the gallery first. Features after a ReLU are never negative, so what all faces share would
            make every cosine nearly 1 and hide the differences between people.
        own_mean: With `centred`, subtract the mean of the fakes from the fakes instead. This removes the real/fake direction of a
            detector, which can otherwise outweigh identity. Needs fakes of many people.
        draws: Bootstrap resamplings over identity groups (without groups: carriers); 0 for no intervals.
        seed: Seed of the resampling.

    Raises:
        InputError: Features do not match the rows or are not finite, or a k is below 1.
        TableError: A column is missing, or a video has several tracks.
    """
    if not ks or min(ks) < 1:
        raise InputError(f"retrieving people: got ks {ks}, expected ranks of 1 or more. Use for example ks=(1, 5).")
    x, rows = checked(features, rows, ("video_id", "label", "identity", "donor"), "retrieving people")
    entries, names = _gallery(x, rows)
    queries, fakes = _video_means(x, rows, (rows["label"] == FAKE).to_numpy())
    why = _why_not(entries, names, fakes)
    if centred:
        shift = entries.mean(axis=0) if len(entries) else 0.0
        queries = queries - (queries.mean(axis=0) if own_mean and len(queries) else shift)
        entries = entries - shift
    ranks = _describe(fakes)
    similar = cosines(queries, entries)
    for role in ROLES:
        ranks[f"{role}_rank"] = person_ranks(similar, names.get_indexer(ranks[role]))
    measures = [_measure(ranks, role, k, len(names), why, draws, seed) for role in ROLES for k in ks]
    left_out = {role: int(ranks[f"{role}_rank"].isna().sum()) for role in ROLES}
    return Retrieval(measures, ranks, tuple(names), left_out)


def cosines(queries: NDArray, entries: NDArray) -> NDArray[np.float64]:
    """Cosine similarity of every query with every entry, `(Q, N)`; 0 if a vector is zero."""
    return _unit(queries) @ _unit(entries).T


def person_ranks(similar: NDArray[np.float64], person: NDArray[np.intp]) -> NDArray[np.float64]:
    """Rank of one column per row, 1 for the highest value; ties share the mean of their ranks.

    Args:
        similar: `(Q, N)`.
        person: `(Q,)`, column of each row's person, -1 if there is none.

    Returns:
        `(Q,)`, NaN where there is no person.
    """
    if not similar.size:
        return np.full(len(person), np.nan)
    own = np.take_along_axis(similar, np.maximum(person, 0)[:, None], axis=1)
    above, equal = (similar > own).sum(axis=1), (similar == own).sum(axis=1)
    return np.where(person >= 0, 1 + above + (equal - 1) / 2, np.nan)


def _unit(vectors: NDArray) -> NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros(vectors.shape), where=length > 1e-12)


def _gallery(x: NDArray, rows: pd.DataFrame) -> tuple[NDArray[np.float64], pd.Index]:
    means, videos = _video_means(x, rows, genuine(rows))
    codes, names = pd.factorize(videos["identity"], sort=True)
    return _group_means(means, codes, len(names)), pd.Index(names)


def _video_means(x: NDArray, rows: pd.DataFrame, keep: NDArray[np.bool_]) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Mean feature of each video `(V, F)`, and the first row of each."""
    part = rows[keep]
    codes, names = pd.factorize(part["video_id"])
    return _group_means(x[keep], codes, len(names)), part.drop_duplicates("video_id").reset_index(drop=True)


def _group_means(x: NDArray, codes: NDArray, groups: int) -> NDArray[np.float64]:
    sums = np.zeros((groups, x.shape[1]))
    np.add.at(sums, codes, x)
    return sums / np.bincount(codes, minlength=groups)[:, None]


def _describe(fakes: pd.DataFrame) -> pd.DataFrame:
    known = {name: fakes[name] if name in fakes else "" for name in ("forgery", "group")}
    columns = {"video_id": fakes["video_id"], **known, "carrier": fakes["identity"], "donor": fakes["donor"]}
    return pd.DataFrame(columns, index=fakes.index)


def _why_not(entries: NDArray, names: pd.Index, fakes: pd.DataFrame) -> str:
    if not len(fakes):
        return "no fakes"
    if len(names) < 2:
        return f"{len(names)} identities in the gallery: at least 2 are needed"
    spread = np.ptp(entries, axis=0).max(initial=0.0)  # mere rounding is no difference
    return "" if spread > 1e-6 * np.abs(entries).max(initial=0.0) else "all features are constant"


def _measure(ranks: pd.DataFrame, role: str, k: int, size: int, why: str, draws: int, seed: int) -> Measure:
    name = f"{role} retrieved: top-{k}"
    chance = k / size if size > k else NAN
    used = ranks[ranks[f"{role}_rank"].notna()]
    if why or size <= k or used.empty:
        why = why or (f"{size} identities: top-{k} is always right" if size <= k else f"no fake has its {role} there")
        return Measure(name, NAN, chance=chance, n=len(used), reason=why)
    unit = used["group"].where(used["group"] != "", used["carrier"])  # a fake without a group belongs to its carrier
    hits = used[f"{role}_rank"] <= k
    return mean_measure(name, hits, unit, Judging(draws=draws, seed=seed), chance=chance, unit="identity group")
