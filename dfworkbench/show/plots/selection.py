"""Figure of selection optimism: epochs picked on validation and on test data."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfworkbench.evaluation.judging.selection import Selection
from dfworkbench.show.plots.style import (
    INK,
    NOTE_GROUND,
    NOTE_INK,
    SERIES,
    SOFT,
    VAL_COLOUR,
    house_style,
    name_rows,
    new_figure,
)

_HONEST, _OPTIMISTIC = SERIES[0], SERIES[2]


@house_style
def plot_selection(found: Selection, title: str = "") -> Figure:
    """Every epoch on validation and test data with both picks, and beside it their results with intervals.

    Args:
        found: From `selection_optimism`.
        title: Above the charts.
    """
    figure = new_figure(9.6, 3.9, title)
    if found.note:
        figure.supxlabel(found.note, x=0.012, ha="left", fontsize=8.5, color=NOTE_INK, backgroundcolor=NOTE_GROUND)
    left, right = figure.subplots(1, 2, width_ratios=(1.45, 1))
    _draw_epochs(left, found)
    _draw_picks(right, found)
    return figure


def _draw_epochs(axes: Axes, found: Selection) -> None:
    table = found.epochs
    axes.plot(
        table["epoch"],
        table["val"],
        color=VAL_COLOUR,
        marker="o",
        markersize=4,
        linestyle=(0, (4, 2)),
        label="validation",
    )
    axes.plot(table["epoch"], table["test"], color=INK, marker="o", markersize=4, label="test")
    picks = ((found.honest_epoch, found.honest.value, _HONEST, "picked on validation", "o"),)
    picks += ((found.optimistic_epoch, found.optimistic.value, _OPTIMISTIC, "picked on test data", "s"),)
    for epoch, value, colour, words, marker in picks:
        axes.axvline(epoch, color=colour, linewidth=1, linestyle=(0, (2, 3)), zorder=0)
        axes.plot(
            [epoch], [value], marker, markersize=11, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=2,
            label=f"{words}: epoch {epoch}",
        )  # fmt: skip
    axes.set(xlabel="epoch", title=f"{_name(found)} on {found.level} level")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")


def _draw_picks(axes: Axes, found: Selection) -> None:
    rows = ((found.honest, _HONEST, "o"), (found.optimistic, _OPTIMISTIC, "s"))
    for at, (measure, colour, marker) in enumerate(rows):
        ends = np.array([[measure.value - measure.low], [measure.high - measure.value]])
        if np.isfinite(ends).all():
            axes.errorbar(measure.value, at, xerr=np.maximum(ends, 0), color=colour, capsize=4, linewidth=2)
        axes.plot([measure.value], [at], marker, color=colour, markersize=8)
        axes.annotate(
            measure.text(3), (measure.value, at), (0, 11), textcoords="offset points", ha="center", color=INK, fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    name_rows(axes, ["validation\n(honest)", "test data\n(optimistic)"])
    axes.margins(x=0.18)
    axes.set(xlabel=f"{_name(found)} on test data, 95 % intervals", title=f"Optimism {found.optimism.text(3)}")
    axes.axvline(found.honest.value, color=SOFT, linewidth=1, linestyle=(0, (2, 3)), zorder=0)


def _name(found: Selection) -> str:
    return found.metric.upper() if len(found.metric) <= 4 else found.metric.replace("_", " ")
