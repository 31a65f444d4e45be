"""Compare detectors: measures as dots with intervals, and a metric under several conditions."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.show.plots.parts import DOTTED, GROUND, dot_handles, interval_dot, legend_above
from dfworkbench.show.plots.style import (
    INK,
    LINE,
    SERIES,
    SOFT,
    house_style,
    name_rows,
    new_figure,
    require_columns,
    say_instead,
)

_STEP = 0.19  # inches between the detectors of one measure
_WORDS = 62  # characters of a reason that fit into the chart


@house_style
def plot_measures(
    measures: Mapping[str, Sequence[Measure]],
    title: str = "",
    subtitle: str = "short black line: chance level",
    *,
    own_chance: bool = False,
) -> Figure:
    """Dots with intervals: one row per measure, one dot per detector in it; the chance level as a short line.

    Args:
        measures: Detector -> its measures, as for `measures_table`. Designed for up to 6 detectors and 8 measures.
        title: Above the chart.
        subtitle: Below it.
        own_chance: Whether each detector has its own chance level, drawn in its colour.
    """
    names = list(dict.fromkeys(item.name for row in measures.values() for item in row))
    count = max(len(measures), 1)
    figure = new_figure(8.6, 1.15 + max(len(names), 1) * (count * _STEP + 0.22), title, subtitle)
    axes = figure.subplots()
    if not names:
        say_instead(axes, "nothing was measured")
        return figure
    step = _STEP / (count * _STEP + 0.22)
    places = _places(count, step)
    for detector, colour, place in zip(measures, _colours(count), places, strict=False):
        for item in measures[detector]:
            y = names.index(item.name) + float(place)
            if own_chance:
                _chance(axes, item.chance, (y - 0.42 * step, y + 0.42 * step), colour, 2)
            _dot(axes, item, y, colour)
    half = step / 2 if count > 1 else 0.3
    for row, name in enumerate(() if own_chance else names):
        levels = {item.chance for part in measures.values() for item in part if item.name == name}
        for level in sorted(levels):
            _chance(axes, level, (row + places[0] - half, row + places[-1] + half), INK, 1.4)
    _finish(axes, names, measures)
    _legend(axes, list(measures), 6.0)
    return figure


def _places(count: int, step: float) -> np.ndarray:
    """Offsets of the detectors around the middle of their group."""
    return (np.arange(count) - (count - 1) / 2) * step


def _colours(count: int) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(count)]


def _dot(axes: Axes, item: Measure, y: float, colour: str) -> None:
    if np.isnan(item.value):
        text = f"not defined: {item.reason}" if item.reason else "not defined"
        text = text if len(text) <= _WORDS else f"{text[: _WORDS - 1]}…"
        where = axes.get_yaxis_transform()
        # on the right, away from chance levels, which are mostly low
        axes.plot([0.988], [y], "x", color=colour, markersize=4.5, transform=where, zorder=4)
        axes.text(0.973, y, text, ha="right", va="center", fontsize=7.5, color=SOFT, transform=where, bbox=GROUND)
        return
    interval_dot(axes, item, y, colour)


def _chance(axes: Axes, level: float, ends: tuple[float, float], colour: str, width: float) -> None:
    if not np.isnan(level):
        axes.plot([level, level], ends, color=colour, linewidth=width, zorder=1.5, solid_capstyle="butt")


def _finish(axes: Axes, names: Sequence[str], measures: Mapping[str, Sequence[Measure]]) -> None:
    items = [item for row in measures.values() for item in row]
    ends = np.array([x for item in items for x in (item.value, item.low, item.high, item.chance) if not np.isnan(x)])
    low, high = min(ends.min(initial=0.0), 0.0), max(ends.max(initial=1.0), 1.0)
    axes.set_xlim(low - 0.02, high + 0.02)
    name_rows(axes, names)
    if low < 0:
        axes.axvline(0, color=SOFT, linewidth=0.8, zorder=0.6)


def _legend(axes: Axes, detectors: Sequence[str], width: float) -> None:
    """Legend above the axes, in as many columns as fit into `width` inches."""
    entry = 0.082 * max(map(len, detectors), default=1) + 0.42  # inches
    columns = max(1, min(len(detectors), int(width / entry)))
    handles = dot_handles(dict(zip(detectors, _colours(len(detectors)), strict=True)))
    legend_above(axes, handles, columns, handletextpad=0.1, columnspacing=1.2)


@house_style
def plot_comparison(results: pd.DataFrame, title: str = "", metric: str = "AUC, video level") -> Figure:
    """A metric of several detectors under several conditions: large dots are means over seeds, small dots the seeds.

    Args:
        results: One row per detector, condition and seed: detector, condition, value, low, high (95 % interval, may be NaN; equal
            for all seeds if it is that of their mean). In order of first appearance.
        title: Above the chart.
        metric: Name of the value axis.

    The line is the interval over people, or with several seeds the mean of their interval ends; the small dots show the spread over
    seeds. A dotted line marks 0.5, the AUC of chance.

    Raises:
        InputError: A column is missing.
    """
    require_columns(results, ("detector", "condition", "value", "low", "high"), "a comparison")
    detectors, conditions = list(results["detector"].unique()), list(results["condition"].unique())
    width = max(5.6, 1.0 + len(conditions) * (0.42 * len(detectors) + 0.5))
    several = results.groupby(["detector", "condition"]).size().max() > 1 if len(results) else False
    words = "big dot: mean over seeds; small dots: seeds; " if several else ""
    figure = new_figure(width, 4.3, title, f"{words}line: 95 % interval over people")
    axes = figure.subplots()
    if results.empty:
        say_instead(axes, "nothing was scored")
        return figure
    places = _places(len(detectors), 0.8 / max(len(detectors), 2))
    for detector, colour, place in zip(detectors, _colours(len(detectors)), places, strict=True):
        for number, condition in enumerate(conditions):
            part = results[(results["detector"] == detector) & (results["condition"] == condition)]
            _seeds(axes, part[part["value"].notna()], number + place, colour, len(part) > 0)
    _conditions(axes, conditions, results, metric)
    _legend(axes, detectors, width - 0.8)
    return figure


def _seeds(axes: Axes, part: pd.DataFrame, x: float, colour: str, asked: bool) -> None:
    if part.empty:
        if asked:
            where = axes.get_xaxis_transform()
            axes.text(
                x, 0.03, "not defined", rotation=90, ha="center", va="bottom", fontsize=8, color=SOFT, transform=where,
                bbox=GROUND,
            )  # fmt: skip
            axes.plot([x], [0.014], "x", color=colour, markersize=4.5, transform=where, zorder=4)
        return
    low, high = part["low"].mean(), part["high"].mean()
    if not np.isnan(low):
        axes.plot([x, x], [low, high], color=colour, linewidth=2.2, alpha=0.55, solid_capstyle="butt")
    if len(part) > 1:
        shift = x + 0.055  # beside the line, where they cover neither it nor the mean
        axes.plot([shift] * len(part), part["value"], "o", color=colour, markersize=3, alpha=0.8, markeredgewidth=0)
    axes.plot([x], [part["value"].mean()], "o", color=colour, markersize=7.5, markeredgecolor="white", zorder=3)


def _conditions(axes: Axes, conditions: Sequence[str], results: pd.DataFrame, metric: str) -> None:
    ends = results[["value", "low", "high"]].to_numpy(dtype=np.float64)
    lowest = np.nanmin(ends) if np.isfinite(ends).any() else 0.5
    axes.set(xlim=(-0.5, len(conditions) - 0.5), ylim=(min(0.48, lowest - 0.02), 1.01), ylabel=metric)
    axes.set_xticks(range(len(conditions)), list(conditions))
    axes.tick_params(axis="x", length=0)
    axes.grid(False, axis="x")
    axes.axhline(0.5, color=SOFT, linewidth=1, linestyle=DOTTED, zorder=0.6)
    for number in range(1, len(conditions)):
        axes.axvline(number - 0.5, color=LINE, linewidth=0.8, zorder=0.5)
