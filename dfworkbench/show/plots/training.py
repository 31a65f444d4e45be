"""Training curves: loss and AUC per epoch."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfworkbench.show.plots.style import INK, SOFT, TRAIN_COLOUR, VAL_COLOUR, house_style, new_figure, say_instead

_PARTS = {"train": ("training", TRAIN_COLOUR), "val": ("validation", VAL_COLOUR)}


@house_style
def training_curves(history: pd.DataFrame, title: str = "") -> Figure:
    """Loss and AUC per epoch, training and validation, with the best epoch marked.

    Args:
        history: One row per epoch: epoch, train_loss, val_loss, any train_auc…, val_auc… (accuracy is shown where there is no
            AUC), best. The last epoch marked best is the best one.
        title: Above the charts.
    """
    figure = new_figure(9.4, 3.5 if title else 3.2, title)
    left, right = figure.subplots(1, 2)
    quality = "auc" if any("auc" in name for name in history) else "accuracy"
    best = _best_epoch(history)
    _draw(left, history, "loss", best)
    lowest = _draw(right, history, quality, best)
    left.set_title("Loss")
    right.set_title("AUC" if quality == "auc" else "Accuracy")
    if np.isfinite(lowest):
        right.set_ylim(min(0.5, lowest) - 0.03, 1.02)
    return figure


def _draw(axes: Axes, history: pd.DataFrame, measure: str, best: int | None) -> float:
    """All curves of a measure; returns the lowest value drawn."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    lowest = np.inf
    for part, (word, colour) in _PARTS.items():
        names = [n for n in history if n.startswith(f"{part}_{measure}") and history[n].notna().any()]
        for name, line in zip(names, ("-", (0, (4, 2)), (0, (1, 1.5))), strict=False):
            level = name.removeprefix(f"{part}_{measure}").strip("_")
            label = f"{word}, {level} level" if level else word
            axes.plot(
                history["epoch"], history[name], color=colour, linestyle=line, marker="o", markersize=4, label=label
            )
            lowest = min(lowest, float(history[name].min()))
        if names and best is not None and part == "val":
            _mark(axes, history, names[0], best)
    if not np.isfinite(lowest):
        say_instead(axes, f"no {measure} yet")
        return lowest
    first, last = float(history["epoch"].min()), float(history["epoch"].max())
    axes.set_xlim(first - 0.3, max(last, first + 1) + 0.3)
    axes.legend(loc="best", handlelength=3.2)  # long enough to tell dashes from a solid line, behind the dot
    return lowest


def _mark(axes: Axes, history: pd.DataFrame, name: str, best: int) -> None:
    """A ring around the best epoch."""
    value = float(history.loc[history["epoch"] == best, name].iloc[0])
    ring = {
        "marker": "o",
        "linestyle": "none",
        "markerfacecolor": "none",
        "markeredgecolor": INK,
        "markeredgewidth": 1.4,
    }
    axes.axvline(best, color=SOFT, linewidth=1, linestyle=(0, (2, 3)), zorder=0)
    axes.plot([best], [value], markersize=10, label=f"best epoch {best}: {value:.3f}", **ring)


def _best_epoch(history: pd.DataFrame) -> int | None:
    """The last epoch marked best; without marks, the one with the highest validation AUC."""
    if "best" in history and history["best"].astype(bool).any():
        return int(history.loc[history["best"].astype(bool), "epoch"].iloc[-1])
    names = [name for name in history if name.startswith("val_auc") and history[name].notna().any()]
    return int(history.loc[history[names[0]].idxmax(), "epoch"]) if names else None
