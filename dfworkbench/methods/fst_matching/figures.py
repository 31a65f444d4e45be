"""Charts of the three hypotheses of FST-Matching: Q over thresholds, stability under compression. Faces: `hypothesis_faces`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.explain.overlap import FORMS
from dfworkbench.methods.fst_matching.hypothesis3 import CORRECTED, STABILITY
from dfworkbench.show.plots.style import (
    INK,
    SERIES,
    SOFT,
    house_style,
    name_rows,
    new_figure,
    require_columns,
    say_instead,
)

_WORDS = 88  # characters of a reason that fit into the chart
_KINDS = {"paired": SERIES[0], "unpaired": SERIES[1], "difference": INK}


@house_style
def plot_pairing(curves: pd.DataFrame, forms: Sequence[str] = ("q", "q_area"), title: str = "") -> Figure:
    """Hypothesis 2: Q over thresholds of the two detectors with 95 % bands, and below it their difference.

    Args:
        curves: `PairingStudy.curves`.
        forms: Columns of the figure, keys of `explain.overlap.FORMS`.
        title: Above the figure.

    Raises:
        InputError: A column is missing.
    """
    require_columns(curves, ("kind", "form", "threshold", "value", "low", "high"), "the curves of hypothesis 2")
    words = "band: 95 % interval over people; the difference is taken image by image"
    figure = new_figure(4.3 * max(1, len(forms)) + 0.3, 5.0 + (0.3 if title else 0), title, words)
    places = figure.subplots(2, max(1, len(forms)), squeeze=False, sharex=True, height_ratios=[1.7, 1])
    for column, form in enumerate(forms):
        upper, lower = places[:, column]
        upper.set_title(FORMS.get(form, form))
        for kind, axes in (("paired", upper), ("unpaired", upper), ("difference", lower)):
            _band(axes, curves[(curves["kind"] == kind) & (curves["form"] == form)], kind, _KINDS[kind])
        for axes in (upper, lower):
            _zero(axes)
            axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
        lower.set_xlabel("share of cells left out")
    places[0, 0].set_ylabel("Q")
    places[1, 0].set_ylabel("paired - unpaired")
    handles = [Line2D([], [], color=_KINDS[kind], label=f"{kind} training set") for kind in ("paired", "unpaired")]
    places[0, 0].legend(handles=handles, loc="best")
    return figure


@house_style
def plot_overlap_curve(curve: pd.DataFrame, forms: Sequence[str] = ("q", "q_area"), title: str = "") -> Figure:
    """Hypothesis 1: Q over thresholds with its 95 % band, and in grey the values between which 95 % of the null lie.

    Args:
        curve: `OverlapStudy.curve`.
        forms: Columns of the figure, keys of `explain.overlap.FORMS`.
        title: Above the figure.

    Raises:
        InputError: A column is missing.
    """
    needed = ("form", "threshold", "value", "low", "high", "null", "null_low", "null_high")
    require_columns(curve, needed, "the curve of hypothesis 1")
    words = "band: 95 % interval over people; grey: 95 % of what the null gives"
    figure = new_figure(4.3 * max(1, len(forms)) + 0.3, 3.4 + (0.3 if title else 0), title, words)
    for axes, form in zip(figure.subplots(1, max(1, len(forms)), squeeze=False)[0], forms, strict=False):
        part = curve[curve["form"] == form]
        null = part[["form", "threshold"]].assign(value=part["null"], low=part["null_low"], high=part["null_high"])
        _band(axes, null, "null", SOFT)
        _band(axes, part, "Q", SERIES[0])
        _zero(axes)
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
        axes.set(xlabel="share of cells left out")
        axes.set_title(FORMS.get(form, form))
    return figure


@house_style
def plot_stability(
    measures: Mapping[str, Sequence[Measure]],
    names: Sequence[str] = (*STABILITY.values(), CORRECTED),
    title: str = "",
) -> Figure:
    """Hypothesis 3: stability of each model's attributions as dots with intervals, each beside its own null.

    Args:
        measures: Model ("carrier", "donor", "detector") -> `StabilityStudy.measures`.
        names: Of the measures that are shown, in this order; those that no model has are left out.
        title: Above the figure.
    """
    held = {item.name for row in measures.values() for item in row}
    shown = [name for name in names if name in held]
    step = 0.2 * max(1, len(measures)) + 0.25  # inches per measure
    words = "line: 95 % interval over people · short upright line: unrelated images"
    figure = new_figure(8.2, 1.25 + step * max(1, len(shown)) + (0.3 if title else 0), title, words)
    axes = figure.subplots()
    if not shown:
        say_instead(axes, "nothing was measured")
        return figure
    colours = [SERIES[i % len(SERIES)] for i in range(len(measures))]
    places = (np.arange(len(measures)) - (len(measures) - 1) / 2) * 0.2 / step
    for row, colour, shift in zip(measures.values(), colours, places, strict=True):
        for item in row:
            if item.name in shown:
                _dot(axes, item, shown.index(item.name) + float(shift), colour, 0.085 / step)
    _rows(axes, shown)
    handles = [
        Line2D([], [], marker="o", linestyle="none", color=colour, markersize=6.5, label=model)
        for model, colour in zip(measures, colours, strict=True)
    ]
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.3, "borderpad": 0}
    axes.legend(handles=handles, ncols=min(4, len(handles)), handletextpad=0.1, columnspacing=1.2, **place)
    return figure


def _band(axes: Axes, part: pd.DataFrame, label: str, colour: str) -> None:
    axes.plot(part["threshold"], part["value"], "o-", color=colour, markersize=4, label=label, zorder=3)
    axes.fill_between(part["threshold"], part["low"], part["high"], color=colour, alpha=0.16, linewidth=0)


def _zero(axes: Axes) -> None:
    axes.axhline(0, color=SOFT, linewidth=1, linestyle=(0, (2, 3)), zorder=0.6)


def _dot(axes: Axes, item: Measure, y: float, colour: str, half: float) -> None:
    if not np.isnan(item.chance):
        axes.plot([item.chance] * 2, [y - half, y + half], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
    if np.isnan(item.value):
        words = f"not defined: {item.reason}" if item.reason else "not defined"
        words = words if len(words) <= _WORDS else f"{words[: _WORDS - 1]}…"
        axes.text(0.01, y, words, fontsize=7.5, color=SOFT, va="center")
        return
    if not np.isnan(item.low):
        axes.plot([item.low, item.high], [y, y], color=colour, linewidth=2.2, alpha=0.55, solid_capstyle="butt")
    axes.plot([item.value], [y], "o", color=colour, markersize=6.5, markeredgecolor="white", markeredgewidth=0.7)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.02), max(high, 1.02))
    name_rows(axes, names)
    axes.axvline(0, color=SOFT, linewidth=0.8, zorder=0.6)
