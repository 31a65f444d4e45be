"""Figures of lab 3: two classes around a threshold, error rates over thresholds, a crowd of clips, precision over base rates."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray
from scipy.special import logit

from dfworkbench.show.plots.parts import DASHED, GROUND, dot_handles, legend_above
from dfworkbench.show.plots.style import FAKE_COLOUR, INK, REAL_COLOUR, SOFT, bare, house_style, new_figure

Classes = tuple[NDArray[np.float64], NDArray[np.float64]]  #: scores of genuine and of fake clips
_WORDS = ("genuine", "fake")
_COLOURS = (REAL_COLOUR, FAKE_COLOUR)
_PALE = 0.3
_ENDS = (0.001, 0.999)
_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_CROWD = (50, 20)  # columns and rows: a thousand clips


@house_style
def plot_two_classes(scores: Classes, threshold: float, above: tuple[float, float]) -> Figure:
    """Score distributions of both classes (genuine above the axis), and the shares above a threshold."""
    figure = new_figure(
        8.4, 3.9, "Validation clips around the threshold", "coloured strongly: flagged, that is above the threshold"
    )
    axes = figure.subplots()
    places, threshold_at = (
        [logit(np.clip(values, *_ENDS)) for values in scores],
        float(logit(np.clip(threshold, *_ENDS))),
    )
    low, high = (float(logit(end)) for end in _ENDS)
    edges = np.linspace(low, high, 61)
    for place, sign, colour, word, share in zip(places, (1, -1), _COLOURS, _WORDS, above, strict=True):
        for part, alpha in ((place[place <= threshold_at], _PALE), (place[place > threshold_at], 0.95)):
            counts, _ = np.histogram(part, edges)
            axes.bar(
                edges[:-1],
                sign * counts / len(place),
                np.diff(edges),
                align="edge",
                color=colour,
                alpha=alpha,
                linewidth=0,
            )
        axes.text(
            0.985, 0.93 if sign > 0 else 0.07, f"{share:.1%} of the {word} clips are flagged", color=colour, fontweight="bold",
            ha="right", va="center", transform=axes.transAxes, bbox=GROUND,
        )  # fmt: skip
    _threshold_line(axes, threshold, threshold_at)
    most = 1.3 * np.abs(axes.get_ylim()).max()
    axes.set(
        xlim=(edges[0], edges[-1]), ylim=(-most, most), yticks=[], xlabel="fake probability (stretched at both ends)"
    )
    axes.set_xticks(logit(np.array(_TICKS)), [f"{tick:g}" for tick in _TICKS])
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    return figure


@house_style
def plot_rates(scores: Classes, limit: float) -> Figure:
    """Shares of genuine and of fake clips above each threshold, and the allowed share."""
    figure = new_figure(8.4, 3.7, "What lies above a threshold")
    axes = figure.subplots()
    places = np.linspace(0, 1, 501)
    for values, colour in zip(scores, _COLOURS, strict=True):
        axes.plot(places, (values[None] > places[:, None]).mean(axis=1), color=colour)
    axes.axhline(limit, color=INK, linewidth=1, linestyle=DASHED)
    axes.text(
        0.008, limit + 0.012, f"allowed: {limit:.0%} of the genuine clips", fontsize=8.5, va="bottom", bbox=GROUND
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="threshold", ylabel="share of clips above it")
    axes.set_xticks(np.arange(0, 1.01, 0.1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend_above(axes, dot_handles({f"{word} clips": to_hex(c) for word, c in zip(_WORDS, _COLOURS, strict=True)}), 2)
    return figure


@house_style
def plot_crowd(one_in: int, above: tuple[float, float]) -> Figure:
    """A thousand clips as dots, fakes first, with the flagged ones marked.

    Args:
        one_in: One in this many clips is a fake.
        above: Shares of genuine and of fake clips that are flagged.
    """
    columns, rows = _CROWD
    count = columns * rows
    fakes = round(count / one_in)
    flagged_fakes, flagged_genuine = round(fakes * above[1]), round((count - fakes) * above[0])
    total = flagged_fakes + flagged_genuine
    worth = (
        f"{flagged_fakes} of the {total} flagged clips are fakes: {flagged_fakes / total:.0%}"
        if total
        else "nothing is flagged"
    )
    figure = new_figure(8.4, 4.3, f"1,000 clips, one in {one_in} a fake", worth)
    axes = bare(figure.subplots())
    groups = (
        (f"fake, flagged ({flagged_fakes})", flagged_fakes, FAKE_COLOUR, 1.0),
        (f"fake, missed ({fakes - flagged_fakes})", fakes - flagged_fakes, FAKE_COLOUR, _PALE),
        (f"genuine, flagged ({flagged_genuine})", flagged_genuine, REAL_COLOUR, 1.0),
        (
            f"genuine, not flagged ({count - fakes - flagged_genuine})",
            count - fakes - flagged_genuine,
            REAL_COLOUR,
            _PALE,
        ),
    )
    start = 0
    for word, size, colour, alpha in groups:
        places = np.arange(start, start + size)
        ring: dict[str, Any] = {"edgecolors": INK, "linewidths": 0.9} if alpha == 1.0 else {"linewidths": 0}
        axes.scatter(places // rows, places % rows, s=34, color=[colour], alpha=alpha, label=word, **ring)
        start += size
    axes.set(xlim=(-0.8, columns - 0.2), ylim=(rows - 0.2, -0.8))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=4,
        borderpad=0,
        borderaxespad=0.3,
        columnspacing=1.2,
        handletextpad=0.1,
    )
    return figure


@house_style
def plot_precision(above: tuple[float, float], one_in: int) -> Figure:
    """Precision: share of fakes among flagged clips over the base rate; the lab's platform is marked by a dot."""
    figure = new_figure(8.4, 3.8, "What an alarm is worth")
    axes = figure.subplots()
    share = np.logspace(-5, np.log10(0.5), 200)
    axes.plot(share, _precision(share, above), color=INK)
    for place, colour, word in ((0.5, SOFT, "the test set"), (1 / one_in, FAKE_COLOUR, "this platform")):
        value = float(_precision(np.array(place), above))
        axes.plot([place], [value], "o", color=colour, markersize=8, markeredgecolor="white", zorder=3)
        side = {"ha": "right", "xytext": (-8, 6)}
        axes.annotate(
            f"{word}: {value:.1%}", (place, value), textcoords="offset points", color=colour, fontweight="bold", **side
        )
    axes.set(
        xscale="log",
        xlim=(share[0], 0.6),
        ylim=(-0.02, 1.06),
        xlabel="share of fakes among all clips",
        ylabel="share of fakes among flagged clips",
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"1 in {round(1 / value):,}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _precision(share: NDArray[np.float64], above: tuple[float, float]) -> NDArray[np.float64]:
    hits, alarms = share * above[1], (1 - share) * above[0]
    return hits / np.maximum(hits + alarms, 1e-12)


def _threshold_line(axes: Axes, threshold: float, place: float) -> None:
    axes.axvline(place, color=INK, linewidth=1.2)
    axes.annotate(
        f"threshold {threshold:g}", (place, 0.72), xycoords=("data", "axes fraction"), textcoords="offset points",
        xytext=(6, 0), ha="left", va="center", fontsize=8.5, bbox=GROUND,
    )  # fmt: skip
