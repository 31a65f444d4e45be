"""Heat map of detectors by data sets and forgery kinds, legible without colour."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import require_name
from dfworkbench.evaluation.metrics.curve_metrics import MAX_FPR, TPR_AT
from dfworkbench.show.plots.style import (
    INK,
    LINE,
    SOFT,
    drawn_units,
    house_style,
    new_figure,
    require_columns,
    say_instead,
)

#: From chance to perfect: white to blue, for all kinds of colour vision.
_CMAP = LinearSegmentedColormap.from_list("dfworkbench_matrix", ["#ffffff", "#cfe3f2", "#5ba3d0", "#0b4f86"])


class Scale(NamedTuple):
    """How a metric is shaded.

    Attributes:
        words: Display name.
        worst: Value of an uninformative detector, or a function that returns it from the share of fakes among the files of a cell.
            0 if there is no such value.
        best: Value of a perfect detector.
    """

    words: str
    worst: float | Callable[[float], float]
    best: float = 1.0


#: Always answering 0.5 has log loss ln 2, Brier 1/4, and a calibration error of at most 1/2.
SCALES = {
    "accuracy": Scale("accuracy", lambda fakes: max(fakes, 1 - fakes)),  # for always answering the commoner class
    "auc": Scale("AUC", 0.5),
    "aurc": Scale("AURC", lambda fakes: min(fakes, 1 - fakes), 0),
    "average_precision": Scale("AP", lambda fakes: fakes),
    "balanced_accuracy": Scale("balanced accuracy", 0.5),
    "brier": Scale("Brier", 0.25, 0),
    "ece": Scale("calibration error", 0.5, 0),
    "eer": Scale("EER", 0.5, 0),
    "f1": Scale("F1", 0),
    "log_loss": Scale("log loss", math.log(2), 0),
    "partial_auc": Scale(f"AUC up to {100 * MAX_FPR:g} % FPR", 0.5),
    "precision": Scale("precision", lambda fakes: fakes),
    "recall": Scale("recall", 0),
    **{name: Scale(f"TPR at {100 * rate:g} % FPR", rate) for name, rate in TPR_AT.items()},
}


@house_style
def plot_matrix(cells: pd.DataFrame, title: str = "") -> Figure:
    """Heat map of `evaluation.metrics.matrix.score_matrix`: value, interval, size and coverage in each cell.

    Dark is good for every metric: cells are shaded from `Scale.worst` (white, like anything worse) to `Scale.best`.

    Args:
        cells: detector, dataset, kind, metric, level, unit, value, low, high, n, n_fake, coverage; in order of first appearance.
        title: Above the chart.

    Raises:
        InputError: A column is missing, or there are several metrics or levels.
        UnknownNameError: There is no such metric.
    """
    wanted = (
        "detector",
        "dataset",
        "kind",
        "metric",
        "level",
        "unit",
        "value",
        "low",
        "high",
        "n",
        "n_fake",
        "coverage",
    )
    require_columns(cells, wanted, "a matrix")
    metric, level = _only(cells, "metric", "auc"), _only(cells, "level", "video")
    scale = SCALES[require_name("metric", metric, SCALES)]
    detectors = list(cells["detector"].unique())
    columns = list(dict.fromkeys(zip(cells["dataset"], cells["kind"], strict=True)))
    width, height = 2.2 + 1.22 * max(len(columns), 3), 1.7 + 0.72 * max(len(detectors), 1)
    whole = bool(len(cells)) and bool((cells["coverage"] == 1).all())
    figure = new_figure(width, height, title, _footer(cells, scale, level, whole))
    axes = figure.subplots()
    if cells.empty:
        say_instead(axes, "nothing was scored")
        return figure
    shown = np.full((len(detectors), len(columns)), np.nan)
    known = {(row.detector, (row.dataset, row.kind)): row for row in cells.itertuples()}
    for i, detector in enumerate(detectors):
        for j, column in enumerate(columns):
            row = known.get((detector, column))
            shown[i, j] = np.nan if row is None else _shade(row, scale)
            _write(axes, j, i, row, "white" if shown[i, j] > 0.62 else INK, whole)
    axes.imshow(np.ma.masked_invalid(shown), cmap=_CMAP, vmin=0, vmax=1, aspect="auto")
    _frame(axes, detectors, columns)
    return figure


def _only(cells: pd.DataFrame, column: str, empty: str) -> str:
    """The single value of a column, or `empty` if there are no rows."""
    found = list(cells[column].unique())
    if len(found) > 1:
        raise InputError(
            f"plotting a matrix: the table has {len(found)} values of {column} ({', '.join(map(str, found))}), one was expected: "
            "their shades cannot be compared. Draw a matrix of each."
        )
    return str(found[0]) if found else empty


def _footer(cells: pd.DataFrame, scale: Scale, level: str, whole: bool) -> str:
    count = "files" if level == "video" else f"{level}s"
    share = 100 * cells["confidence"].max() if "confidence" in cells else 95
    band = f"{share:g} % interval over {drawn_units(list(cells['unit']))}, " if cells["low"].notna().any() else ""
    covered = f"all {count} have a score (coverage 100 %)" if whole else f"coverage: share of {count} with a score"
    metric = f"{scale.words}, {level} level" + (" (lower is better)" if scale.best == 0 else "")
    return f"{metric}; below it: {band}number of {count}\n{covered}"


def _write(axes, x: int, y: int, row, colour: str, whole: bool) -> None:
    if row is None or np.isnan(row.value):
        axes.text(x, y, "not run" if row is None else "not defined", ha="center", va="center", fontsize=8, color=SOFT)
        return
    axes.text(x, y - 0.14, f"{row.value:.3f}", ha="center", va="center", fontsize=11, weight="bold", color=colour)
    band = "" if np.isnan(row.low) else f"{row.low:.2f} to {row.high:.2f}"
    cover = "" if whole else f", {_share(row.coverage)}"
    axes.text(
        x, y + 0.21, f"{band}\nn = {row.n}{cover}", ha="center", va="center", fontsize=7, color=colour, linespacing=1.25
    )


def _shade(row, scale: Scale) -> float:
    """Shade from 0 (chance or worse) to 1 (perfect); NaN if the two are equal."""
    worst = scale.worst(row.n_fake / max(row.n, 1)) if callable(scale.worst) else scale.worst
    return float(np.clip((row.value - worst) / (scale.best - worst), 0, 1)) if worst != scale.best else float("nan")


def _share(coverage: float) -> str:
    """Coverage in percent; 100 only if nothing is missing."""
    return "> 99%" if 0.995 <= coverage < 1 else f"{coverage:.0%}"


def _frame(axes, detectors: list[str], columns: list[tuple[str, str]]) -> None:
    several = len({dataset for dataset, _ in columns}) > 1
    names = [f"{kind or 'fake'}\n{dataset}" if several else kind or "fake" for dataset, kind in columns]
    axes.set_xticks(range(len(columns)), names)
    axes.set_yticks(range(len(detectors)), detectors)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for j, (dataset, _) in enumerate(columns[1:], 1):
        new = dataset != columns[j - 1][0]
        axes.axvline(j - 0.5, color=SOFT if new else "white", linewidth=1.6 if new else 2.5)
    for i in range(1, len(detectors)):
        axes.axhline(i - 0.5, color=LINE, linewidth=1)
