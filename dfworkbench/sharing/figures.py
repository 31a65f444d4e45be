"""Metrics of a run for its model card, from the score tables stored with its weights."""

import math
from dataclasses import dataclass

import pandas as pd

from dfworkbench.core.errors import WorkbenchError
from dfworkbench.datasets.tables import read_table
from dfworkbench.evaluation.metrics.evaluate import evaluate, row_interval
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.runs.layout import score_file, scored_sets
from dfworkbench.runs.run import Run

#: Metric -> its display name, and its identifier on Hugging Face.
METRICS = {
    "auc": ("AUC", "roc_auc"),
    "eer": ("equal error rate", "eer"),
    "average_precision": ("average precision", "average_precision"),
    "balanced_accuracy": ("balanced accuracy at 0.5", "balanced_accuracy"),
}


@dataclass(frozen=True)
class Figures:
    """Metrics of one score table stored with the weights.

    Attributes:
        data: Name of the data set.
        split: "val" or "test".
        table: From `evaluate`, on the level of files.
    """

    data: str
    split: str
    table: pd.DataFrame


def figures_of(run: Run, epoch: int, judging: Judging = Judging()) -> list[Figures]:
    """Metrics of every score table of an epoch: validation, and any scored test splits; damaged tables are left out."""
    weights = run.weights(epoch)
    files = [(run.trained_on, "val", score_file(weights, "val"))]
    files += [(name, "test", file) for name, file in scored_sets(weights).items()]
    found = []
    for data, split, file in files:
        try:
            scores = read_table("score", file)
            found.append(Figures(data, split, evaluate(scores, ("video",), judging, metrics=tuple(METRICS))))
        except (WorkbenchError, OSError):
            continue
    return found


def figure_rows(figures: list[Figures]) -> list[tuple[str, str, str, str, str]]:
    """One row per metric, as text: data set and split, metric, value, interval, number of files."""
    rows = []
    for found in figures:
        for row in found.table.itertuples():
            interval = row_interval(row)
            value, _, ends = interval.text().partition(" ")
            if math.isnan(interval.value):
                value, ends = "not defined", ""
            counts = f"{row.n_real} real, {row.n_fake} fake"
            rows.append((f"{found.data}, {found.split}", METRICS[row.metric][0], value, ends, counts))
    return rows
