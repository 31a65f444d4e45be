"""Figures of lab 1: numbered gallery, detail maps, detail of genuine and forged faces, and results of guessing."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from dfworkbench.show.plots.parts import DASHED, name_picture, outline
from dfworkbench.show.plots.style import (
    FAKE_COLOUR,
    INK,
    REAL_COLOUR,
    SOFT,
    TRAIN_COLOUR,
    bare,
    house_style,
    name_rows,
    new_figure,
)

Picture = NDArray[np.uint8]
_COLUMNS, _CELL = 6, 1.42  # inches
_ENDS = (-0.7, 0.7)  # colour range of detail maps


@house_style
def plot_gallery(pictures: Sequence[Picture], forged: int) -> Figure:
    """The pictures with their numbers, and how many of them are forged."""
    figure, places = _grid(len(pictures), f"Which {forged} of these {len(pictures)} faces are forged?")
    for number, (axes, picture) in enumerate(zip(places, pictures, strict=True), 1):
        axes.imshow(picture)
        _number(axes, number)
    return figure


@house_style
def plot_maps(pictures: Sequence[Picture], maps: Sequence[NDArray]) -> Figure:
    """Each picture above its detail map."""
    rows = -(-len(pictures) // _COLUMNS)
    figure = new_figure(
        _CELL * _COLUMNS + 0.2, 2 * _CELL * rows + 0.95, "Fine detail",
        "maps: dark where there is less fine detail than camera noise in the background, grey where as much, bright where more",
    )  # fmt: skip
    grid = figure.subplots(2 * rows, _COLUMNS, squeeze=False)
    for place, (picture, values) in enumerate(zip(pictures, maps, strict=True)):
        row, column = divmod(place, _COLUMNS)
        above, below = grid[2 * row, column], grid[2 * row + 1, column]
        bare(above).imshow(picture)
        bare(below).imshow(values, cmap="gray", vmin=_ENDS[0], vmax=_ENDS[1])
        _number(above, place + 1)
    return figure


@house_style
def plot_truth(pictures: Sequence[Picture], masks: Sequence[NDArray[np.bool_]], kinds: Sequence[str]) -> Figure:
    """Pictures with the outlines of their forged areas."""
    figure, places = _grid(len(pictures), "The truth: forged areas are outlined", titles=True)
    for number, (axes, picture, mask) in enumerate(zip(places, pictures, masks, strict=True), 1):
        axes.imshow(picture, extent=(0, 1, 1, 0))
        outline(axes, mask)
        name_picture(axes, f"{number}: {kinds[number - 1]}")
        axes.title.set_color(FAKE_COLOUR if mask.any() else REAL_COLOUR)
    return figure


@house_style
def plot_rows(detail: Mapping[str, Sequence[float]]) -> Figure:
    """Detail of faces as dots: one row of genuine faces and rows of forged ones; a line marks the lowest genuine one."""
    figure = new_figure(8.6, 3.3, "Detail of the skin, a dot per face", "dashed: the smoothest genuine face")
    axes = figure.subplots()
    for row, values in enumerate(detail.values()):
        colour = FAKE_COLOUR if row else REAL_COLOUR
        ordered = np.sort(values)
        axes.scatter(
            ordered, row + 0.2 * (np.arange(len(ordered)) % 3 - 1), s=42, color=colour, edgecolors="white", zorder=3
        )
    axes.axvline(min(next(iter(detail.values()))), color=INK, linewidth=1.2, linestyle=DASHED)
    name_rows(axes, list(detail))
    axes.set_xlabel("fine detail of the skin over that of the background, powers of ten")
    return figure


@house_style
def plot_guesses(chances: Sequence[float]) -> Figure:
    """Probability of each number of hits when guessing at random."""
    figure = new_figure(8.6, 3.1, f"Somebody who draws {len(chances) - 1} numbers by lot")
    axes = figure.subplots()
    hits = list(range(len(chances)))
    axes.bar(hits, chances, 0.7, color=TRAIN_COLOUR, alpha=0.85)
    for place, value in zip(hits, chances, strict=True):
        axes.text(place, value + 0.008, f"{value:.1%}", ha="center", fontsize=8.5, color=INK)
    axes.set(xlabel="hits", ylabel="probability", xticks=hits, ylim=(0, max(chances) * 1.15))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0, colors=SOFT)
    return figure


def _grid(count: int, title: str, *, titles: bool = False):
    rows = -(-count // _COLUMNS)
    figure = new_figure(_CELL * _COLUMNS + 0.2, (_CELL + (0.22 if titles else 0.02)) * rows + 0.5, title)
    return figure, [bare(axes) for axes in figure.subplots(rows, _COLUMNS, squeeze=False).ravel()[:count]]


def _number(axes, number: int) -> None:
    axes.text(
        0.04, 0.95, str(number), transform=axes.transAxes, va="top", color="white", fontsize=11, fontweight="bold",
        bbox={"facecolor": INK, "edgecolor": "none", "pad": 2.2, "alpha": 0.85},
    )  # fmt: skip
