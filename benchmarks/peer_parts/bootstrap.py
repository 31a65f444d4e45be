"""A bootstrap interval of the AUC: ours against a loop over scikit-learn and scipy.stats.bootstrap, on the same table.

On frame level whole videos are drawn, with all their frames. The others do a part of the draws, and their time is scaled up.
scipy.stats.bootstrap draws by itself and cannot group rows: it is given the numbers of the videos and gathers their rows.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
from bootstrap import make_table, plain_interval
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dfworkbench.evaluation.metrics.curves import draw_counts
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.aggregate import to_level
from peer_parts.measuring import OURS, Way, alternate, print_table

VIDEOS, FACES, DRAWS = 2000, 16, 2000
_PART = {"frame": 10, "video": 50}  # draws that the others do

Interval = tuple[float, float]


def ours(table: pd.DataFrame, level: str, draws: int) -> Interval:
    """`evaluate`, from the score table on."""
    row = evaluate(table, [level], Judging(draws=draws), metrics=["auc"]).iloc[0]
    return float(row["low"]), float(row["high"])


def in_a_loop(table: pd.DataFrame, draws: int) -> Interval:
    """`roc_auc_score` of the rows of each draw."""
    return plain_interval(table, draw_counts(VIDEOS, draws, seed=0))


def by_scipy(
    label: NDArray[np.int64], score: NDArray[np.float64], rows: list[NDArray[np.int64]], draws: int
) -> Interval:
    """scipy.stats.bootstrap over the numbers of videos."""

    def auc(videos: NDArray[np.int64]) -> float:
        index = np.concatenate([rows[video] for video in videos])
        return float(roc_auc_score(label[index], score[index]))

    found = scipy.stats.bootstrap(
        (np.arange(len(rows)),),
        auc,
        n_resamples=draws,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def compare(folder: Path, runs: int, only: str) -> None:
    """Print a table for each level."""
    table = make_table(VIDEOS, FACES)
    for level, part in _PART.items():
        if only not in level:
            continue
        at_level = table if level == "frame" else to_level(table, "video", Judging().rule)
        label, score = at_level["label"].to_numpy(), at_level["fake_probability"].to_numpy()
        rows = list(at_level.groupby("video_id").indices.values())
        ways: dict[str, tuple[Callable[[int], Interval], float]] = {
            OURS: (partial(ours, table, level), 1.0),
            "scikit-learn in a loop": (partial(in_a_loop, at_level), part / DRAWS),
            "scipy.stats.bootstrap": (partial(by_scipy, label, score, rows), part / DRAWS),
        }
        timed = {name: Way(partial(run, round(share * DRAWS)), share) for name, (run, share) in ways.items()}
        measured = alternate(timed, runs)
        few = {name: run(part) for name, (run, _) in ways.items()}
        bounds = {name: f"{low:.4f} to {high:.4f}" for name, (low, high) in few.items()}
        title = f"AUC of {VIDEOS} videos with {FACES} faces each, {level} level, {DRAWS} draws over videos"
        print_table(title, measured, {f"interval from {part} draws": bounds})
