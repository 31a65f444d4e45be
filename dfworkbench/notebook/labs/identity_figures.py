"""Figures of lab 2: everyone in a data set, split membership, AUCs of many splits, scores of new clips."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfworkbench.core.names import FAKE
from dfworkbench.show.plots.faces import plot_faces
from dfworkbench.show.plots.parts import DOTTED, dot_handles, legend_above
from dfworkbench.show.plots.style import (
    FAKE_COLOUR,
    INK,
    REAL_COLOUR,
    SERIES,
    SOFT,
    TRAIN_COLOUR,
    VAL_COLOUR,
    house_style,
    name_rows,
    new_figure,
)


def plot_people(pictures: Sequence[NDArray[np.uint8]], labels: Sequence[int], names: Sequence[str]) -> Figure:
    """One picture of every person, framed in the colour of its label."""
    return plot_faces(
        pictures,
        labels,
        names,
        columns=12,
        title="Everybody once: green frames are genuine, orange ones are face swaps",
    )


@house_style
def plot_split(videos: pd.DataFrame) -> Figure:
    """Which clips of each person are used for training and testing: one row per person, one square per clip.

    Args:
        videos: carrier, label and split ("train" or "test") of each clip, people in order.
    """
    people = list(videos["carrier"].unique())
    half = -(-len(people) // 2)
    figure = new_figure(8.4, 0.55 + 0.27 * half, "Split A: one clip in six, drawn at random, is tested on")
    colours = {"train": TRAIN_COLOUR, "test": VAL_COLOUR}
    for axes, part in zip(figure.subplots(1, 2), (people[:half], people[half:]), strict=True):
        for row, name in enumerate(part):
            clips = videos[videos["carrier"] == name]
            axes.scatter(np.arange(len(clips)), [row] * len(clips), s=95, marker="s", color=clips["split"].map(colours))
            word, colour = ("swapped", FAKE_COLOUR) if clips["label"].iloc[0] == FAKE else ("genuine", REAL_COLOUR)
            axes.text(len(clips) - 0.3, row, word, color=colour, va="center", fontsize=8.5)
        name_rows(axes, part)
        axes.set(xticks=[], xlim=(-0.6, 10.5))
        axes.grid(False)
        axes.spines[:].set_visible(False)
    legend_above(figure.axes[1], dot_handles({"trained on": TRAIN_COLOUR, "tested on": VAL_COLOUR}), 2)
    return figure


@house_style
def plot_aucs(aucs: Mapping[str, Sequence[float]]) -> Figure:
    """AUC of many random splits of each kind as dots, with their means as lines."""
    figure = new_figure(
        8.4, 1.3 + 0.75 * len(aucs), "AUC on test clips, a dot per random split", "line: mean; dotted: chance level"
    )
    axes = figure.subplots()
    rng = np.random.default_rng(0)  # only spreads the dots
    for row, (values, colour) in enumerate(zip(aucs.values(), SERIES, strict=False)):
        axes.scatter(values, row + rng.uniform(-0.22, 0.22, len(values)), s=26, color=colour, alpha=0.65, linewidth=0)
        axes.plot([np.mean(values)] * 2, [row - 0.34, row + 0.34], color=INK, linewidth=2)
    axes.axvline(0.5, color=SOFT, linewidth=1, linestyle=DOTTED)
    name_rows(axes, [f"split {word}" for word in aucs])
    axes.set(xlim=(-0.02, 1.02), xlabel="AUC")
    return figure


@house_style
def plot_strips(scores: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Fake probabilities of several groups of clips, one dot per clip."""
    figure = new_figure(
        8.4, 1.1 + 0.6 * len(scores), "Clips that the detector has not seen", "dotted: called fake to the right of it"
    )
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    for row, (word, values) in enumerate(scores.items()):
        colour = FAKE_COLOUR if word.startswith("forged") else REAL_COLOUR
        axes.scatter(values, row + rng.uniform(-0.25, 0.25, len(values)), s=30, color=colour, alpha=0.75, linewidth=0)
    axes.axvline(0.5, color=INK, linewidth=1, linestyle=DOTTED)
    name_rows(axes, list(scores))
    axes.set(xlim=(-0.02, 1.02), xlabel="fake probability")
    return figure
