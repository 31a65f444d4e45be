"""Likelihood-ratio figures of a case: LRs on a log scale with bounds and verbal bands, and scores beside reference scores."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.likelihood_ratios import Bounds, group_weights
from dfworkbench.show.plots.parts import DASHED, DOTTED, GROUND
from dfworkbench.show.plots.style import (
    FAKE_COLOUR,
    INK,
    LINE,
    NOTHING_COLOUR,
    REAL_COLOUR,
    SERIES,
    SOFT,
    house_style,
    name_rows,
    new_figure,
    say_instead,
)

_POINT, _CUT = SERIES[0], SERIES[5]
_LEAST_REACH, _MOST_REACH = 2.3, 7.0  # smallest and largest range of log10 LRs, to both sides
_NARROW = 0.13  # share of that range: narrower bands have no room for words


class LrBar(NamedTuple):
    """One row of `plot_lr_bars`; all values are log10 LRs.

    Attributes:
        name: What the LR is for.
        llr: LR after bounding.
        low: Lower end of its interval, after bounding.
        high: Upper end of its interval, after bounding.
        unbounded: LR before bounding.
    """

    name: str
    llr: float
    low: float
    high: float
    unbounded: float


@house_style
def plot_lr_bars(bars: Sequence[LrBar], bounds: Bounds, bands: Sequence[tuple[float, str]], title: str = "") -> Figure:
    """One row per LR on a log scale: value, interval, the part cut off by the bound, and the bands of the verbal scale.

    Args:
        bars: May be empty.
        bounds: Limits beyond which the reference data support no LR; that range is hatched.
        bands: Upper edge of each band (an LR above 1, the last one may be infinite) and its words, in ascending order.
        title: Above the chart.
    """
    figure = new_figure(8.2, 2.0 + 0.5 * max(len(bars), 1), title)
    axes = figure.subplots()
    values = [abs(value) for bar in bars for value in bar[1:] if np.isfinite(value)]
    reach = min(_MOST_REACH, max(_LEAST_REACH, *(value + 0.35 for value in (*values, -bounds.low, bounds.high))))
    axes.set_xlim(-reach, reach)
    name_rows(axes, [bar.name for bar in bars] or [""])
    _bands(axes, bands, reach)
    for low, high in ((-reach, bounds.low), (bounds.high, reach)):
        axes.axvspan(low, high, facecolor="none", edgecolor=NOTHING_COLOUR, hatch="////", linewidth=0, zorder=0.6)
    for end in (bounds.low, bounds.high):
        axes.axvline(end, color=_CUT, linewidth=1.6, linestyle=DASHED)
    axes.axvline(0, color=INK, linewidth=1)
    for y, bar in enumerate(bars):
        _bar(axes, y, bar, reach)
    if not bars:
        say_instead(axes, "no likelihood ratio: no statement possible")
    _lr_ticks(axes, reach)
    axes.set_xlabel(
        "findings more probable if H2 is true  \u2190   likelihood ratio   \u2192  findings more probable if H1 is true"
    )
    handles = [
        Line2D([], [], color=_POINT, marker="D", linewidth=4, alpha=0.9, markersize=7, label="LR and its interval"),
        Line2D([], [], color=INK, marker="o", linestyle="", markerfacecolor="white", label="before the bound"),
        Line2D([], [], color=_CUT, linestyle=DASHED, label="bounds of this reference set (beyond: hatched)"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _bar(axes: Axes, y: float, bar: LrBar, reach: float) -> None:
    axes.plot([bar.low, bar.high], [y, y], color=_POINT, linewidth=5, alpha=0.45, solid_capstyle="butt", zorder=3)
    for end in (bar.low, bar.high):
        axes.plot([end, end], [y - 0.14, y + 0.14], color=_POINT, linewidth=1.4, zorder=3)
    if abs(bar.unbounded - bar.llr) > 1e-9:
        seen = float(np.clip(bar.unbounded, 0.03 - reach, reach - 0.03))
        axes.plot([bar.llr, seen], [y, y], color=INK, linewidth=0.9, linestyle=DOTTED, zorder=2)
        axes.plot(seen, y, "o", markerfacecolor="white", markeredgecolor=INK, markersize=6, zorder=4)
    axes.plot(bar.llr, y, "D", color=_POINT, markeredgecolor="white", markersize=8, zorder=5)


def _bands(axes: Axes, bands: Sequence[tuple[float, str]], reach: float) -> None:
    """Alternating background bands of the verbal scale on both sides of 1, with words above if there is room."""
    start = 0.0
    for number, (edge, words) in enumerate(bands):
        end = min(float(np.log10(edge)), reach)
        if start >= reach:
            return
        label = words.partition(" support")[0].replace(" ", "\n")
        if number == 0:  # the first band spans 1/edge to edge
            _ground(axes, -end, end, number)
            _name_band(axes, 0, 2 * end, label)
        else:
            for low, high in ((start, end), (-end, -start)):
                _ground(axes, low, high, number)
                _name_band(axes, (low + high) / 2, high - low, label)
        start = end


def _ground(axes: Axes, low: float, high: float, number: int) -> None:
    if number % 2 == 0:
        axes.axvspan(low, high, color=LINE, alpha=0.55, linewidth=0, zorder=0)


def _name_band(axes: Axes, middle: float, width: float, words: str) -> None:
    if width > _NARROW * axes.get_xlim()[1]:
        place = {
            "transform": axes.get_xaxis_transform(),
            "ha": "center",
            "va": "bottom",
            "fontsize": 7.5,
            "color": SOFT,
        }
        axes.text(middle, 1.02, words, linespacing=0.95, **place)


def _lr_ticks(axes: Axes, reach: float) -> None:
    step = 1 if reach < 4.5 else 2
    whole = [power for power in range(-int(reach), int(reach) + 1) if power % step == 0]
    axes.set_xticks(list(whole), [lr_text(power) for power in whole])


def lr_text(power: int) -> str:
    """Label for a power of ten on an LR axis: "1/100", "1", "1,000"."""
    return f"{10**power:,}" if power >= 0 else f"1/{10**-power:,}"


@house_style
def plot_score_place(
    reference: tuple[ArrayLike, ArrayLike, ArrayLike | None], found: Mapping[str, float], title: str = ""
) -> Figure:
    """Scores of people in the evidence over the histograms of genuine and of manipulated reference faces.

    Args:
        reference: Scores, labels and groups of the reference rows, `(n,)` each; every group counts once in its class.
        found: Name -> score.
        title: Above the charts.
    """
    scores, labels, groups = np.asarray(reference[0], dtype=np.float64), np.asarray(reference[1]), reference[2]
    figure = new_figure(7.4, 3.5, title, "every reference person counts once in its class")
    charts = figure.subplots(2, 1, sharex=True)
    edges = np.histogram_bin_edges([*scores, *found.values()], bins=32)
    weights = group_weights(labels, groups)
    kinds = (("genuine", REAL, REAL_COLOUR, ""), ("manipulated", FAKE, FAKE_COLOUR, "////"))
    for axes, (name, label, colour, hatch) in zip(charts, kinds, strict=True):
        rows = labels == label
        axes.set(yticks=[])
        axes.grid(False)
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(
            f"{name}\nreference\n(n = {int(rows.sum())})", rotation=0, ha="right", va="center", fontsize=8.5
        )
        if not rows.any():
            say_instead(axes, f"no {name} reference row")
            continue
        axes.hist(
            scores[rows],
            edges,
            weights=weights[rows],
            color=colour,
            alpha=0.75,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.4,
        )
        for value in found.values():
            axes.axvline(value, color=INK, linewidth=1.5, linestyle=DASHED)
    _name_lines(charts[0], found)
    charts[1].set_xlabel("score: mean log-odds of the detector over the frames of a face")
    return figure


def _name_lines(axes: Axes, found: Mapping[str, float]) -> None:
    """Names above the lines of their scores; overlapping ones are stacked."""
    low, high = axes.get_xlim()
    levels: list[float] = []  # where the last name of each level ends
    for name, value in sorted(found.items(), key=lambda item: item[1]):
        half = 0.0085 * len(name) * (high - low)
        level = next((at for at, end in enumerate(levels) if value - half > end), len(levels))
        levels[level : level + 1] = [value + half]
        offset = (0, 3 + 11 * level)
        place = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "ha": "center", "fontsize": 8.5}
        axes.annotate(name, (value, 1.0), offset, **place)


@house_style
def plot_score_timeline(times_s: ArrayLike, scores: ArrayLike, mean: float, title: str = "") -> Figure:
    """Score of every sampled frame of a face over time.

    Args:
        times_s: `(n,)`, seconds.
        scores: `(n,)`, log-odds; NaN without a score.
        mean: The score of the face from which the LR is computed.
        title: Above the chart.
    """
    t, x = np.asarray(times_s, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    figure = new_figure(7.4, 2.3, title)
    axes = figure.subplots()
    if not np.isfinite(x).any():
        say_instead(axes, "no frame was scored")
        return figure
    axes.plot(t, x, color=SOFT, linewidth=0.9)
    axes.plot(t, x, "o", color=_POINT, markersize=4)
    axes.axhline(mean, color=INK, linewidth=1.2, linestyle=DASHED)
    axes.annotate(f"mean {mean:.2f}", (1, mean), (-2, 3), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                  ha="right", fontsize=8.5, bbox=GROUND)  # fmt: skip
    axes.set(xlabel="time in s", ylabel="score (log-odds)")
    return figure
