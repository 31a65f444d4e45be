"""Detectors by data sets and forgery kinds, as a heat map whose cells can be read without their colour."""

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from dfworkbench.plots.style import INK, LINE, SOFT, house_style, new_figure, require_columns, say_instead

#: From "knows nothing" to "perfect": white to blue, readable for everybody.
_CMAP = LinearSegmentedColormap.from_list("dfworkbench_matrix", ["#ffffff", "#cfe3f2", "#5ba3d0", "#0b4f86"])

_WHOLE = 0.9995  # rounded it is 100 %


@house_style
def plot_matrix(
    cells: pd.DataFrame, title: str = "", metric: str = "AUC, video level", worst: float = 0.5, best: float = 1.0
) -> Figure:
    """The table of `analysis.matrix.score_matrix`: value, 95 % interval, size and coverage in each cell.

    Args:
        cells: detector, dataset, kind, value, low, high, n, coverage; orders are those of first appearance.
        title: Above the chart.
        metric: What the values are, in words.
        worst: The value of a detector that knows nothing; cells there or beyond it stay white.
        best: That of a perfect one; smaller than `worst` for errors, such as best=0 for the EER.

    Raises:
        InputError: A column is missing.
    """
    wanted = ("detector", "dataset", "kind", "value", "low", "high", "n", "coverage")
    require_columns(cells, wanted, "a matrix")
    detectors = list(cells["detector"].unique())
    columns = list(dict.fromkeys(zip(cells["dataset"], cells["kind"], strict=True)))
    width, height = 2.2 + 1.22 * max(len(columns), 3), 1.55 + 0.72 * max(len(detectors), 1)
    figure = new_figure(width, height, title, _footer(cells, metric))
    axes = figure.subplots()
    if cells.empty:
        say_instead(axes, "nothing was scored")
        return figure
    values = np.full((len(detectors), len(columns)), np.nan)
    known = {(row.detector, (row.dataset, row.kind)): row for row in cells.itertuples()}
    for i, detector in enumerate(detectors):
        for j, column in enumerate(columns):
            row = known.get((detector, column))
            values[i, j] = np.nan if row is None else row.value
            shade = (values[i, j] - worst) / (best - worst)
            _write(axes, j, i, row, "white" if shade > 0.62 else INK)
    shown = np.clip((values - worst) / (best - worst), 0, 1)
    axes.imshow(np.ma.masked_invalid(shown), cmap=_CMAP, vmin=0, vmax=1, aspect="auto")
    _frame(axes, detectors, columns)
    return figure


def _footer(cells: pd.DataFrame, metric: str) -> str:
    units = {"group": "people", "video": "videos"}
    over = " and ".join(units[unit] for unit in dict.fromkeys(cells["unit"])) if "unit" in cells else "people"
    whole = (cells["coverage"] >= _WHOLE).all()
    covered = "every file has a score (coverage 100 %)" if whole else "share of files with a score, if not all"
    return f"{metric}; below it: 95 % interval over {over}, number of files; {covered}"


def _write(axes, x: int, y: int, row, colour: str) -> None:
    if row is None or np.isnan(row.value):
        axes.text(x, y, "not run" if row is None else "not defined", ha="center", va="center", fontsize=8, color=SOFT)
        return
    axes.text(x, y - 0.14, f"{row.value:.3f}", ha="center", va="center", fontsize=11, weight="bold", color=colour)
    band = "" if np.isnan(row.low) else f"{row.low:.2f} to {row.high:.2f}"
    cover = "" if row.coverage >= _WHOLE else f", {row.coverage:.0%}"
    axes.text(
        x, y + 0.21, f"{band}\nn = {row.n}{cover}", ha="center", va="center", fontsize=7, color=colour, linespacing=1.25
    )


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
