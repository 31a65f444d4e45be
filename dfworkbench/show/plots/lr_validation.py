"""Validation figures of an LR system: Tippett plot, empirical cross-entropy, PAV plot and normalised Bayes error."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.likelihood_ratios import (
    bayes_error,
    cross_entropy,
    group_weights,
    lr_bounds,
    misleading,
    pav,
)
from dfworkbench.show.plots.likelihood_ratios import lr_text
from dfworkbench.show.plots.parts import DASHED, DOTTED, legend_above
from dfworkbench.show.plots.style import (
    FAKE_COLOUR,
    INK,
    REAL_COLOUR,
    SERIES,
    SOFT,
    house_style,
    new_figure,
    say_instead,
)

Floats = NDArray[np.float64]
_PRIORS = np.linspace(-3, 3, 121)  # log10 prior odds
_H1, _H2 = "H1 true (manipulated)", "H2 true (genuine)"
_SIZE = (6.4, 4.2)


@house_style
def plot_tippett(llr: ArrayLike, labels: ArrayLike, title: str = "Tippett plot") -> Figure:
    """Tippett plot: share of reference rows with an LR of at least k, per class; misleading evidence is on the wrong side of 1.

    Args:
        llr: `(n,)`, log10 LRs of leave-one-group-out fits.
        labels: `(n,)`.
        title: Above the chart.
    """
    x, y = np.asarray(llr, dtype=np.float64), np.asarray(labels)
    figure = new_figure(*_SIZE, title)
    axes = figure.subplots()
    margin = 0.05 * max(np.ptp(x), 1.0)
    ends = (min(x.min(), 0) - margin, max(x.max(), 0) + margin)
    for label, colour, style in ((REAL, REAL_COLOUR, DASHED), (FAKE, FAKE_COLOUR, "solid")):
        at, share = _survival(x[y == label])
        # a row with LR = k still counts at k: the share drops just after each value
        axes.step([ends[0], *at, ends[1]], [1.0, *share, 0.0], where="pre", color=colour, linestyle=style)
    axes.axvline(0, color=INK, linewidth=0.9)
    below, above = misleading(x, y)
    handles = [
        Line2D([], [], color=FAKE_COLOUR, label=f"{_H1}: {below:.1%} below 1"),
        Line2D([], [], color=REAL_COLOUR, linestyle=DASHED, label=f"{_H2}: {above:.1%} above 1"),
    ]
    legend_above(axes, handles, 2)
    axes.set(xlim=ends, ylim=(-0.02, 1.02), xlabel="LR", ylabel="share with at least this LR")
    _powers(axes)
    return figure


def _survival(values: Floats) -> tuple[Floats, Floats]:
    """Distinct values in ascending order, and the share of values at or above each."""
    at, counts = np.unique(values, return_counts=True)
    return at, np.cumsum(counts[::-1])[::-1] / len(values)


def _powers(axes: Axes, axis: str = "x", most: int = 12) -> None:
    """Label whole powers of ten of a log10 axis as LRs, only every second or third if there are many."""
    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    whole = range(int(np.ceil(low)), int(np.floor(high)) + 1)
    step = 1 + len(whole) // most
    whole = [power for power in whole if power % step == 0]
    set_ticks = axes.set_xticks if axis == "x" else axes.set_yticks
    if len(whole) >= 2:
        set_ticks(list(whole), [lr_text(power) for power in whole])


@house_style
def plot_cross_entropy(
    llr: ArrayLike, labels: ArrayLike, groups: ArrayLike | None = None, title: str = "Empirical cross-entropy"
) -> Figure:
    """Empirical cross-entropy: expected cost in bits over the prior odds, beside that after PAV and that without evidence.

    At odds of 1 the cost is Cllr.

    Args:
        llr: `(n,)`, log10 LRs of leave-one-group-out fits.
        labels: `(n,)`.
        groups: `(n,)`; every group counts once in its class.
        title: Above the chart.
    """
    x, y = np.asarray(llr, dtype=np.float64), np.asarray(labels)
    weights = group_weights(y, groups)
    figure = new_figure(*_SIZE, title, "Dotted upright: prior odds of 1, where the cost of the LRs is Cllr.")
    axes = figure.subplots()
    lines = (
        ("always LR = 1 (saying nothing)", np.zeros(len(x)), SOFT, DOTTED),
        ("these LRs", x, SERIES[5], "solid"),
        ("after PAV (best calibration)", pav(x, y, weights), SERIES[0], DASHED),
    )
    for name, values, colour, style in lines:
        cost = [cross_entropy(values, y, float(prior), weights) for prior in _PRIORS]
        axes.plot(_PRIORS, cost, color=colour, linestyle=style, label=name)
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=DOTTED)
    axes.set(xlabel="prior odds of H1", ylabel="cost in bits", xlim=(-3, 3))
    axes.set_ylim(0, None)
    _powers(axes)
    legend_above(axes, axes.get_legend_handles_labels()[0], 2)  # pyright: ignore[reportArgumentType]
    return figure


@house_style
def plot_pav(llr: ArrayLike, labels: ArrayLike, groups: ArrayLike | None = None, title: str = "PAV plot") -> Figure:
    """PAV plot: LRs after the best monotone calibration on the same rows over the LRs as given; calibrated on the diagonal.

    Points whose PAV value is infinite lie on the edges of the chart.

    Args:
        llr: `(n,)`, log10 LRs of leave-one-group-out fits.
        labels: `(n,)`.
        groups: `(n,)`; every group counts once in its class.
        title: Above the chart.
    """
    x, y = np.asarray(llr, dtype=np.float64), np.asarray(labels)
    at, first = np.unique(x, return_index=True)
    line = pav(x, y, group_weights(y, groups))[first]
    finite = np.isfinite(line)
    figure = new_figure(5.4, 4.9, title, "dashed: calibrated; triangles: PAV value is infinite")
    axes = figure.subplots()
    reach = max(1.0, float(np.abs(at).max()), float(np.abs(line[finite]).max(initial=0))) * 1.08
    axes.plot([-reach, reach], [-reach, reach], color=SOFT, linewidth=1, linestyle=DASHED)
    if finite.any():
        axes.plot(at[finite], line[finite], color=SERIES[0], marker=".", markersize=5)
    else:
        say_instead(axes, "the classes are fully separated:\nPAV has no finite value")
    for sign, marker in ((1, "^"), (-1, "v")):
        beyond = np.isinf(line) & (np.sign(line) == sign)
        axes.plot(at[beyond], np.full(beyond.sum(), sign * reach * 0.97), marker, color=SERIES[5], markersize=5)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="LR as computed", ylabel="LR after PAV", aspect="equal")
    _powers(axes, most=6)
    _powers(axes, "y", most=6)
    return figure


@house_style
def plot_bayes_error(
    llr: ArrayLike, labels: ArrayLike, groups: ArrayLike | None = None, title: str = "Normalised Bayes error"
) -> Figure:
    """Normalised Bayes error: how much LRs improve decisions over the prior alone, by threshold; bounds mark where that ends.

    Args:
        llr: `(n,)`, log10 LRs of leave-one-group-out fits.
        labels: `(n,)`.
        groups: `(n,)`; one misleading group is added to each class.
        title: Above the chart.
    """
    found, bounds = bayes_error(llr, labels, groups), lr_bounds(llr, labels, groups)
    k, gain = found.thresholds, np.log10(found.ratio)
    figure = new_figure(*_SIZE, title, "Hatched: below 0, deciding by the LRs costs more than deciding without them.")
    axes = figure.subplots()
    axes.plot(k, gain, color=SERIES[0])
    axes.fill_between(k, gain, 0, where=gain < 0, color=SERIES[5], alpha=0.35, hatch="////", linewidth=0)
    axes.axhline(0, color=INK, linewidth=1)
    for end, side in ((bounds.low, "right"), (bounds.high, "left")):
        axes.axvline(end, color=SERIES[5], linestyle=DASHED, linewidth=1.4)
        words = f"bound {bound_text(end)}"
        axes.annotate(words, (end, 1), (-4 if side == "right" else 4, 2), xycoords=axes.get_xaxis_transform(),
                      textcoords="offset points", ha=side, va="bottom", fontsize=8.5)  # fmt: skip
    margin = 0.22 * max(float(np.ptp(k)), 0.5)
    axes.set(xlim=(k.min() - margin, k.max() + margin))
    axes.set(xlabel="threshold (LR)", ylabel="gain over deciding by the prior\n(log10, one misleading person added)")
    _powers(axes)
    return figure


def bound_text(llr: float) -> str:
    """A log10 LR as "13" or "1/13", rounded towards 1 to two digits."""
    lr = 10 ** abs(llr)
    step = 10.0 ** (np.floor(np.log10(lr)) - 1)
    text = f"{np.floor(lr / step + 1e-9) * step:,.2g}" if lr < 100 else f"{np.floor(lr / step + 1e-9) * step:,.0f}"
    return text if llr >= 0 or text == "1" else f"1/{text}"
