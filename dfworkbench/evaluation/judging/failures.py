"""Failure atlas: the worst errors of a detector, clustered, beside randomly drawn correct answers.

Failures are selected by rule, not by hand: the worst row of every file, the worst files first. Controls are drawn at random
from correct answers, whatever their score. Clusters help exploration and are not findings: the silhouette tells how well
separated they are (Rousseeuw, J. Comput. Appl. Math. 20, 1987; near 0: not at all).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_samples
from sklearn.preprocessing import StandardScaler

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.names import FAKE, REAL, STATUS_OK

MISS, ALARM = "miss", "false alarm"
FOUND, PASSED = "fake found", "real passed"

_KEPT = ("row_id", "video_id", "dataset", "forgery", "group", "label", "track", "frame", "time_s", "fake_probability")
_FEWEST = 4  # minimum cases per cluster on average: two cases are not a pattern
_DIRECTIONS = 20  # principal components used for clustering: in more dimensions, all distances are alike


class Errors(NamedTuple):
    """The worst errors of a detector, and controls.

    Attributes:
        cases: row_id, video_id, dataset, method, group, label, track, frame, time_s, fake_probability, outcome ("miss" or "false
            alarm"); one per file, misses first, worst first.
        controls: The same for correct answers (outcome "fake found" or "real passed"). Their files may contain other rows that
            are wrong.
        counts: Per outcome: outcome, files (whose worst row has it), cases (how many of these are included).
        threshold: Rows above it are called fake.
    """

    cases: pd.DataFrame
    controls: pd.DataFrame
    counts: pd.DataFrame
    threshold: float


class Atlas(NamedTuple):
    """Errors in clusters.

    Attributes:
        cases: As in `Errors`, with a column cluster, numbered from 0 across both kinds of error; sorted by cluster.
        clusters: cluster, outcome, cases, people (identity groups), kinds (forgery kinds with counts), lowest, median and
            highest fake_probability, silhouette (mean, -1 to 1; NaN for a single cluster).
        controls: As in `Errors`.
        counts: As in `Errors`.
        grouped_by: Description of what errors were clustered by.
    """

    cases: pd.DataFrame
    clusters: pd.DataFrame
    controls: pd.DataFrame
    counts: pd.DataFrame
    grouped_by: str


def worst_errors(
    scores: pd.DataFrame, *, worst: int = 40, controls: int = 8, threshold: float = 0.5, seed: int = 0
) -> Errors:
    """Select the worst row of every file, worst files first, and controls.

    Args:
        scores: A score table (`tables.SCORES`).
        worst: Maximum number of misses, and of false alarms.
        controls: Maximum number of correctly classified fakes, and reals; each from a different file.
        threshold: A row above it is called fake.
        seed: Seed of the draw of controls.

    Raises:
        ParameterError: A number is out of range.
        InputError: No labelled row has a score.
    """
    if worst < 1 or controls < 0 or not 0 < threshold < 1:
        raise ParameterError(
            f"looking for errors: worst={worst}, controls={controls}, threshold={threshold}; expected at least 1, at least 0, and "
            "a probability between 0 and 1."
        )
    usable = scores["label"].isin((REAL, FAKE)) & (scores["status"] == STATUS_OK) & scores["fake_probability"].notna()
    if not usable.any():
        raise InputError(
            f"looking for errors: none of {len(scores)} rows has a label and a score, at least one was expected. Score "
            "labelled files."
        )
    rows = scores.loc[usable, list(_KEPT)].reset_index(drop=True)
    fake, called = rows["label"] == FAKE, rows["fake_probability"] > threshold
    rows["outcome"] = np.select([fake & ~called, ~fake & called, fake], [MISS, ALARM, FOUND], PASSED)
    found, counts = [], []
    for outcome, rising in ((MISS, True), (ALARM, False)):
        part = rows[rows["outcome"] == outcome].sort_values("fake_probability", ascending=rising, kind="stable")
        part = part.drop_duplicates("video_id")
        found.append(part.head(worst))
        counts.append({"outcome": outcome, "files": len(part), "cases": min(len(part), worst)})
    cases = pd.concat(found, ignore_index=True)
    return Errors(cases, _controls(rows, controls, seed), pd.DataFrame(counts), threshold)


def cluster_errors(
    errors: Errors, features: ArrayLike | None = None, *, clusters: int = 3, seed: int = 0, words: str = "features"
) -> Atlas:
    """Cluster misses and false alarms separately.

    Uses k-means on standardised columns; features are reduced to at most 20 principal components.

    Args:
        errors: From `worst_errors`.
        features: `(len(errors.cases), F)` such as those of a detector (`failure_frames.case_features`), or None: cluster by
            forgery kind, person and log-odds.
        clusters: Number of clusters of misses, and of false alarms; fewer if there are fewer distinct errors, or under four per
            cluster.
        seed: Seed of k-means.
        words: Description of the features.

    Raises:
        ParameterError: `clusters` is less than one.
        InputError: The number of features differs from that of the cases, or features are not finite.
    """
    if clusters < 1:
        raise ParameterError(f"clustering errors: {clusters} clusters, expected at least 1. 3 is a good start.")
    columns = _described(errors.cases) if features is None else np.asarray(features, dtype=np.float64)
    if columns.ndim != 2 or len(columns) != len(errors.cases) or not np.isfinite(columns).all():
        raise InputError(
            f"clustering errors: features of shape {columns.shape} for {len(errors.cases)} cases; expected one row each, all "
            "finite. Give those of the cases, in their order."
        )
    cases = errors.cases.assign(cluster=-1, silhouette=np.nan)
    for outcome in (MISS, ALARM):
        at = np.flatnonzero(cases["outcome"] == outcome)
        if len(at):
            numbers, apart = _k_means(columns[at], clusters, seed)
            cases.loc[at, "cluster"] = numbers + cases["cluster"].max() + 1
            cases.loc[at, "silhouette"] = apart
    cases = cases.sort_values("cluster", kind="stable").reset_index(drop=True)
    table = pd.DataFrame(
        [_summary(int(n), part) for n, part in cases.groupby("cluster")], columns=list(_CLUSTER_COLUMNS)
    )  # pyright: ignore[reportArgumentType]
    grouped_by = "forgery kind, person and log-odds" if features is None else words
    return Atlas(cases.drop(columns="silhouette"), table, errors.controls, errors.counts, grouped_by)


_CLUSTER_COLUMNS = ("cluster", "outcome", "cases", "people", "kinds", "lowest", "median", "highest", "silhouette")


def _controls(rows: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    drawn = rows.iloc[np.random.default_rng(seed).permutation(len(rows))]  # one random row of each file
    parts = [drawn[drawn["outcome"] == outcome].drop_duplicates("video_id").head(count) for outcome in (FOUND, PASSED)]
    return pd.concat(parts, ignore_index=True)


def _described(cases: pd.DataFrame) -> NDArray[np.float64]:
    """One-hot columns of kind and person, and the log-odds."""
    probability = cases["fake_probability"].clip(1e-6, 1 - 1e-6)
    words = pd.get_dummies(cases[["forgery", "group"]].astype(str), dtype=float)
    return np.column_stack([words, np.log(probability / (1 - probability))])


def _k_means(columns: NDArray[np.float64], clusters: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cluster of each row (0 is the largest) and its silhouette."""
    scaled = StandardScaler().fit_transform(columns)
    if min(scaled.shape) > _DIRECTIONS:
        scaled = PCA(_DIRECTIONS, random_state=seed).fit_transform(scaled)
    count = max(1, min(clusters, len(scaled) // _FEWEST, len(np.unique(scaled, axis=0))))
    if count == 1:
        return np.zeros(len(scaled), np.int64), np.full(len(scaled), np.nan)
    found = KMeans(count, n_init=10, random_state=seed).fit_predict(scaled)
    order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
    numbers = np.argsort(order)[found]
    # only defined for fewer clusters than rows
    apart = silhouette_samples(scaled, numbers) if count < len(scaled) else np.full(len(scaled), np.nan)
    return numbers.astype(np.int64), apart


def _summary(number: int, part: pd.DataFrame) -> dict[str, object]:
    kinds = part["forgery"].where(part["forgery"] != "", part["label"].map({REAL: "real", FAKE: "fake"})).value_counts()
    probability = part["fake_probability"]
    return {
        "cluster": number, "outcome": part["outcome"].iloc[0], "cases": len(part),
        "people": part["group"].where(part["group"] != "", part["video_id"]).nunique(),
        "kinds": ", ".join(f"{kind} {n}" for kind, n in kinds.items()), "lowest": probability.min(),
        "median": probability.median(), "highest": probability.max(), "silhouette": float(part["silhouette"].mean()),
    }  # fmt: skip
