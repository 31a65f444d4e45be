"""Figures of score tables: ROC curves with bands, and score distributions by forgery kind."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.bootstrap import judged_rows
from dfworkbench.evaluation.metrics.curve_tables import roc_band
from dfworkbench.evaluation.metrics.evaluate import evaluate, row_interval
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.aggregate import RULES
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


@house_style
def plot_roc(
    scores: pd.DataFrame | Mapping[str, pd.DataFrame], judging: Judging = Judging(), *, title: str = ""
) -> Figure:
    """ROC curve with its bootstrap band, and the AUC with its interval.

    Args:
        scores: A score table, or name -> score table for several curves.
        judging: How curve, band and AUC are computed.
        title: Above the chart.
    """
    tables = dict(scores) if isinstance(scores, Mapping) else {"": scores}
    figure = new_figure(5.4, 5.0, title or f"ROC, {judging.level} level")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (3, 3)))
    for (name, table), colour in zip(tables.items(), SERIES, strict=False):
        band = roc_band(table, judging)
        row = evaluate(table, [judging.level], judging, metrics=["auc"]).iloc[0]
        if band.empty:
            axes.plot([], [], color=colour, label=_label(name, f"not defined: {row['reason']}"))
            continue
        axes.fill_between(band["fpr"], band["low"], band["high"], color=colour, alpha=0.15, linewidth=0)
        text = f"AUC {row_interval(row).text()}, {row['videos']} videos"
        axes.plot(band["fpr"], band["tpr"], color=colour, label=_label(name, text))
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel("reals called fake")
    axes.set_ylabel("fakes called fake")
    axes.legend(loc="lower right")
    return figure


def _label(name: str, text: str) -> str:
    between = ": " if len(name) + len(text) < 50 else "\n"  # run names are long
    return f"{name}{between}{text}" if name else text


@house_style
def plot_scores(scores: pd.DataFrame, judging: Judging = Judging(), *, bins: int = 25, title: str = "") -> Figure:
    """Distribution of fake probabilities: one row for the real files and one per forgery kind, on a common axis.

    Args:
        scores: A score table.
        judging: Which rows count.
        bins: Bins of the histograms over 0..1.
        title: Above the charts.
    """
    rows, coverage = judged_rows(scores, judging)
    kinds = _kinds(rows)
    about = f"{RULES[judging.rule]} · " if judging.level == "video" else ""
    figure = new_figure(
        7.6,
        1.1 + 0.8 * max(len(kinds), 1),
        title or f"Scores by kind, {judging.level} level",
        f"{about}coverage {coverage:.0%}",
    )
    all_axes = figure.subplots(max(len(kinds), 1), 1, sharex=True, squeeze=False)[:, 0]
    if not kinds:
        say_instead(all_axes[0], "no labelled scores")
    for axes, (name, label, values) in zip(all_axes, kinds, strict=False):
        colour = FAKE_COLOUR if label == FAKE else REAL_COLOUR
        counts, edges = np.histogram(values, bins=bins, range=(0, 1))
        axes.bar(
            edges[:-1], counts / len(values), width=np.diff(edges), align="edge", color=colour, alpha=0.85, linewidth=0
        )
        axes.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (2, 3)))
        wrong = np.mean((values > 0.5) != (label == FAKE))
        text = f"n = {len(values)}\n{wrong:.0%} on the wrong side"
        axes.text(1.02, 0.42, text, transform=axes.transAxes, va="center", fontsize=8.5, color=SOFT)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", color=colour, fontweight="bold")
        axes.set(yticks=[], xlim=(0, 1))
        axes.grid(False)
        axes.spines["left"].set_visible(False)
    all_axes[-1].set_xlabel("fake probability")
    return figure


def _kinds(rows: pd.DataFrame) -> list[tuple[str, int, np.ndarray]]:
    out = []
    for label, word in ((REAL, "real"), (FAKE, "fake")):
        part = rows[rows["label"] == label]
        names = part["forgery"].where((part["forgery"] != "") & (label == FAKE), word)
        out += [
            (str(name), label, group.to_numpy()) for name, group in part["fake_probability"].groupby(names, sort=True)
        ]
    return out
