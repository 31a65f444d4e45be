"""Charts of the three hypotheses of FST-Matching: Q over thresholds, stability under compression. For faces see `face_figures`."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.explain.overlap import FORMS
from dfworkbench.methods.fst_matching.hypothesis3 import CORRECTED, STABILITY
from dfworkbench.show.plots.comparison import plot_measures
from dfworkbench.show.plots.parts import DOTTED, band
from dfworkbench.show.plots.style import (
    INK,
    SERIES,
    SOFT,
    house_style,
    new_figure,
    require_columns,
)

_KINDS = {"paired": SERIES[0], "unpaired": SERIES[1], "difference": INK}


@house_style
def plot_pairing(curves: pd.DataFrame, forms: Sequence[str] = ("q", "q_area"), title: str = "") -> Figure:
    """Hypothesis 2: Q over thresholds for both detectors with 95 % bands, and their difference below.

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
    """Hypothesis 1: Q over thresholds with its 95 % band, and in grey the central 95 % of the null.

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


def plot_stability(
    measures: Mapping[str, Sequence[Measure]],
    names: Sequence[str] = (*STABILITY.values(), CORRECTED),
    title: str = "",
) -> Figure:
    """Hypothesis 3: stability of each model's attributions as dots with intervals, each beside its own null.

    Args:
        measures: Model ("carrier", "donor", "detector") -> `StabilityStudy.measures`.
        names: Names of the measures to show, in this order; those that no model has are omitted.
        title: Above the figure.
    """
    kept = {model: {item.name: item for item in row} for model, row in measures.items()}
    shown = [name for name in names if any(name in row for row in kept.values())]
    ordered = {model: [row[name] for name in shown if name in row] for model, row in kept.items()}
    words = "line: 95 % interval over people · short upright line: unrelated images"
    return plot_measures(ordered, title, words, own_chance=True)


def _band(axes: Axes, part: pd.DataFrame, label: str, colour: str) -> None:
    axes.plot(part["threshold"], part["value"], "o-", color=colour, markersize=4, label=label, zorder=3)
    band(axes, part["threshold"], (part["low"], part["high"]), colour)


def _zero(axes: Axes) -> None:
    axes.axhline(0, color=SOFT, linewidth=1, linestyle=DOTTED, zorder=0.6)
