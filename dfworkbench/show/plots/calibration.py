"""Calibration figures: reliability diagram, risk-coverage curve, and the verdicts of an operating point.

All are fast enough to be redrawn at each step of a slider.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.judging.verdicts import OperatingPoint, verdict_rates, verdicts
from dfworkbench.evaluation.metrics.compare import drawn_metric
from dfworkbench.evaluation.metrics.curve_tables import reliability_table, risk_coverage
from dfworkbench.evaluation.metrics.interval import Interval, Judging
from dfworkbench.show.plots.style import (
    FAKE_COLOUR,
    INK,
    NOTHING_COLOUR,
    REAL_COLOUR,
    SERIES,
    SOFT,
    house_style,
    new_figure,
    say_instead,
)

Scores = pd.DataFrame | Mapping[str, pd.DataFrame]


@house_style
def plot_reliability(scores: Scores, judging: Judging = Judging(), *, bins: int = 10, title: str = "") -> Figure:
    """Reliability diagram: share of fakes over the mean fake probability, in equal-mass bins, with row counts below.

    Args:
        scores: A score table, or name -> score table (such as before and after calibration).
        judging: Which rows count, and the confidence of intervals.
        bins: Maximum number of bins; rows of equal score share one.
        title: Above the charts.
    """
    tables = _named(scores)
    note = f"dots: bins of equal mass with {100 * judging.confidence:g} % intervals; dashed: calibrated"
    figure = new_figure(5.6, 5.4 + 0.55 * len(tables), title or f"Reliability, {judging.level} level", note)
    heights = [5.2, *[0.75] * len(tables)]
    axes, *below = figure.subplots(1 + len(tables), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (3, 3)))
    for (name, table), colour, strip in zip(tables.items(), SERIES, below, strict=False):
        found = reliability_table(table, judging, bins=bins)
        _counts(strip, found, colour)
        if found.empty:
            axes.plot([], [], color=colour, label=_label(name, "no labelled scores"))
            continue
        x, y = found["mean_probability"], found["fake_share"]
        axes.errorbar(
            x, y, [y - found["low"], found["high"] - y], fmt="none", ecolor=colour, elinewidth=1.2, alpha=0.45
        )
        error = drawn_metric("calibration error", table, judging.replace(draws=0), metric="ece")[0]
        text = f"calibration error {error.value:.3f}, n = {found['n'].sum()}"
        axes.plot(x, y, color=colour, marker="o", markersize=4.5, linewidth=1.2, label=_label(name, text))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share of fakes")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3, borderpad=0
    )  # intervals may fill the chart
    below[-1].set_xlabel("fake probability")
    return figure


def _counts(axes: Axes, found: pd.DataFrame, colour: str) -> None:
    """One bar per bin from its lowest to its highest score, with the number of rows in it."""
    axes.set(yticks=[], ylim=(0, 1.25 * max([1, *found["n"]])))
    axes.set_ylabel("rows\nper bin", rotation=0, ha="right", va="center")
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    width = np.maximum(found["highest"] - found["lowest"], 0.004)
    axes.bar(
        found["lowest"], found["n"], width, align="edge", color=colour, alpha=0.55, edgecolor="white", linewidth=0.6
    )
    middle, last = found["lowest"] + width / 2, -1.0
    for x, n in zip(middle, found["n"], strict=True):
        if x - last > 0.045:  # labels of narrow bins would overlap
            axes.text(x, n / 2, str(n), ha="center", va="center", fontsize=7.5, color=INK)
            last = x


@house_style
def plot_risk_coverage(scores: Scores, judging: Judging = Judging(), *, title: str = "") -> Figure:
    """Error rate among the answered rows over the share answered; dotted: the best ordering with as many errors.

    Args:
        scores: A score table, or name -> score table.
        judging: Which rows count, and the confidence of intervals.
        title: Above the chart.
    """
    note = "answered first: the rows furthest from 0.5; dotted: if all errors came last"
    figure = new_figure(5.8, 4.4, title or f"Risk and coverage, {judging.level} level", note)
    axes, highest = figure.subplots(), 0.0
    for (name, table), colour in zip(_named(scores).items(), SERIES, strict=False):
        found = risk_coverage(table, judging)
        if found.empty:
            axes.plot([], [], color=colour, label=_label(name, "no labelled scores"))
            continue
        area = drawn_metric("area", table, judging.replace(draws=0), metric="aurc")[0]
        text = f"area {area.value:.3f}, all answered: {found['risk'].iloc[-1]:.1%} wrong"
        axes.plot(found["coverage"], found["risk"], color=colour, label=_label(name, text))
        axes.plot(found["coverage"], found["best_risk"], color=colour, linewidth=1, linestyle=(0, (1, 2)))
        steady = found.loc[found["coverage"] > 0.1, "risk"]  # the first rows alone jump between 0 and 1
        highest = max(highest, float(steady.max()), float(found["risk"].iloc[-1]))
    axes.set(xlim=(0, 1.01), ylim=(-0.02 * max(highest, 0.05), min(1.02, 1.45 * max(highest, 0.05))))
    axes.set(xlabel="share of rows answered", ylabel="share of these that is wrong")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0 if highest > 0.06 else 1))
    axes.legend(loc="best")
    return figure


@house_style
def plot_operating_point(scores: pd.DataFrame, point: OperatingPoint, *, bins: int = 40, title: str = "") -> Figure:
    """Scores of real and fake rows, and which of them an operating point calls real, fake, or undecided.

    Args:
        scores: The score table to judge; calibrated if that of the operating point was.
        point: Operating point from `verdicts.operating_point`, for validation rows.
        bins: Bins of the histograms over 0..1.
        title: Above the charts.
    """
    judged = verdicts(scores, point)
    rates = verdict_rates(judged).set_index("kind")
    words = point.sentences()
    figure = new_figure(7.8, 3.6 + 0.17 * len(words), title or f"Verdicts, {point.level} level", "\n".join(words))
    charts = figure.subplots(2, 1, sharex=True)
    kinds = (("real", REAL, REAL_COLOUR, "fake"), ("fake", FAKE, FAKE_COLOUR, "real"))
    for axes, (kind, label, colour, wrong) in zip(charts, kinds, strict=True):
        values = judged.loc[judged["label"] == label, "fake_probability"].dropna()
        _shade(axes, point)
        axes.set(yticks=[], xlim=(0, 1))
        axes.grid(False)
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(kind, rotation=0, ha="right", va="center", color=colour, fontweight="bold")
        if values.empty:
            say_instead(axes, f"no {kind} row with a score")
            continue
        axes.hist(values, bins=bins, range=(0, 1), color=colour, alpha=0.9, linewidth=0)
        axes.text(
            1.02, 0.5, _outcome(rates.loc[kind], wrong), transform=axes.transAxes, va="center", fontsize=8.5, color=INK
        )
    _name_zones(charts[0], point)
    charts[1].set_xlabel("fake probability")
    return figure


def _outcome(row: pd.Series, wrong: str) -> str:
    n, mistaken, undecided, unscored = (int(row[name]) for name in ("n", wrong, "inconclusive", "no_score"))
    band = Interval(row["wrong_rate"], row["low"], row["high"]).text(1, percent=True)
    return f"n = {n}\n{mistaken} called {wrong}:\n{band}\n{undecided} inconclusive\n{unscored} without score"


def _ends(point: OperatingPoint) -> tuple[float, float]:
    """Upper end of real and lower end of fake, within 0..1."""
    return (
        point.real_below if point.real_below is not None else 0.0,
        point.fake_above if point.fake_above is not None else 1.0,
    )


def _shade(axes: Axes, point: OperatingPoint) -> None:
    real_end, fake_start = _ends(point)
    for start, stop, colour in (
        (0, real_end, REAL_COLOUR),
        (real_end, fake_start, NOTHING_COLOUR),
        (fake_start, 1, FAKE_COLOUR),
    ):
        axes.axvspan(start, stop, color=colour, alpha=0.16 if colour != NOTHING_COLOUR else 0.35, linewidth=0, zorder=0)
    for threshold in (point.real_below, point.fake_above):
        if threshold is not None:
            axes.axvline(threshold, color=INK, linewidth=1.1)


def _name_zones(axes: Axes, point: OperatingPoint) -> None:
    """Label the zones; those too narrow for the word stay without."""
    real_end, fake_start = _ends(point)
    zones = ((0.0, real_end, "real"), (real_end, fake_start, "inconclusive"), (fake_start, 1.0, "fake"))
    for start, stop, name in zones:
        if stop - start > 0.013 * len(name):
            place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom", "fontsize": 8.5}
            axes.text((start + stop) / 2, 1.02, name, color=SOFT, **place)


def _named(scores: Scores) -> dict[str, pd.DataFrame]:
    return dict(scores) if isinstance(scores, Mapping) else {"": scores}


def _label(name: str, text: str) -> str:
    return f"{name}: {text}" if name else text
